//! Promise: after an erasure no personal data of a payment is left anywhere in the database, and a rebuild changes no
//! row.

use serde_json::{Value, json};

use crate::binary;
use crate::bodies::{charge, event, event_with, refund, session};
use crate::harness::{Database, TestApp, until};
use crate::upgrades::rebuilt;

/// What is searched for: of the payer that the tests invent, and of everything that they have people write.
const SECRETS: [&str; 3] = ["lovelace", "ada@", "cus_ada"];

/// Tables of the service itself, that change while it runs.
const RESTLESS: &str =
    "'processors', 'rebuilds', 'retention', 'syncs', 'api_accounts', 'console_sessions', '_sqlx_migrations'";

/// Every row of every table, as text. New tables are found by themselves.
async fn dump(db: &Database) -> Vec<(String, Vec<Value>)> {
    let tables = format!(
        "select relname as name from pg_class where relnamespace = 'clawback'::regnamespace and relkind = 'r'
         and relname not in ({RESTLESS}) order by 1"
    );
    let mut dump = Vec::new();
    for table in db.rows(&tables).await {
        let name = table["name"].as_str().expect("a name").to_owned();
        let rows = format!("select to_jsonb(t) as row from clawback.{name} t order by to_jsonb(t)::text");
        dump.push((name, db.rows(&rows).await));
    }
    assert!(dump.len() > 15, "{} tables", dump.len());
    dump
}

/// The tables in which one of these texts is, as text or as bytes.
async fn with(db: &Database, secrets: &[&str]) -> Vec<String> {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let texts: Vec<String> = secrets.iter().flat_map(|text| [text.to_lowercase(), hex(text)]).collect();
    let found = |rows: &[Value]| {
        let rows = json!(rows).to_string().to_lowercase();
        texts.iter().any(|text| rows.contains(text.as_str()))
    };
    dump(db).await.into_iter().filter(|(_, rows)| found(rows)).map(|(name, _)| name).collect()
}

fn differing(before: &[(String, Vec<Value>)], after: &[(String, Vec<Value>)]) -> Vec<String> {
    let pairs = before.iter().zip(after).filter(|(before, after)| before != after);
    pairs.map(|((name, before), (_, after))| format!("{name}\n{}\n{}", json!(before), json!(after))).collect()
}

/// Nothing changes when everything is derived again, from bodies alone or not.
async fn assert_rebuilds_change_nothing(app: &TestApp) {
    let before = dump(&app.db).await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(app).await;
    let changed = differing(&before, &dump(&app.db).await);
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

fn payer() -> Value {
    json!({ "customer": "cus_ada", "receipt_email": "ada@lovelace.example",
        "billing_details": { "email": "ada@lovelace.example", "name": "Ada Lovelace", "phone": "Lovelace 7" },
        "description": "for Ada Lovelace", "shipping": { "name": "Ada Lovelace" } })
}

fn order(id: &str) -> Value {
    json!({ "metadata": { "order_id": id, "buyer": "Ada Lovelace", "clawback_request": "kept" } })
}

/// A payment with a refund, a session, a lost dispute with evidence, an event that no reader reads, one that fails, one
/// of the other mode, and what people wrote about all of that.
async fn ada(app: &TestApp, order_id: &str) {
    let metadata = order(order_id);
    let of = |object: Value| crate::bodies::with(crate::bodies::with(object, payer()), metadata.clone());
    let lost = json!({ "charge": "ch_1", "status": "lost", "evidence": { "customer_name": "Ada Lovelace" } });
    app.see(&[
        event("evt_1", 1, &of(charge("ch_1", json!({ "amount_refunded": 300 })))),
        event("evt_2", 2, &of(refund("re_1", json!({ "charge": "ch_1", "amount": 300 })))),
        event(
            "evt_3",
            3,
            &session(
                "cs_1",
                json!({ "charge": "ch_1", "client_reference_id": order_id,
            "customer_details": { "email": "ada@lovelace.example", "name": "Ada Lovelace" } }),
            ),
        ),
        event("evt_4", 4, &crate::bodies::dispute("dp_1", lost)),
        event("evt_5", 5, &json!({ "id": "cus_1", "object": "customer", "email": "ada@lovelace.example" })),
        event("evt_6", 6, &of(charge("ch_1", json!({ "amount": "Lovelace" })))),
    ])
    .await;
    app.db
        .execute(&format!(
            "insert into clawback.unvouched_events (event_id, type, livemode, object_id, payload)
             select 'evt_other', 'charge.updated', true, 'ch_1', payload
             from clawback.event_payloads where event_id = 'evt_1';
             insert into clawback.dispute_responses
                 (dispute_id, phase, account, livemode, state, version, fields, held, letter, baseline, error,
                  submitted_at)
             values ('dp_1', 'chargeback', '', false, 'submitted', 1,
                 '{{\"customer_name\": \"Ada Lovelace\", \"product_kind\": \"digital\"}}',
                 '{{\"customer_email_address\": \"ada@lovelace.example\"}}', 'Ada Lovelace bought it', 0,
                 'Ada Lovelace is no e-mail address', now());
             insert into clawback.evidence_files
                 (dispute_id, phase, field, name, content_type, content, bytes, sha256, pages)
             values ('dp_1', 'chargeback', 'receipt', 'ada-lovelace.pdf', 'application/pdf',
                 convert_to('%PDF Ada Lovelace', 'UTF8'), 17, 'x', 1);
             update clawback.follow_ups set last_error = 'Ada Lovelace has no mailbox',
                 result = '{{\"to\": \"ada@lovelace.example\"}}';
             insert into clawback.api_calls (kind, subject, account, livemode, last_error)
             values ('stage', 'dp_1/chargeback', '', false, 'ada@lovelace.example is no address');
             insert into clawback.refund_requests
                 (id, request_key, order_id, payment_id, source_id, account, livemode, currency, amount, state, error)
             values (gen_random_uuid(), '{order_id}/1', '{order_id}', 'ch_1', 'ch_1', '', false, 'eur', 1, 'failed',
                 'Ada Lovelace');
             select clawback_v1.replay_event('evt_2', 'Ada Lovelace asked');
             select clawback_v1.link_payment('ch_1', '{order_id}')"
        ))
        .await;
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_holds_personal_data_afterwards_and_rebuilds_change_nothing() {
    let app = TestApp::start().await;
    ada(&app, "o-1").await;
    app.live("partial-refund", "o-2").await;
    let others = app.db.rows("select * from clawback_v1.payment_people where payment_id <> 'ch_1'").await;
    let tables = with(&app.db, &SECRETS).await;
    let all = [
        "actions",
        "api_calls",
        "dispute_responses",
        "event_payloads",
        "evidence_files",
        "follow_ups",
        "payments",
        "people",
        "refund_requests",
        "refunds",
        "replays",
        "unvouched_events",
    ];
    assert_eq!(tables, all, "each of them is searched");
    let ledger = "select event_id, state, payment_id, last_error from clawback.events order by 1";
    let (orders, events) =
        (app.db.rows("select * from clawback_v1.orders order by 1").await, app.db.rows(ledger).await);
    let erased = app.json(&["erase", "--email", "ADA@lovelace.example", "--customer", "cus_ada", "--yes"]).await;
    assert_eq!(with(&app.db, &SECRETS).await, Vec::<String>::new());
    assert_eq!(app.db.rows("select * from clawback_v1.orders order by 1").await, orders);
    assert_eq!(app.db.rows(ledger).await, events, "duplicates are still recognised");
    assert_eq!(app.db.rows("select * from clawback_v1.payment_people").await, others, "others are not touched");
    let kept = app.db.value("select metadata from clawback_v1.refunds where refund_id = 're_1'").await;
    assert_eq!(kept, json!({ "order_id": "o-1", "clawback_request": "kept" }));
    assert_eq!((&erased["payments"], &erased["dry_run"]), (&json!(1), &json!(false)), "{erased}");
    assert_rebuilds_change_nothing(&app).await;
    // Read again, the bodies bring nobody back.
    app.command(&["events", "replay", "evt_1", "--reason", "to try"]).await;
    app.db.settle().await;
    assert_eq!(with(&app.db, &SECRETS).await, Vec::<String>::new());
    let recorded =
        app.db.rows("select subject_kind, subject, detail from clawback_v1.actions where action = 'erase'").await;
    assert_eq!(recorded.len(), 1);
    assert_eq!((&recorded[0]["subject"], &recorded[0]["detail"]["payments"]), (&json!("ch_1"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_of_every_story_are_the_same_when_they_are_derived_from_what_is_left() {
    let app = TestApp::start().await;
    let stories = [
        "partial-refund",
        "refund-fails-later",
        "chargeback-won",
        "chargeback-lost",
        "inquiry-closed",
        "fraud-warning",
    ];
    for story in stories {
        app.live(story, story).await;
    }
    let people = app.db.rows("select distinct email, name, customer_id from clawback.people").await;
    let values =
        people.iter().flat_map(|person| ["email", "name"].map(|field| person[field].as_str().unwrap_or("none")));
    let values: Vec<&str> = values.filter(|value| *value != "none").collect();
    assert!(values.len() > 3 && with(&app.db, &values).await.len() > 1, "{values:?}");
    let orders: Vec<&str> = stories.iter().flat_map(|story| ["--order", story]).collect();
    let erased = app.json(&[&["erase", "--yes"][..], &orders].concat()).await;
    assert_eq!(erased["payments"], stories.len());
    assert_eq!(with(&app.db, &values).await, Vec::<String>::new());
    assert_rebuilds_change_nothing(&app).await;
    // From the bodies alone: the documents were made by other rules.
    let before = crate::upgrades::state(&app.db).await;
    app.db.execute("update clawback.payments set rules = 0, facts = '{}'").await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(crate::upgrades::state(&app.db).await, before);
    let told = app.attempt(&["doctor"]).await.stdout;
    assert!(told.contains("good     consistency") && told.contains("good     objects"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_and_an_erasure_that_is_not_confirmed_change_nothing() {
    let app = TestApp::start().await;
    ada(&app, "o-1").await;
    let before = dump(&app.db).await;
    let rehearsed = app.json(&["erase", "--order", "o-1", "--dry-run"]).await;
    let refused = app.attempt(&["erase", "--order", "o-1"]).await;
    assert_eq!((refused.code, refused.stderr.contains("--yes")), (Some(2), true), "{}", refused.stderr);
    let unknown = app.attempt(&["erase", "--order", "o-9", "--yes"]).await;
    assert_eq!(unknown.code, Some(1), "{}", unknown.stderr);
    let changed = differing(&before, &dump(&app.db).await);
    assert!(changed.is_empty(), "{}", changed.join("\n"));
    let mut erased = app.json(&["erase", "--order", "o-1", "--yes"]).await;
    erased["dry_run"] = json!(true);
    assert_eq!(erased, rehearsed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_reference_is_replaced_everywhere() {
    let app = TestApp::start().await;
    ada(&app, "ada@lovelace.example").await;
    let (columns, orders) = ("state, currency, amount_paid, amount_refunded, amount_lost", "clawback_v1.orders");
    let before = app.db.rows(&format!("select {columns} from {orders}")).await;
    let history = app.db.value("select count(*) from clawback_v1.order_history where order_id is not null").await;
    let names = ["--order", "ada@lovelace.example", "--email", "ada@lovelace.example", "--customer", "cus_ada"];
    app.command(&[&["erase", "--yes", "--replace-reference", "o-77"][..], &names].concat()).await;
    assert_eq!(with(&app.db, &SECRETS).await, Vec::<String>::new());
    assert_eq!(app.db.rows(&format!("select {columns} from {orders} where order_id = 'o-77'")).await, before);
    let now = "select count(*) from clawback_v1.order_history where order_id = 'o-77'";
    assert_eq!(app.db.value(now).await, history);
    assert_rebuilds_change_nothing(&app).await;
    assert_eq!(app.attempt(&["erase", "--order", "o-77", "--replace-reference", "o-77", "--yes"]).await.code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_an_open_dispute_needs_is_erased_by_force_only() {
    let app = TestApp::start().await;
    let shown = json!({ "charge": "ch_1", "status": "needs_response", "evidence": { "customer_name": "Ada Lovelace" },
        "evidence_details": { "due_by": 4_000_000_000_i64 } });
    let of = crate::bodies::with(charge("ch_1", payer()), order("o-1"));
    app.see(&[event("evt_1", 1, &of), event("evt_2", 2, &crate::bodies::dispute("dp_1", shown))]).await;
    app.db
        .execute(
            "select clawback_v1.stage_evidence('dp_1', '{\"uncategorized_text\": \"Ada Lovelace bought it\"}');
             select clawback_v1.attach_evidence_file('dp_1', 'receipt', 'ada@.pdf', null,
                 convert_to('%PDF-1.4', 'UTF8'))",
        )
        .await;
    app.db.until("select bool_and(unreadable is not null) from clawback.evidence_files").await;
    let before = dump(&app.db).await;
    let refused = app.attempt(&["erase", "--order", "o-1", "--yes"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("open dispute") && refused.stderr.contains("--force"), "{}", refused.stderr);
    let changed = differing(&before, &dump(&app.db).await);
    assert!(changed.is_empty(), "{}", changed.join("\n"));
    app.command(&["erase", "--order", "o-1", "--yes", "--force"]).await;
    assert_eq!(with(&app.db, &SECRETS).await, Vec::<String>::new());
    assert_eq!(app.db.value("select state from clawback_v1.dispute_responses").await, "draft");
    assert_rebuilds_change_nothing(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_was_killed_goes_on_when_it_is_run_again() {
    let app = TestApp::start().await;
    for n in 1..=3 {
        let of = crate::bodies::with(charge(&format!("ch_{n}"), payer()), order(&format!("o-{n}")));
        app.see(&[event(&format!("evt_{n}"), n, &of)]).await;
    }
    let held = app.db.begin("select from clawback.payments where payment_id = 'ch_2' for update").await;
    let arguments = ["erase", "--email", "ada@lovelace.example", "--yes"];
    let mut child = binary::command(&arguments, &[("DATABASE_URL", &app.db.url)]).spawn().expect("the binary runs");
    app.db.until("select exists (select from clawback.erased_payments)").await;
    child.kill().await.expect("it is there");
    held.rollback().await.expect("the row is given back");
    let of = "select array_agg(payment_id order by payment_id) from clawback.erased_payments";
    assert_eq!(app.db.value(of).await, json!(["ch_1"]));
    assert_eq!(app.json(&arguments).await["payments"], 2, "only what is left");
    assert_eq!(app.db.value(of).await, json!(["ch_1", "ch_2", "ch_3"]));
    assert_eq!(with(&app.db, &["lovelace"]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_later_is_named_by_doctor_and_erased_by_running_it_again() {
    let app = TestApp::start().await;
    ada(&app, "o-1").await;
    app.command(&["erase", "--email", "ada@lovelace.example", "--customer", "cus_ada", "--yes"]).await;
    assert_eq!(app.json(&["erase", "--again", "--yes"]).await["payments"], 0);
    let late = crate::bodies::with(charge("ch_1", payer()), order("o-1"));
    app.see(&[event_with("evt_7", 7, &late, json!({}))]).await;
    let told = app.attempt(&["doctor"]).await.stdout;
    assert!(told.contains("clawback erase --again"), "{told}");
    assert_eq!(app.json(&["erase", "--again", "--yes"]).await["payments"], 1);
    assert_eq!(with(&app.db, &SECRETS).await, Vec::<String>::new());
    assert!(!app.attempt(&["doctor"]).await.stdout.contains("clawback erase --again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_wait_are_processed_before_their_payment_is_erased() {
    let app = TestApp::start().await;
    let of = |at: i64| event(&format!("evt_{at}"), at, &crate::bodies::with(charge("ch_1", payer()), order("o-1")));
    app.see(&[of(1)]).await;
    let held = app.db.hold_batches().await;
    app.take_in(&[of(2)]).await;
    let refused = app.attempt(&["erase", "--order", "o-1", "--yes"]).await;
    assert!(refused.stderr.contains("not processed yet"), "{}", refused.stderr);
    held.commit().await.expect("a commit");
    app.db.settle().await;
    until("it is erased", async || app.attempt(&["erase", "--order", "o-1", "--yes"]).await.code == Some(0)).await;
    assert_eq!(with(&app.db, &["lovelace"]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_about_no_payment_is_waited_for_until_it_is_processed() {
    let app = TestApp::start().await;
    let held = app.db.hold_batches().await;
    app.take_in(&[event("evt_1", 1, &json!({ "id": "cus_1", "object": "customer", "email": "ada@lovelace.example" }))])
        .await;
    app.db.execute("update clawback.pending_events set run_at = now() + interval '1 hour'").await;
    held.commit().await.expect("a commit");
    let looked = "select exists (select from pg_stat_activity where pid <> pg_backend_pid()
                  and datname = current_database() and query like '%pending_events where event_id = any%')";
    let (erased, ()) = tokio::join!(app.attempt(&["erase", "--email", "ada@lovelace.example", "--yes"]), async {
        app.db.until(looked).await;
        app.db.execute("update clawback.pending_events set run_at = now()").await;
    });
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(with(&app.db, &SECRETS).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_found_in_the_metadata_of_a_refund_whose_body_was_removed() {
    let app = TestApp::start().await;
    let metadata = json!({ "charge": "ch_1", "metadata": { "for": "Ada@Lovelace.example" } });
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &refund("re_1", metadata))]).await;
    app.db
        .execute(
            "delete from clawback.event_payloads;
             update clawback.payments set pruned = true",
        )
        .await;
    assert_eq!(app.json(&["erase", "--email", "ada@lovelace.example", "--yes"]).await["payments"], 1);
    assert_eq!(with(&app.db, &SECRETS).await, Vec::<String>::new());
    assert_rebuilds_change_nothing(&app).await;
}

/// A payment of another order, by somebody whose address has the same end.
async fn neighbour(app: &TestApp) {
    let payer = json!({ "customer": "cus_ada_2", "receipt_email": "hada@lovelace.example.org", "amount": 12,
        "billing_details": { "email": "joada@lovelace.example", "name": "Somebody Else" } });
    app.see(&[event("evt_9", 9, &crate::bodies::with(charge("ch_9", payer), order("o-9 o-1 1 12")))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_longer_address_or_id_is_somebody_else() {
    let app = TestApp::start().await;
    ada(&app, "1").await;
    neighbour(&app).await;
    let erased = app.json(&["erase", "--email", "ada@lovelace.example", "--customer", "cus_ada", "--yes"]).await;
    assert_eq!(erased["payments"], 1);
    assert!(!with(&app.db, &["somebody else", "joada@lovelace.example", "cus_ada_2"]).await.is_empty());
    assert_eq!(app.db.value("select count(*) from clawback.people where object_id = 'ch_9'").await, 1);
    for typo in [["--email", "lovelace"], ["--customer", "ada"]] {
        assert_eq!(app.attempt(&[&["erase", "--yes"], &typo[..]].concat()).await.code, Some(2), "{typo:?}");
    }
    let typo = app.attempt(&["erase", "--order", "1", "--order", "o-typo", "--yes"]).await;
    assert!(typo.code == Some(1) && typo.stderr.contains("o-typo"), "{}", typo.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_reference_is_replaced_where_it_is_one_and_nowhere_else() {
    let app = TestApp::start().await;
    ada(&app, "1").await;
    neighbour(&app).await;
    let others = "select to_jsonb(t) as row from (select * from clawback.event_payloads where event_id = 'evt_9') t
                  union all select to_jsonb(p) from clawback.payments p where payment_id = 'ch_9'";
    let before = app.db.rows(others).await;
    let erased = app.json(&["erase", "--order", "1", "--replace-reference", "anon", "--yes"]).await;
    assert_eq!(erased["payments"], 1);
    assert_eq!(app.db.rows(others).await, before);
    assert_eq!(app.db.value("select order_id from clawback_v1.payments where payment_id = 'ch_1'").await, "anon");
    assert_rebuilds_change_nothing(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_found_however_json_writes_it() {
    let app = TestApp::start().await;
    let body = |id: &str, email: &str| {
        let object = format!(r#"{{"id":"cus_1","object":"customer","email":"{email}","note":"of\n{email}."}}"#);
        format!(r#"{{"id":"{id}","type":"customer.updated","created":1,"data":{{"object":{object}}}}}"#)
    };
    let forms = [r"J\u00fcrgen\u0040ex\u00e4mple.com", "Jürgen@exämple.com"];
    app.see(&[body("evt_1", forms[0]), body("evt_2", forms[1])]).await;
    let erased = app.json(&["erase", "--email", "jürgen@exämple.com", "--yes"]).await;
    assert_eq!(erased["bodies"], 2);
    assert_eq!(with(&app.db, &["mple.com"]).await, Vec::<String>::new());
}
