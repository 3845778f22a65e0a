//! Promise: the doctor looks at everything, tells of each finding what mends it, and that mends it.

use std::process::Stdio;
use std::time::Duration;

use clawback::stripe::signature::{Secret, Secrets, sign};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::binary::{Ended, run};
use crate::bodies::{charge, dispute, event, event_with, refund};
use crate::harness::{Database, TestApp, options, unix_now};
use crate::privileges::grants;
use crate::proxy::{Proxy, Wire};

const SIGNED: (&str, &str) = ("STRIPE_WEBHOOK_SECRETS", "whsec_x");

/// What the server of the tests is by design: it need not survive a crash, and its only role is a superuser.
const BY_DESIGN: [&str; 2] = ["fsync", "role"];

async fn examine(url: &str) -> (Ended, Vec<Value>) {
    let ended = run(&["doctor", "--json"], &[("DATABASE_URL", url), SIGNED]).await;
    let findings = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("no JSON: {ended:?}"));
    (ended, findings)
}

/// What is said of a check, and how grave it is.
fn of<'a>(findings: &'a [Value], check: &str) -> (&'a str, &'a str) {
    let finding = findings.iter().find(|finding| finding["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("{check} was not looked at: {findings:#?}"));
    (finding["level"].as_str().expect("a level"), finding["message"].as_str().expect("words"))
}

/// The findings that are not good.
async fn findings(url: &str) -> Vec<String> {
    let (_, findings) = examine(url).await;
    let bad = findings.iter().filter(|f| f["level"] != "good");
    let bad = bad.map(|f| (f["check"].as_str().unwrap_or(""), f["message"].as_str().unwrap_or("")));
    bad.filter(|(check, _)| !BY_DESIGN.contains(check)).map(|(check, says)| format!("{check}: {says}")).collect()
}

/// The last statement or command that a finding names.
fn mend(says: &str) -> &str {
    says.rsplit('`').nth(1).unwrap_or_else(|| panic!("nothing to run in: {says}"))
}

/// The URL of a new role that has nothing.
async fn stranger(db: &Database) -> (String, String) {
    let role = format!("stranger_in_{}", db.name);
    db.execute(&format!("create role {role} login password 'stranger'")).await;
    let (_, address) = db.url.rsplit_once('@').expect("a URL with a password");
    (format!("postgres://{role}:stranger@{address}"), role)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_nothing_wrong_and_then_what_was_broken() {
    let app = TestApp::start().await;
    for story in clawback::dev::stories::all() {
        app.live(story.name, story.name).await;
    }
    app.see(&[event("evt_orphan", 1, &refund("re_orphan", json!({})))]).await;
    assert_eq!(findings(&app.db.url).await, Vec::<String>::new());
    let one = "(select payment_id from clawback.payments where order_id = 'paid')";
    app.db
        .execute(&format!("update clawback.payments set amount_paid = amount_paid - 1 where payment_id = {one}"))
        .await;
    let payment_id = app.db.value(one).await;
    let found = findings(&app.db.url).await;
    assert!(found[0].starts_with("consistency: 1 payment whose"), "{found:?}");
    assert!(
        found[0].contains(payment_id.as_str().expect("an id")) && found[1].starts_with("orders: 1 order whose"),
        "{found:?}"
    );
    let excess = "update clawback.payments set amount_refunded = amount_paid + 1, state = 'refunded'
                  where order_id = 'late-win'";
    app.db.execute(excess).await;
    let found = findings(&app.db.url).await;
    assert!(found.iter().any(|finding| finding.starts_with("money: 1 payment with more refunded")), "{found:?}");
    // What it says to do.
    let environment = [("DATABASE_URL", app.db.url.as_str())];
    let ended =
        run(&["events", "replay", "--type", "payment_intent.succeeded", "--reason", "a test"], &environment).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    app.db.settle().await;
    assert_eq!(findings(&app.db.url).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_passed_over_and_what_is_kept_apart_is_told() {
    let secrets = Secrets::parse("live:whsec_live test:whsec_test").expect("two secrets");
    let app = TestApp::start_on(Database::migrated().await, |service| service.secrets = secrets).await;
    app.ready().await;
    let deliver = async |key: &str, id: &str, live: bool, changes: Value| {
        let body = event_with(id, 1, &charge(&format!("ch_{id}"), changes), json!({ "livemode": live }));
        let signature = sign(&Secret::from_key(key), unix_now(), body.as_bytes());
        assert_eq!(app.post(&body, &signature).await.status(), 200);
    };
    deliver("whsec_live", "evt_test", false, json!({})).await;
    let (_, found) = examine(&app.db.url).await;
    assert_eq!(
        of(&found, "modes"),
        ("good", "no live events with a mismatched secret; 1 test event stored separately")
    );
    assert_eq!(of(&found, "fields"), ("good", "no unreadable fields"));
    for id in ["evt_1", "evt_2", "evt_3", "evt_4"] {
        deliver("whsec_live", id, true, json!({ "paid": 7, "metadata": [] })).await;
    }
    deliver("whsec_test", "evt_live", true, json!({})).await;
    app.db.settle().await;
    let (_, found) = examine(&app.db.url).await;
    let odd = "taken as absent: data.object.paid: is neither true nor false; data.object.metadata: is not an object";
    let newest = format!("4 events processed without fields that could not be read, the newest: evt_4 {odd}; evt_3 ");
    let (level, says) = of(&found, "fields");
    assert!(level == "warning" && says.starts_with(&newest) && !says.contains("evt_1"), "{says}");
    assert_eq!(mend(says), "clawback events list --noted");
    let (level, says) = of(&found, "modes");
    assert!(level == "warning" && says.starts_with("1 live event signed with a secret labelled `test:`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_object_and_follow_up_that_is_not_what_its_payment_says_is_named() {
    let app = TestApp::start().await;
    for story in ["partial-refund", "full-refund", "chargeback-lost", "chargeback-open", "fraud-warning"] {
        app.live(story, story).await;
    }
    assert_eq!(findings(&app.db.url).await, Vec::<String>::new());
    let refund = app.db.value("select min(refund_id) from clawback.refunds").await;
    let dispute = app.db.value("select min(dispute_id) from clawback.disputes where fee > 0").await;
    let warning = app.db.value("select min(warning_id) from clawback.fraud_warnings").await;
    let charge = app.db.value("select min(payment_id) from clawback.payments where order_id = 'full-refund'").await;
    let [refund, dispute, warning, payment] =
        [&refund, &dispute, &warning, &charge].map(|id| id.as_str().expect("an id"));
    app.db
        .execute(&format!(
            "update clawback.refunds set status = 'pending' where refund_id = '{refund}';
             update clawback.disputes set fee = fee + 1 where dispute_id = '{dispute}';
             delete from clawback.fraud_warnings where warning_id = '{warning}';
             update clawback.follow_ups set wanted = false where subject = '{payment}';
             insert into clawback.follow_ups (kind, subject, round, payment_id, payload, run_at)
             values ('notify_refund', 're_made_up', '7', '{payment}', '{{}}', now())"
        ))
        .await;
    let found = findings(&app.db.url).await;
    assert!(found.len() == 1 && found[0].starts_with("objects: 5 "), "{found:#?}");
    for name in [
        format!("refund {refund}"),
        format!("dispute {dispute}"),
        format!("fraud warning {warning}"),
        format!("follow-up cancel_fulfilment {payment}"),
        "follow-up notify_refund re_made_up 7".to_owned(),
    ] {
        assert!(found[0].contains(&name), "{name} is not in {}", found[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disputed_charge_is_named_until_its_dispute_is_seen() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_1", 1, &charge("ch_1", json!({ "disputed": true }))),
        event("evt_2", 2, &charge("ch_2", json!({ "dispute": "dp_2" }))),
        event("evt_3", 3, &charge("ch_3", json!({ "disputed": false, "dispute": null }))),
    ])
    .await;
    let said = async || of(&examine(&app.db.url).await.1, "disputes").1.to_owned();
    let says = said().await;
    assert!(says.starts_with("2 charges disputed, but the dispute was not received: ch_1, ch_2."), "{says}");
    app.see(&[event("evt_4", 4, &dispute("dp_1", json!({ "charge": "ch_1" })))]).await;
    assert!(said().await.starts_with("1 charge disputed, but the dispute was not received: ch_2."));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_services_use_is_there_and_the_migrations_are_those_of_this_binary() {
    let db = Database::migrated().await;
    db.execute(
        "alter view clawback_v1.orders rename to orders_old; alter function clawback_v1.link_payment rename to link",
    )
    .await;
    let found = findings(&db.url).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("interface: clawback_v1 lacks orders, link_payment(text, text)"), "{found:#?}");
    db.execute(
        "alter view clawback_v1.orders_old rename to orders; alter function clawback_v1.link rename to link_payment;
         update clawback.migrations set checksum = 'other' where version in (2, 5)",
    )
    .await;
    let found = findings(&db.url).await;
    assert!(
        found.len() == 1 && found[0].starts_with("migrations: checksum mismatch of migrations 2, 5:"),
        "{found:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_can_be_read_but_not_be_meant_are_found() {
    let look = async |environment: &[(&str, &str)]| {
        let ended = run(&["doctor", "--json"], environment).await;
        serde_json::from_str::<Vec<Value>>(&ended.stdout).unwrap_or_else(|_| panic!("no JSON: {ended:?}"))
    };
    for (secrets, level, words) in [
        ("whsec_hidden1 live:whsec_hidden2", "good", "2 signing secrets"),
        ("whsec_…", "wrong", "placeholder"),
        ("whsec_hidden1,whsec_...", "wrong", "placeholder"),
        ("whsec_hidden1,whsec_hidden2,live:whsec_hidden1", "warning", "number 3 is the same as number 1"),
    ] {
        let found = look(&[("STRIPE_WEBHOOK_SECRETS", secrets)]).await;
        let (said, says) = of(&found, "secrets");
        assert!(said == level && says.contains(words) && !says.contains("hidden"), "{secrets}: {says}");
    }
    for (public, private, level) in [
        ("127.0.0.1:8080", "127.0.0.1:8081", "good"),
        ("127.0.0.1:0", "127.0.0.1:0", "good"),
        ("127.0.0.1:8080", "127.0.0.1:8080", "wrong"),
        ("0.0.0.0:8081", "127.0.0.1:8081", "wrong"),
        ("", "127.0.0.1:8080", "wrong"),
    ] {
        let found = look(&[SIGNED, ("CLAWBACK_LISTEN", public), ("CLAWBACK_ADMIN_LISTEN", private)]).await;
        assert_eq!(of(&found, "settings").0, level, "{public} and {private}: {found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_of_a_database_that_is_behind_what_to_run() {
    let db = Database::migrated().await;
    db.execute("drop table clawback.failed_events; delete from clawback.migrations where version > 5").await;
    let found = findings(&db.url).await;
    assert!(found.len() == 1 && mend(&found[0]) == "clawback migrate", "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_is_looked_at_even_when_another_is_malformed() {
    let malformed = [
        ("CLAWBACK_LISTEN", "8080"),
        ("CLAWBACK_ADMIN_LISTEN", "localhost"),
        ("CLAWBACK_ORDER_KEY", " "),
        ("CLAWBACK_TOLERANCE", "soon"),
        ("CLAWBACK_MAX_BODY", "1GiB"),
        ("CLAWBACK_MIGRATE", "perhaps"),
        ("CLAWBACK_LOG_FORMAT", "xml"),
        ("RUST_LOG", "a=b=c"),
    ];
    let others = [("STRIPE_WEBHOOK_SECRETS", "sk_hidden"), ("DATABASE_URL", "postgres://u:hidden@127.0.0.1:1/db")];
    let ended = run(&["doctor"], &[malformed.as_slice(), &others].concat()).await;
    for (variable, _) in malformed {
        let line = ended.stdout.lines().find(|line| line.contains(&format!("{variable}: ")));
        let level = if variable == "RUST_LOG" { "warning" } else { "wrong" };
        assert!(line.is_some_and(|line| line.contains(level)), "{variable} is not in {}", ended.stdout);
    }
    assert!(ended.stdout.contains("number 1 does not begin with `whsec_`"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("cannot connect to the database at 127.0.0.1:1: connection refused"),
        "{}",
        ended.stdout
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), "clawback: 9 of 11 checks found something wrong\n"));
    assert!(!ended.stdout.contains("hidden"), "{}", ended.stdout);

    let ended = run(&["doctor", "--tolerance=0", "--order-key=-", "--json"], &others[1..]).await;
    let findings: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
    assert!(of(&findings, "settings").1.contains("at least 1s"), "{findings:?}");
    assert!(of(&findings, "secrets").1.contains("STRIPE_WEBHOOK_SECRETS is missing"), "{findings:?}");
    let ended = run(&["doctor", "--json"], &[SIGNED, ("CLAWBACK_TOLERANCE", "60s")]).await;
    let findings: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(of(&findings, "settings").0, "good");
    assert!(of(&findings, "database").1.contains("DATABASE_URL is missing"), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_is_told_apart_from_a_database_that_was_never_migrated() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["permission denied for schema clawback"]);
    let (url, role) = stranger(&db).await;
    let refused = run(&["migrate"], &[("DATABASE_URL", &url)]).await;
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(1), 1), "{refused:?}");
    assert!(refused.stderr.contains("connect as the owner of schema clawback"), "{refused:?}");
    let (ended, found) = examine(&url).await;
    let (level, says) = of(&found, "privileges");
    assert!(ended.code == Some(1) && level == "wrong" && says.contains(&role), "{found:#?}");
    assert!(!of(&found, "migrations").1.contains("never run"), "{found:#?}");
    assert!(says.contains("may not use schema clawback and clawback_v1. ") && !says.contains("grant"), "{says}");
    db.execute(&format!("grant usage on schema clawback_v1 to {role}")).await;
    let (_, found) = examine(&url).await;
    let says = &of(&found, "privileges").1;
    assert!(says.contains("may not use schema clawback. Run `clawback doctor` with"), "{says}");
    // Some of it is not enough.
    db.execute(&format!(
        "grant usage on schema clawback, clawback_v1 to {role}; grant select on all tables in schema clawback to {role}"
    ))
    .await;
    let (_, found) = examine(&url).await;
    let (level, says) = of(&found, "privileges");
    assert!(level == "wrong" && says.contains("clawback.events (update)") && says.contains("reap_"), "{found:#?}");
    assert_eq!(mend(says), format!("clawback grants {role} --service"));
    db.execute(&grants(&role, &["--service"])).await;
    let (_, found) = examine(&url).await;
    assert_eq!((of(&found, "privileges").0, of(&found, "consistency").0), ("good", "good"));
    // The service itself has enough in that role.
    let app = TestApp::start_on(db, |service| (service.database, service.migrate) = (options(&url), false)).await;
    app.ready().await;
    app.live("chargeback-lost", "o_1").await;
    assert_eq!(app.db.value("select state from clawback_v1.orders").await, "charged_back");
    let claim = "select count(*) from clawback_v1.claim_follow_ups('me', array['record_dispute_lost'])";
    assert_eq!(app.db.value(claim).await, 1);
    app.db.expire_leases().await;
    app.db.until("select state = 'ready' from clawback_v1.follow_ups where kind = 'record_dispute_lost'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_is_made_ready_by_what_the_doctor_says() {
    let db = Database::empty().await;
    let (url, role) = stranger(&db).await;
    let (_, found) = examine(&url).await;
    let (level, says) = of(&found, "role");
    assert_eq!((level, of(&found, "migrations")), ("wrong", ("wrong", "never run: run `clawback migrate`")));
    db.execute(mend(says)).await;
    let (_, found) = examine(&url).await;
    assert_eq!(of(&found, "role").0, "good");
    assert_eq!(run(&["migrate"], &[("DATABASE_URL", &url)]).await.code, Some(0));
    let (_, found) = examine(&url).await;
    assert_eq!(of(&found, "role"), ("good", format!("{role} acts for {role}, who owns schema clawback").as_str()));
    assert_eq!(found.iter().filter(|f| f["level"] != "good").count(), 1, "only fsync: {found:#?}");
    // Somebody else, who has all rights but those of the owner.
    let (_, found) = examine(&db.url).await;
    assert!(of(&found, "role").1.contains("superuser"), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_else_may_read_private_tables_is_named() {
    let db = Database::migrated().await;
    let (_, role) = stranger(&db).await;
    db.execute(&format!("grant select on clawback.payments to public; grant select on clawback.events to {role}"))
        .await;
    let (ended, found) = examine(&db.url).await;
    let (level, says) = of(&found, "private tables");
    assert!(level == "warning" && says.starts_with(&format!("public, {role} can read them")), "{says}");
    assert!(ended.stderr.starts_with("clawback: 1 of "), "fsync only, a warning is not wrong: {}", ended.stderr);
    db.execute(mend(says)).await;
    assert_eq!(of(&examine(&db.url).await.1, "private tables").0, "good");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_setting_on_which_an_answer_rests_is_a_line() {
    let db = Database::migrated().await;
    let (name, check) = (&db.name, async |check: &str| of(&examine(&db.url).await.1, check).0.to_owned());
    for (setting, value, named, level) in [
        ("synchronous_commit", "off", "synchronous_commit", "warning"),
        ("default_transaction_read_only", "on", "writable", "wrong"),
    ] {
        assert_eq!(check(named).await, "good");
        db.execute(&format!("alter database {name} set {setting} = {value}")).await;
        assert_eq!(check(named).await, level, "{setting}");
        db.execute(&format!("set default_transaction_read_only = off; alter database {name} reset {setting}")).await;
    }
    let (_, found) = examine(&db.url).await;
    assert_eq!(of(&found, "encryption"), ("good", "none, and none needed: the database is on this machine"));
    assert!(of(&found, "clock").1.starts_with("this machine's clock and the database's differ by 0 s"), "{found:#?}");
    assert_eq!((check("fsync").await, check("full_page_writes").await), ("wrong".to_owned(), "good".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_in_the_middle_is_a_finding_among_the_others() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["failed_events"]);
    db.execute("drop table clawback.failed_events").await;
    let (ended, found) = examine(&db.url).await;
    assert_eq!((ended.code, of(&found, "migrations").0, of(&found, "secrets").0), (Some(1), "good", "good"));
    let (level, says) = of(&found, "database");
    assert!(level == "wrong" && says.contains("failed_events") && says.contains("did not run"), "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_never_answers_is_given_up_after_some_seconds() {
    let db = Database::migrated().await;
    let (before, after) = db.url.rsplit_once(':').expect("a port");
    let (port, database) = after.split_once('/').expect("a database");
    let proxy = Proxy::to(port.parse().expect("a number")).await;
    proxy.set(Wire::Mute);
    let url = format!("{before}:{}/{database}", proxy.port);
    let (_, found) = timeout(Duration::from_secs(30), examine(&url)).await.expect("it does not hang");
    assert!(of(&found, "database").1.contains("no answer within 5 s"), "{found:#?}");
    assert!(prints_while_it_waits(&url).await, "findings are printed as they are found");
    let environment = [("DATABASE_URL", url.as_str()), SIGNED];
    let ended = timeout(Duration::from_secs(30), run(&["events", "list"], &environment)).await;
    let ended = ended.expect("it does not hang");
    assert!(ended.code == Some(1) && ended.stderr.contains("no answer within 5 s"), "{ended:?}");
}

/// Whether the doctor prints its first finding while it still waits for the database.
async fn prints_while_it_waits(url: &str) -> bool {
    let mut doctor = tokio::process::Command::new(env!("CARGO_BIN_EXE_clawback"));
    doctor.arg("doctor").env_clear().env("DATABASE_URL", url).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = doctor.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next_line().await.expect("UTF-8").expect("a line");
    first.contains("settings") && child.try_wait().expect("a child").is_none()
}
