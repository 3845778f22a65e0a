//! Promise: schema `clawback_v1` tells the truth in every column, is documented, and shows no secret.

use std::process::Command;

use clawback::dev::stories::{self, Amount, Cast};
use clawback::store;
use clawback::store::responses::{self, Ended, Refused};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::bodies::{charge, dispute, event, event_with, intent, refund, review, session, warning, with};
use crate::harness::{Database, TestApp, tell_with};

/// Columns that hold no two values, and why.
const CONSTANT: [(&str, &str, &str); 3] = [
    ("actions", "role", "the tests act as the owner; tests/it/operators.rs has others"),
    ("refund_requests", "requested_by", "the tests act as the owner; tests/it/operators.rs has others"),
    ("follow_ups", "max_attempts", "the same for all kinds, by design"),
];

/// Requests for refunds in several accounts; Stripe has made some and refused the others.
async fn request_refunds(app: &TestApp) {
    app.db.execute("insert into clawback.api_keys (livemode) values (true), (false)").await;
    for (n, account) in [(1, "acct_1"), (2, "acct_2"), (3, "acct_1"), (4, "acct_2")] {
        let currency = ["usd", "eur"][n % 2];
        let order = json!({ "metadata": { "order_id": format!("returned-{n}") }, "currency": currency });
        let scope = json!({ "account": account, "livemode": n % 2 == 0 });
        let (charge_id, event_id) = (format!("ch_requested_{n}"), format!("evt_requested_{n}"));
        app.see(&[event_with(&event_id, 4, &charge(&charge_id, order), scope.clone())]).await;
        let reason = ["duplicate", "fraudulent"][n % 2];
        app.db
            .execute(&format!(
                "begin; select set_config('clawback.actor', 'person {n}', true);
                 select clawback_v1.request_refund('returned-{n}', 'return-{n}', {n}00, '{reason}'); commit"
            ))
            .await;
        if n <= 2 {
            let metadata = json!({ "clawback_request_key": format!("return-{n}") });
            let made = json!({ "charge": charge_id, "amount": n * 100, "metadata": metadata });
            app.see(&[event_with(&format!("evt_made_{n}"), 5, &refund(&format!("re_requested_{n}"), made), scope)])
                .await;
        } else {
            refuse(app, &format!("return-{n}")).await;
        }
    }
}

async fn refuse(app: &TestApp, key: &str) {
    let id = app.db.value(&format!("select id from clawback_v1.refund_requests where request_key = '{key}'")).await;
    let id = id.as_str().and_then(|id| id.parse().ok()).expect("an id");
    let conn = &mut app.db.pool.acquire().await.expect("a connection");
    let (error, code) = (format!("POST /v1/refunds: 400 for {key}"), Some("charge_disputed"));
    store::refund_requests::refused(conn, id, &error, code).await.expect("recorded");
}

/// Responses to disputes: one submitted, one refused, one announced to be accepted, two drafts.
async fn respond(app: &TestApp) {
    let status = |n: i64| if n == 4 { "warning_needs_response" } else { "needs_response" };
    let reason = |n: i64| if n == 4 { "general" } else { "duplicate" };
    let intended = |n: i64| if n % 2 == 0 { "prefer_smart_disputes" } else { "prefer_manual" };
    let shown = |n: i64| {
        json!({ "charge": format!("ch_respond_{n}"), "amount": 1_000 * n, "reason": reason(n),
        "status": status(n), "intended_submission_method": intended(n),
        "balance_transactions": [{ "id": format!("txn_{n}"), "created": 1, "amount": -1_000 * n, "fee": 1_500, "currency": "eur" }],
        "evidence": { "customer_name": format!("Buyer {n}") },
        "evidence_details": { "due_by": 4_000_000_000_i64 + n, "submission_count": 0, "has_evidence": false, "past_due": false } })
    };
    for n in 1..=6 {
        app.see(&[event(&format!("evt_respond_{n}"), 2, &dispute(&format!("dp_respond_{n}"), shown(n)))]).await;
        let unfinished = if n == 6 { " of <Date>" } else { "" };
        let pdf = format!("convert_to('%PDF-1.4 {n}', 'UTF8')");
        app.db
            .execute(&format!(
                "begin; select set_config('clawback.actor', 'person {n}', true);
                 select clawback_v1.stage_evidence('dp_respond_{n}', '{{\"product_description\": \"kettle {n}{unfinished}\"}}');
                 select clawback_v1.attach_evidence_file('dp_respond_{n}', 'receipt', '{n}.pdf', null, {pdf}); commit"
            ))
            .await;
    }
    app.db
        .until("select not exists (select from clawback.evidence_files where pages is null and unreadable is null)")
        .await;
    app.db
        .execute(
            "update clawback.evidence_files set pages = 1, unreadable = null where dispute_id <> 'dp_respond_5';
             select clawback.refresh_response(dispute_id, phase) from clawback.dispute_responses;
             begin; select set_config('clawback.actor', 'ada', true);
             select clawback_v1.submit_evidence('dp_respond_1'), clawback_v1.submit_evidence('dp_respond_2'); commit;
             select clawback_v1.submit_evidence('dp_respond_4'), clawback_v1.accept_dispute('dp_respond_3', 3000);
             update clawback.dispute_responses set staged_version = version, error = 'why ' || dispute_id,
                 accept_after = now() + interval '1 day' * version where dispute_id in ('dp_respond_4', 'dp_respond_5')",
        )
        .await;
    let conn = &mut app.db.pool.acquire().await.expect("a connection");
    for (dispute, phase, outcome) in [
        ("dp_respond_1", "chargeback", Ok(Ended::Submitted)),
        ("dp_respond_3", "chargeback", Ok(Ended::Accepted)),
        ("dp_respond_2", "chargeback", Err(Some("dispute_evidence_page_limit_exceeded"))),
        ("dp_respond_4", "inquiry", Err(None)),
    ] {
        let response = responses::load(conn, dispute, phase).await.expect("read").expect("a response");
        match outcome {
            Ok(ended) => drop(responses::ended(conn, &response, ended).await.expect("recorded")),
            Err(code) => {
                let error = format!("POST /v1/disputes/{dispute}: 400");
                responses::refused(conn, &response, Refused::Sending, &error, code).await.expect("recorded");
            }
        }
    }
}

/// Answered disputes of one month, two of them won and two lost.
async fn decide_disputes(app: &TestApp) {
    let decided = |(n, status): (i64, &str)| {
        let about = json!({ "charge": format!("ch_decided_{n}"), "status": status, "reason": "duplicate",
            "evidence_details": { "submission_count": 1 } });
        event(&format!("evt_decided_{n}"), n, &dispute(&format!("dp_decided_{n}"), about))
    };
    let events: Vec<String> = (1..).zip(["won", "won", "lost", "lost"]).map(decided).collect();
    app.see(&events).await;
}

/// Every story in several accounts, modes and currencies, and what no story tells.
pub async fn lively() -> TestApp {
    let mut db = Database::migrated().await;
    db.expect_errors(&["no_poison"]);
    let app = TestApp::start_on(db, |_| {}).await;
    for (story, n) in stories::all().iter().zip(0..) {
        for telling in 0..2 {
            let cast = Cast::new(format!("{}-{telling}", story.name), 0);
            let account = [None, Some("acct_1"), Some("acct_2")][(n + telling) % 3].map(str::to_owned);
            let amount = Amount::try_from(10_000 + 1_000 * i64::try_from(telling).expect("small")).expect("in range");
            let currency = ["eur", "usd"][telling].to_owned();
            app.deliver_all(&tell_with(
                story.name,
                Cast { account, amount, currency, livemode: n % 2 == telling, ..cast },
            ))
            .await;
        }
    }
    let late =
        json!({ "id": "txn_late", "created": 1_700_000_000, "amount": -10_000, "fee": 1_500, "currency": "eur" });
    let details = json!({ "past_due": true, "has_evidence": true, "submission_count": 2 });
    let late = json!({ "charge": "ch_late", "evidence_details": details, "balance_transactions": [late] });
    let answered = |method: &str, meant: &str, by: &str| {
        json!({ "charge": "ch_late", "payment_method_details": { "type": method }, "intended_submission_method": meant,
            "evidence_details": { "submission_method": by, "enhanced_eligibility": { by: { "status": "qualified" } } } })
    };
    let waits =
        |reason: &str| json!({ "charge": "ch_late", "amount": 1, "status": "pending", "pending_reason": reason });
    let inquiry = json!({ "charge": "ch_inquiry", "status": "warning_needs_response",
        "payment_method_details": { "type": "klarna" } });
    let lost = json!({ "charge": "ch_part", "amount": 4_000, "status": "lost" });
    // In a batch of its own, so that something that was wanted is not any more.
    app.see(&[event("evt_first", 1, &dispute("dp_over", json!({ "charge": "ch_late" })))]).await;
    app.see(&[event("evt_over", 2, &dispute("dp_over", json!({ "charge": "ch_late", "status": "lost" })))]).await;
    app.see(&[
        event_with("evt_old", 1, &charge("ch_late", json!({})), json!({ "api_version": "2014-01-31" })),
        event("evt_late", 2, &dispute("dp_late", late)),
        event("evt_order", 2, &charge("ch_late", json!({ "metadata": { "order_id": "contested" } }))),
        event("evt_open", 2, &dispute("dp_open", json!({ "charge": "ch_late" }))),
        event("evt_klarna", 2, &dispute("dp_klarna", answered("klarna", "prefer_manual", "manual"))),
        event("evt_paypal", 2, &dispute("dp_paypal", answered("paypal", "prefer_smart_disputes", "smart_disputes"))),
        event("evt_waits", 2, &refund("re_waits", waits("insufficient_funds"))),
        event("evt_waits_2", 2, &refund("re_waits_2", waits("processing"))),
        event("evt_review", 2, &review("prv_late", json!({ "charge": "ch_late", "opened_reason": "manual" }))),
        event("evt_warning", 2, &warning("issfr_1", json!({ "charge": "ch_late" }))),
        event("evt_unreadable", 3, &charge("ch_2", json!({ "amount": -1 }))),
        event("evt_inquiry", 4, &dispute("dp_inquiry", inquiry)),
        event("evt_part", 4, &charge("ch_part", json!({}))),
        event("evt_part_lost", 4, &dispute("dp_part", lost)),
        event("evt_part_warning", 4, &warning("issfr_part", json!({ "charge": "ch_part", "actionable": false }))),
        event("evt_total", 4, &charge("ch_total", json!({ "amount_refunded": 2_500 }))),
        event("evt_unknown", 4, &json!({ "id": "po_1", "object": "payout" })),
    ])
    .await;
    app.db.execute("select clawback_v1.replay_event('evt_late', 'a test')").await;
    app.db.execute("select clawback_v1.link_payment('ch_late', 'contested')").await;
    request_refunds(&app).await;
    respond(&app).await;
    decide_disputes(&app).await;
    let person = "select set_config('clawback.actor', 'ada', true), set_config('clawback.via', 'console', true)";
    let work = "select * from clawback_v1.claim_follow_ups('tester', array['notify_refund'], 1000)";
    let claimed = app.db.rows(work).await;
    for (row, how) in claimed.iter().zip(["complete", "complete", "fail", "discard"]) {
        let (id, token) = (&row["id"], row["lease_token"].as_str().expect("a token"));
        let call = match how {
            "complete" => format!("clawback_v1.complete_follow_up({id}, '{token}', '[{id}]')"),
            "fail" => format!("clawback_v1.fail_follow_up({id}, '{token}', 'no luck')"),
            _ => format!("clawback_v1.discard_follow_up({id}, 'another test')"),
        };
        app.db.begin(&format!("{person}; select {call}")).await.commit().await.expect("a commit");
    }
    // The rest runs out, and is claimed once more.
    app.db.expire_leases().await;
    app.db.execute(&work.replace("tester", "another")).await;
    app.db.execute("alter table clawback.payments add constraint no_poison check (payment_id <> 'ch_poison')").await;
    app.take_in(&[event("evt_poison", 1, &charge("ch_poison", json!({})))]).await;
    for attempts in [1, 2] {
        app.db
            .until(&format!("select attempts >= {attempts} from clawback_v1.events where event_id = 'evt_poison'"))
            .await;
        app.db.execute("update clawback.pending_events set run_at = now()").await;
    }
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_every_view_tells_something() {
    let app = lively().await;
    let columns = app
        .db
        .rows(
            "select table_name as view, column_name as name, data_type = 'boolean' as flag
             from information_schema.columns where table_schema = 'clawback_v1' order by table_name, ordinal_position",
        )
        .await;
    let mut silent = Vec::new();
    for column in &columns {
        let (view, name) = (column["view"].as_str().expect("a view"), column["name"].as_str().expect("a name"));
        let empty = if column["flag"] == true { "''" } else { "'', '0', '{}', '[]'" };
        let values = format!(
            "select count(distinct value) from (select \"{name}\"::text as value from clawback_v1.\"{view}\") v
             where value not in ({empty})"
        );
        if app.db.value(&values).await.as_i64() < Some(2) {
            silent.push((view, name));
        }
    }
    silent.sort_unstable();
    let mut expected = CONSTANT.map(|(view, name, _)| (view, name));
    expected.sort_unstable();
    assert_eq!(silent, expected, "each column needs a story or a hand-made event that fills it");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_public_is_documented_and_safe_to_grant() {
    let db = Database::migrated().await;
    let functions = "from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname";
    let none = [
        (
            "a view without a comment",
            "select c.relname as name from pg_class c
            where c.relnamespace = 'clawback_v1'::regnamespace
            and obj_description(c.oid, 'pg_class') is null"
                .to_owned(),
        ),
        (
            "something that is no view",
            "select c.relname as name from pg_class c
            where c.relnamespace = 'clawback_v1'::regnamespace
            and c.relkind <> 'v'"
                .to_owned(),
        ),
        (
            "a schema without a comment",
            "select n.nspname as name from pg_namespace n
            where n.nspname like 'clawback%' and obj_description(n.oid, 'pg_namespace') is null"
                .to_owned(),
        ),
        (
            "a function without a comment",
            format!(
                "select p.proname as name {functions} = 'clawback_v1'
            and obj_description(p.oid, 'pg_proc') is null"
            ),
        ),
        (
            "a function with its caller's rights",
            format!(
                "select p.proname as name {functions} like 'clawback%'
            and not p.prosecdef"
            ),
        ),
        (
            "a function that trusts the search_path",
            format!(
                "select p.proname as name {functions} like 'clawback%'
            and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)"
            ),
        ),
        (
            "a function for everybody",
            format!(
                "select p.proname as name {functions} like 'clawback%'
            and (p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0))"
            ),
        ),
        (
            // One has an argument and a result column of one name, which plpgsql does not allow.
            "a function in another language than plpgsql",
            format!(
                "select p.proname as name {functions} like 'clawback%' and p.proname <> 'claim_follow_ups'
            and p.prolang <> (select l.oid from pg_language l where l.lanname = 'plpgsql')"
            ),
        ),
        (
            "a relation or schema for everybody",
            "select c.relname as name from pg_class c, aclexplode(c.relacl) a
                where c.relnamespace::regnamespace::text like 'clawback%' and a.grantee = 0
            union all select n.nspname from pg_namespace n, aclexplode(n.nspacl) a
                where n.nspname like 'clawback%' and a.grantee = 0"
                .to_owned(),
        ),
        // Built-in functions leave no dependency.
        (
            "a view that calls a function of ours",
            "select r.ev_class::regclass::text as name from pg_depend d
            join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
            where d.refclassid = 'pg_proc'::regclass and r.ev_class::regclass::text like 'clawback%'"
                .to_owned(),
        ),
        (
            "money that is no bigint, a moment without a zone, or an enum",
            "select table_name || '.' || column_name as name
            from information_schema.columns where table_schema = 'clawback_v1'
              and ((column_name ~ '^amount|^fee$' and data_type <> 'bigint') or (column_name ~ '_at$|_by$'
                and column_name not in ('requested_by', 'staged_by', 'submitted_by')
                and data_type <> 'timestamp with time zone') or data_type = 'USER-DEFINED')"
                .to_owned(),
        ),
    ];
    for (what, query) in none {
        assert_eq!(db.rows(&query).await, Vec::<Value>::new(), "{what}");
    }
    assert!(db.value(&format!("select count(*) {functions} = 'clawback_v1'")).await.as_i64() >= Some(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interface_holds_its_contract() {
    let Ok(contract) = std::env::var("CLAWBACK_CONTRACT") else {
        println!("skipped: CLAWBACK_CONTRACT names no script that holds a database against the contract");
        return;
    };
    let db = Database::migrated().await;
    let output = Command::new("bash").args([&contract, &db.url, "--all"]).output().expect("bash runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_secret_is_shown_and_nothing_else_is_hidden() {
    let app = TestApp::start().await;
    let secret = r#"pi_1_secret_a"b\c"#;
    let body = event("evt_1", 1, &intent("pi_1", json!({ "client_secret": secret, "description": "client_secret" })));
    let spaced = event(
        "evt_2",
        2,
        &session("cs_1", json!({ "client_secret": "cs_secret_1", "nested": [{ "client_secret": "x_secret" }] })),
    )
    .replace("\"client_secret\":", "\"client_secret\" :\n  ");
    let none = event("evt_3", 3, &session("cs_2", json!({ "client_secret": null })));
    app.see(&[body.clone(), spaced.clone(), none.clone()]).await;
    let shown = app.db.rows("select payload from clawback_v1.event_payloads order by event_id").await;
    let masked = |body: &str, secrets: &[&str]| {
        secrets.iter().fold(body.to_owned(), |body, secret| body.replace(&json!(secret).to_string(), "\"***\""))
    };
    let expected = [masked(&body, &[secret]), masked(&spaced, &["cs_secret_1", "x_secret"]), none];
    assert_eq!(shown, expected.map(|payload| json!({ "payload": payload })));
    app.live("paid", "o-1").await;
    let secrets = |table: &str| format!("select count(*) from {table} where payload ~ '_secret_'");
    assert_eq!(app.db.value(&secrets("clawback_v1.event_payloads")).await, 0);
    assert_ne!(app.db.value(&secrets("clawback.event_payloads")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn updated_at_moves_when_something_shown_changes_and_only_then() {
    let app = TestApp::start().await;
    let belongs = json!({ "payment_intent": "pi_1", "metadata": { "order_id": "o-1" } });
    let paid = charge("ch_1", belongs);
    let refunded = refund("re_1", json!({ "charge": "ch_1", "payment_intent": "pi_1" }));
    let lost = dispute(
        "dp_1",
        json!({ "charge": "ch_1", "status": "lost", "amount": 500, "evidence_details": { "due_by": null } }),
    );
    let told = [event("evt_1", 1, &paid), event("evt_2", 2, &refunded), event("evt_3", 3, &lost)];
    app.see(&told).await;
    let before = moments(&app).await;
    app.see(&told).await;
    assert_eq!(moments(&app).await, before, "a repeat");
    // Later snapshots with nothing that is shown: a description, a reference, other words for "no answer allowed".
    let card = json!({ "card": { "case_type": "chargeback" } });
    app.see(&[
        event("evt_4", 4, &with(paid.clone(), json!({ "description": "Kettle", "created": 1_700_000_001 }))),
        event("evt_5", 5, &with(refunded.clone(), json!({ "receipt_number": "1234-5678" }))),
        event(
            "evt_6",
            6,
            &with(lost.clone(), json!({ "evidence_details": { "due_by": 0 }, "payment_method_details": card })),
        ),
        event("evt_7", 7, &intent("pi_1", json!({}))),
        event("evt_8", 8, &session("cs_1", json!({ "payment_intent": "pi_1", "client_reference_id": "o-2" }))),
    ])
    .await;
    assert_eq!(moments(&app).await, before, "nothing that is shown has changed");
    app.see(&[event("evt_9", 9, &with(lost, json!({ "status": "won" })))]).await;
    let won = moments(&app).await;
    assert_eq!((&won["refund"], won["dispute"] != before["dispute"]), (&before["refund"], true));
    assert!(won["payment"] != before["payment"] && won["order"] != before["order"]);
    app.see(&[event("evt_10", 10, &with(refunded, json!({ "status": "failed" })))]).await;
    let failed = moments(&app).await;
    assert_eq!((&failed["dispute"], failed["refund"] != won["refund"]), (&won["dispute"], true));
}

async fn moments(app: &TestApp) -> Value {
    app.db
        .rows(
            r#"select o.updated_at as "order", p.updated_at as payment, r.updated_at as refund, d.updated_at as dispute
               from clawback_v1.orders o, clawback_v1.payments p, clawback_v1.refunds r, clawback_v1.disputes d"#,
        )
        .await
        .remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_by_page_come_in_the_order_of_an_index() {
    let db = Database::migrated().await;
    // Where an index gives the order, nothing is sorted, however small the tables.
    let mut tx = db.begin("set local enable_sort = off; set local enable_seqscan = off").await;
    for list in [
        "payments order by updated_at desc, payment_id",
        "payments where order_id is null order by updated_at desc, payment_id",
        "events order by received_at desc",
        "follow_ups order by id desc",
        "follow_ups where state = 'discarded' order by id desc",
        "order_history where id > 7 order by id",
        "actions order by id desc",
    ] {
        let explain = format!("explain select * from clawback_v1.{list} limit 50");
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_all(&mut *tx).await.expect("a plan");
        assert!(!plan.iter().any(|node| node.contains("Sort  (") || node.contains("Seq Scan")), "{list}: {plan:#?}");
    }
}
