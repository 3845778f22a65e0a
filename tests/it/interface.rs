//! Promise: schema `clawback_v1` tells the truth in every column, is documented, and shows no secret.

use std::process::Command;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::bodies::{charge, dispute, event, intent, refund, session, with};
use crate::harness::{Database, TestApp};
use crate::lively::lively;

/// Columns that hold no two values, and why.
const CONSTANT: [(&str, &str, &str); 3] = [
    ("actions", "role", "the tests act as the owner; tests/it/operators.rs has others"),
    ("refund_requests", "requested_by", "the tests act as the owner; tests/it/operators.rs has others"),
    ("follow_ups", "max_attempts", "the same for all kinds, by design"),
];

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
            "a function whose texts change with standard_conforming_strings, which its caller may set",
            format!(
                r"select p.proname as name {functions} like 'clawback%'
            and strpos(regexp_replace(p.prosrc, 'E''[^'']*''', '', 'g'), chr(92)) > 0"
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
