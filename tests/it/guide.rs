//! Promise: what the README, the guide and the page for operators show works as it is written there, with the rights that they name.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::bodies::{charge, event};
use crate::dev::Folder;
use crate::harness::{Database, TestApp, until};
use crate::refund_shop::Shop;

pub const README: &str = include_str!("../../README.md");
const GUIDE: &str = include_str!("../../docs/GUIDE.md");
const OPERATIONS: &str = include_str!("../../docs/OPERATIONS.md");
const SQL: &str = include_str!("../../docs/SQL.md");
const DISPUTES: &str = include_str!("../../docs/DISPUTES.md");

/// All code under `<!-- test: name -->` lines of a page.
pub fn blocks(page: &str, name: &str) -> String {
    let mark = format!("<!-- test: {name} -->\n");
    let marked = page.split(&mark).skip(1);
    let blocks: Vec<_> = marked
        .map(|rest| {
            let (_, rest) = rest.split_once('\n').expect("a fence opens");
            rest.split_once("\n```").expect("the fence closes").0
        })
        .collect();
    assert!(!blocks.is_empty(), "no block is marked with {name}");
    blocks.join("\n")
}

/// A shell that finds the binary, and has no environment but this.
pub fn bash(script: &str, environment: &[(&str, &str)]) -> Command {
    let binaries = Path::new(env!("CARGO_BIN_EXE_clawback")).parent().expect("a folder");
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").expect("a path"));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).env_clear().env("PATH", path).envs(environment.iter().copied());
    command
}

async fn receiver_with_stories() -> TestApp {
    let app = TestApp::start().await;
    for story in ["partial-refund", "refund-fails-later", "chargeback-lost", "chargeback-open"] {
        app.live(story, &format!("order-{story}")).await;
    }
    app
}

/// The name and URL of a role that has what `clawback grants ROLE --read --work` prints, and nothing else.
pub async fn consumer_role(db: &Database) -> (String, String) {
    role_with(db, &["--read", "--work"]).await
}

/// The name and URL of a role that has what `clawback grants ROLE` prints with these options, and nothing else.
pub async fn role_with(db: &Database, rights: &[&str]) -> (String, String) {
    let role = format!("consumer_of_{}", db.name);
    let grants = Command::new(env!("CARGO_BIN_EXE_clawback")).args(["grants", &role]).args(rights).output();
    let grants = String::from_utf8(succeeded(grants.expect("the binary runs")).stdout).expect("statements");
    db.execute(&format!("create role {role} login password 'consumer'; {grants}")).await;
    let (_, address) = db.url.rsplit_once('@').expect("a URL with a password");
    let url = format!("postgres://{role}:consumer@{address}");
    (role, url)
}

fn succeeded(output: Output) -> Output {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
    output
}

/// What psql prints for a script, which must not fail.
fn psql(url: &str, script: &str) -> String {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-v", "ON_ERROR_STOP=1", url]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut psql = psql.spawn().expect("psql runs");
    psql.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("psql reads it");
    String::from_utf8(succeeded(psql.wait_with_output().expect("psql ends")).stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refund_of_the_guide_is_requested_and_cancelled_by_a_role_that_may() {
    let app = receiver_with_stories().await;
    app.db.execute("insert into clawback.api_keys (livemode) values (false)").await;
    let (role, url) = role_with(&app.db, &["--refund"]).await;
    let shown = psql(&url, &blocks(GUIDE, "refund"));
    assert!(shown.contains("return-4711 | requested |   1500 | eur"), "{shown}");
    let request = app.db.rows("select state, requested_by, actor from clawback_v1.refund_requests").await.remove(0);
    assert_eq!(request, json!({ "state": "cancelled", "requested_by": role, "actor": role }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sql_of_the_reference_responds_to_a_dispute_with_the_rights_that_it_names() {
    let shop = Shop::open().await;
    let db = &shop.app.db;
    shop.pay("order-1", "12000", "pm_card_createDisputeProductNotReceived").await;
    db.until("select exists (select from clawback_v1.disputes where can_respond)").await;
    let (role, url) = role_with(db, &["--read", "--respond"]).await;
    let folder = Folder::new();
    let files = bash(&blocks(DISPUTES, "sample-files"), &[]).current_dir(&folder.0).output();
    succeeded(files.expect("bash runs"));
    psql(&url, &blocks(SQL, "respond").replace("delivery.pdf`", &format!("{}`", folder.inside("delivery.pdf"))));
    let name = "select files -> 0 ->> 'name' from clawback_v1.dispute_responses";
    assert_eq!(db.value(name).await, "delivery.pdf");
    db.execute("update clawback.evidence_files set pages = 1 where pages is null").await;
    let asked = psql(&url, &blocks(SQL, "respond-submit"));
    assert!(asked.contains("JD0146") && asked.contains("submitted_as_version"), "{asked}");
    db.until("select state = 'submitted' from clawback_v1.dispute_responses").await;
    db.until("select status = 'under_review' from clawback_v1.disputes").await;
    let read = psql(&url, &blocks(SQL, "respond-read"));
    for word in ["order-1", "submitted", "under_review", &role, "response_submitted"] {
        assert!(read.contains(word), "{word} is not in:\n{read}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_errors_of_responding_have_the_codes_of_the_reference() {
    let mut shop = Shop::open().await;
    let expected = ["somebody changed it", "is no evidence field", "cannot be submitted", "is unknown"];
    shop.app.db.expect_errors(&expected);
    let db = &shop.app.db;
    shop.pay("order-1", "12000", "pm_card_createDisputeProductNotReceived").await;
    db.until("select exists (select from clawback_v1.disputes where can_respond)").await;
    let dispute = db.value("select dispute_id from clawback_v1.disputes").await;
    let dispute = dispute.as_str().expect("an ID");
    let (_, listed) = SQL.split_once("| SQLSTATE |").expect("a table of errors");
    for (call, code) in [
        (format!("stage_evidence('{dispute}', '{{}}', 7)"), "CB409"),
        (format!("stage_evidence('{dispute}', '{{\"colour\": \"red\"}}')"), "22023"),
        (format!("submit_evidence('{dispute}')"), "55000"),
        ("submit_evidence('du_unknown')".to_owned(), "P0002"),
    ] {
        let refused = sqlx::query(sqlx::AssertSqlSafe(format!("select clawback_v1.{call}"))).execute(&db.pool).await;
        let refused = refused.expect_err("refused").into_database_error().expect("by the database");
        assert_eq!(refused.code().as_deref(), Some(code), "{call}: {refused}");
        assert!(listed.contains(&format!("| `{code}` |")), "{code} is not in the page");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_psql_session_of_the_guide_runs_and_shows_what_it_says() {
    let app = receiver_with_stories().await;
    let (_, url) = consumer_role(&app.db).await;
    let shown = psql(&url, &blocks(GUIDE, "psql"));
    for word in ["partially_refunded", "disputed", "chargeback", "charged_back", "collect_evidence"] {
        assert!(shown.contains(word), "{word} is not in:\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transaction_of_the_guide_books_and_completes_together_or_not_at_all() {
    let app = receiver_with_stories().await;
    let script = blocks(GUIDE, "transaction");
    let lost = "select clawback_v1.fail_follow_up(:'id', :'lease_token', 'lost', '0 seconds');\nbegin;";
    let told = "select (select count(*) from bookkeeping.losses where amount = 12000) || ' ' || state
                from clawback_v1.follow_ups where kind = 'record_dispute_lost'";
    psql(&app.db.url, &script.replace("begin;", lost));
    assert_eq!(app.db.value(told).await, "0 ready");
    psql(&app.db.url, &script);
    assert_eq!(app.db.value(told).await, "1 done");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_the_readme_takes_the_payment_that_the_readme_sends() {
    let db = Database::empty().await;
    // A role and a database of its own on the server of the tests.
    let name = format!("readme_{}", db.name);
    let (_, address) = db.url.rsplit_once('@').expect("a URL with a password");
    let url = format!("postgres://{name}:password@{}", address.replace(&db.name, &name));
    let mine = |script: &str| script.replace("postgres://clawback:password@localhost/clawback", &format!("'{url}'"));
    let role = ["role clawback", "database clawback", "to clawback"];
    let role =
        role.iter().fold(blocks(README, "role"), |sql, words| sql.replace(words, &words.replace("clawback", &name)));
    psql(&db.url, &role);
    let serve = mine(&blocks(README, "serve")).replace("clawback serve", "exec clawback serve");
    // Ports of its own, on loopback only.
    let here = [("CLAWBACK_LISTEN", "127.0.0.1:0"), ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0")];
    let mut service = bash(&serve, &here).stdout(Stdio::piped()).spawn().expect("bash runs");
    let mut log = BufReader::new(service.stdout.take().expect("a pipe")).lines();
    let listening = log.find_map(|line| line.ok().filter(|line| line.contains("listening on"))).expect("it listens");
    let listening: serde_json::Value = serde_json::from_str(&listening).expect("a line of JSON");
    let address = listening["public"].as_str().expect("an address");
    // Its log has to be read on, or it would stop to write.
    let rest = std::thread::spawn(move || log.for_each(drop));
    let simulate = blocks(README, "simulate").replace("127.0.0.1:8080", address);
    // Until its tables are there, it answers 503.
    until("the payment is taken", async || bash(&simulate, &[]).output().expect("bash runs").status.success()).await;
    let show = mine(&blocks(README, "show"));
    until("the order is disputed", async || {
        let shown = bash(&show, &[]).output().expect("bash runs");
        shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains("disputed")
    })
    .await;
    let stopped = Command::new("kill").args(["-TERM", &service.id().to_string()]).status().expect("kill runs");
    assert!(stopped.success() && service.wait().expect("it is waited for").success());
    rest.join().expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grants_of_the_guide_go_through_psql() {
    let db = Database::migrated().await;
    let mine = |name| blocks(GUIDE, name).replace("billing", "billing_of_the_guide");
    psql(&db.url, &mine("grants-role"));
    succeeded(bash(&mine("grants"), &[("DATABASE_URL", &db.url)]).output().expect("bash runs"));
    let may = "select has_function_privilege('billing_of_the_guide', 'clawback_v1.find(text)', 'execute')";
    assert_eq!(db.value(may).await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_installs_beside_the_tables_of_an_application_with_the_rights_of_the_guide() {
    let db = Database::empty().await;
    db.execute("create table orders (id bigint primary key)").await;
    let names = [("database shop", "database "), ("role clawback", "role beside_"), ("to clawback", "to beside_")];
    let named = |sql: String, (old, new): &(&str, &str)| sql.replace(old, &format!("{new}{}", db.name));
    let rights = names.iter().fold(blocks(GUIDE, "beside"), named);
    psql(&db.url, &rights.replace("shop_app", "shop_app_of_the_guide"));
    let (_, address) = db.url.rsplit_once('@').expect("a URL with a password");
    let url = format!("postgres://beside_{}:change%20me@{address}", db.name);
    succeeded(bash("clawback migrate", &[("DATABASE_URL", &url)]).output().expect("bash runs"));
    let grants = blocks(GUIDE, "beside-grants").replace("shop_app", "shop_app_of_the_guide");
    succeeded(bash(&grants, &[("DATABASE_URL", &url)]).output().expect("bash runs"));
    let url = format!("postgres://shop_app_of_the_guide:change%20me%20too@{address}");
    assert!(psql(&url, "select count(*) as orders from clawback_v1.orders").contains("(1 row)"));
    assert_eq!(db.value("select count(*) from public.orders").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_for_a_failed_event_run_as_the_page_for_operators_prints_them() {
    let app = TestApp::start().await;
    app.see(&[event("evt_bad", 1, &charge("ch_1", json!({ "amount": "many" })))]).await;
    // Without the indentation of its list.
    let commands = blocks(&OPERATIONS.replace("\n   ", "\n"), "failed-event").replace("evt_…", "evt_bad");
    assert!(commands.lines().count() >= 7, "{commands}");
    for command in commands.lines() {
        let shown = succeeded(bash(command, &[("DATABASE_URL", &app.db.url)]).output().expect("bash runs"));
        let shown = String::from_utf8(shown.stdout).expect("text");
        assert!(command.contains(" replay ") || shown.contains("evt_bad"), "{command}: {shown}");
        app.db.settle().await;
    }
    let again = "select count(*) from clawback_v1.actions where action = 'replay' and subject = 'evt_bad'";
    assert_eq!(app.db.value(again).await, 2);
}
