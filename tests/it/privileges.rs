//! Promise: `clawback grants` gives a role what it needs, and no more.

use std::collections::BTreeSet;
use std::process::Command;
use std::str::FromStr;

use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool};

use crate::bodies::{charge, event, refund};
use crate::harness::{Database, TestApp};

/// The statements that the binary prints.
pub fn grants(role: &str, flags: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_clawback")).arg("grants").arg(role).args(flags).output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A connection as a new role with the privileges that `clawback grants` gives it.
pub async fn role(db: &Database, name: &str, flags: &[&str]) -> PgPool {
    let role = format!("{} {name}", db.name);
    db.execute(&format!("create role \"{}\" login password 'of the tests'", role.replace('"', "\"\""))).await;
    if !flags.is_empty() {
        db.execute(&grants(&role, flags)).await;
    }
    let options = PgConnectOptions::from_str(&db.url).expect("a URL");
    PgPool::connect_with(options.username(&role).password("of the tests")).await.expect("the role may connect")
}

/// Whether the role has the privilege; other errors do not matter here.
async fn may(role: &PgPool, statement: &str) -> bool {
    let denied = |error: sqlx::Error| {
        error
            .as_database_error()
            .is_some_and(|e| e.code().as_deref() == Some("42501") && e.message().starts_with("permission denied"))
    };
    !sqlx::raw_sql(AssertSqlSafe(statement)).execute(role).await.is_err_and(denied)
}

async fn names(db: &Database, query: &str) -> Vec<String> {
    db.rows(query).await.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

/// The views and functions this role may use, found by trying all of them.
async fn usable(db: &Database, role: &PgPool) -> BTreeSet<String> {
    let mut usable = BTreeSet::new();
    for view in names(db, "select relname as name from pg_class where relnamespace = 'clawback_v1'::regnamespace").await
    {
        if may(role, &format!("select * from clawback_v1.{view}")).await {
            usable.insert(view);
        }
    }
    let calls = "select format('%I(%s)', p.proname, (select string_agg(format('null::%s', t::regtype), ', ' order by n)
                            from unnest(p.proargtypes) with ordinality as a (t, n))) as name
                 from pg_proc p where p.pronamespace = 'clawback_v1'::regnamespace";
    for call in names(db, calls).await {
        if may(role, &format!("select clawback_v1.{call}")).await {
            usable.insert(call.split('(').next().unwrap_or_default().to_owned());
        }
    }
    usable
}

/// Including the one function that only reads.
const PAYLOADS: [&str; 2] = ["event_payloads", "payment_people"];
const VIEWS: [&str; 14] = [
    "orders",
    "payments",
    "refunds",
    "disputes",
    "fraud_warnings",
    "reviews",
    "order_history",
    "events",
    "follow_ups",
    "refund_requests",
    "actions",
    "dispute_outcomes",
    "dispute_ratios",
    "find",
];
const WORK: [&str; 11] = [
    "claim_follow_ups",
    "complete_follow_up",
    "fail_follow_up",
    "give_up_follow_up",
    "snooze_follow_up",
    "extend_follow_up",
    "requeue_follow_up",
    "discard_follow_up",
    "link_payment",
    "replay_event",
    "dismiss_warning",
];

/// Including the view that shows the state of a request.
const REFUND: [&str; 4] = ["request_refund", "request_payment_refund", "cancel_refund_request", "refund_requests"];

/// Including the view that shows what is staged.
const RESPOND: [&str; 6] = [
    "stage_evidence",
    "attach_evidence_file",
    "detach_evidence_file",
    "submit_evidence",
    "accept_dispute",
    "dispute_responses",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_flag_grants_what_it_says_and_nothing_else() {
    let mut db = Database::migrated().await;
    db.expect_errors(&[
        "permission denied",
        "claim_follow_ups: ",
        "extend_follow_up: ",
        "link_payment: ",
        "snooze_follow_up: ",
        "discard_follow_up: ",
        "replay_event: ",
        "dismiss_warning: ",
        "give_up_follow_up: ",
        "request_key must",
        "dispute null is unknown",
    ]);
    let everything = [VIEWS.as_slice(), &WORK, &PAYLOADS, &REFUND, &RESPOND].concat();
    // What is in neither list is given to nobody: it is placed here first, then documented and granted.
    let catalogue = usable(&db, &db.pool).await;
    assert_eq!(catalogue, everything.iter().map(|name| (*name).to_owned()).collect(), "the interface");
    let cases: [(&str, &[&str], Vec<&str>); 7] = [
        ("stranger", &[], vec![]),
        ("reader", &["--read"], VIEWS.to_vec()),
        ("worker", &["--work"], WORK.to_vec()),
        ("auditor", &["--payloads"], PAYLOADS.to_vec()),
        ("cashier", &["--refund"], REFUND.to_vec()),
        ("desk", &["--respond"], RESPOND.to_vec()),
        ("all", &["--read", "--work", "--payloads", "--refund", "--respond"], everything),
    ];
    for (name, flags, given) in cases {
        let role = role(&db, name, flags).await;
        assert_eq!(usable(&db, &role).await, given.into_iter().map(str::to_owned).collect(), "{name}");
        for table in names(
            &db,
            "select relname as name from pg_class where relnamespace = 'clawback'::regnamespace and relkind = 'r'",
        )
        .await
        {
            assert!(!may(&role, &format!("select * from clawback.{table}")).await, "{name} reads {table}");
            assert!(!may(&role, &format!("delete from clawback.{table}")).await, "{name} writes {table}");
        }
        for statement in [
            "select clawback.reap_follow_ups()",
            "update clawback_v1.orders set hold = false",
            "delete from clawback_v1.order_history",
            "create table clawback_v1.mine (n int)",
            "create table clawback.mine (n int)",
        ] {
            assert!(!may(&role, statement).await, "{name}: {statement}");
        }
        role.close().await;
    }
}

/// Each role of the documents: what it may use of the interface, and whether it touches private tables.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_and_the_console_use_of_the_interface_what_they_are_given() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["permission denied"]);
    let views = |left_out: &[&str]| -> BTreeSet<String> {
        let of = VIEWS.iter().chain(&["dispute_responses"]).filter(|name| !left_out.contains(name));
        of.map(|name| (*name).to_owned()).collect()
    };
    let service = role(&db, "service", &["--service"]).await;
    assert_eq!(usable(&db, &service).await, views(&["find", "dispute_outcomes", "dispute_ratios"]));
    let console = role(&db, "console", &["--console"]).await;
    assert_eq!(usable(&db, &console).await, BTreeSet::new(), "the console's pages need the other options");
    for table in ["event_payloads", "people", "pending_events", "evidence_files", "follow_ups", "refund_requests"] {
        assert!(!may(&console, &format!("select * from clawback.{table}")).await, "{table}");
        assert!(!may(&console, &format!("delete from clawback.{table}")).await, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_any_name_reads_and_works() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_1", 1, &charge("ch_1", json!({ "metadata": { "order_id": "o-1" } }))),
        event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1" }))),
    ])
    .await;
    app.db.execute(&format!("revoke all on database {} from public", app.db.name)).await;
    for name in ["plain", "Shop \"Ünique\"; drop role postgres --", "back\\slash 'quote' $$ end $$;"] {
        let role = role(&app.db, name, &["--read", "--work"]).await;
        let state: String =
            sqlx::query_scalar("select state from clawback_v1.orders").fetch_one(&role).await.expect("it reads");
        assert_eq!(state, "partially_refunded");
        let claim = "select id from clawback_v1.claim_follow_ups('me', array['notify_refund'])";
        let id: i64 = sqlx::query_scalar(claim).fetch_one(&role).await.expect("it claims");
        let discard = "select clawback_v1.discard_follow_up($1, 'a test')";
        assert!(sqlx::query_scalar::<_, bool>(discard).bind(id).fetch_one(&role).await.expect("it discards"));
        let who = app.db.value("select actor from clawback_v1.actions order by id desc limit 1").await;
        assert_eq!(who, format!("{} {name}", app.db.name));
        app.db
            .execute("update clawback.follow_ups set state = 'ready', finished_at = null where kind = 'notify_refund'")
            .await;
        role.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_require_a_role_and_at_least_one_flag() {
    for arguments in [["grants", "reader"].as_slice(), &["grants", "", "--read"], &["grants", "--read"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_clawback")).args(arguments).output().expect("the binary runs");
        assert!(!output.status.success() && output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    let connect =
        "do $$ begin execute format('grant connect on database %I to %I', current_database(), 'reader'); end $$;";
    let statements = grants("reader", &["--read"]);
    let (first, others) = statements.split_once('\n').expect("statements");
    assert_eq!(first, connect);
    for statement in others.lines() {
        assert!(statement.starts_with("grant ") && statement.ends_with(" to \"reader\";"), "{statement}");
    }
}
