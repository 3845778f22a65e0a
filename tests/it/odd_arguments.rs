//! Promise: whatever a role passes to the functions it may call, it gets an answer or a refusal in a few words, and what it
//! may not see stays unseen.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::bodies::{charge, dispute, event, warning};
use crate::harness::{Database, TestApp};
use crate::privileges::role;

/// Parts of personal data of the events below.
pub const PERSONAL: [&str; 4] = ["ada.secret", "Lovelace", "Threadneedle", "+4420"];

/// A payment with everything personal that Stripe sends, disputed and warned about.
pub async fn personal() -> TestApp {
    let app = TestApp::start().await;
    let address = json!({ "line1": "1 Threadneedle Street", "city": "London", "postal_code": "EC2R", "country": "GB" });
    let billing =
        json!({ "email": "ada.secret@example.com", "name": "Ada Lovelace", "phone": "+4420", "address": address });
    let evidence = json!({ "customer_name": "Ada Lovelace", "customer_email_address": "ada.secret@example.com",
        "billing_address": "1 Threadneedle Street", "shipping_address": "+4420" });
    let details =
        json!({ "due_by": 4_000_000_000_i64, "submission_count": 0, "has_evidence": true, "past_due": false });
    app.see(&[
        event(
            "evt_1",
            1,
            &charge(
                "ch_1",
                json!({ "customer": "cus_1", "billing_details": billing,
            "receipt_email": "ada.secret@example.com", "metadata": { "order_id": "o-1" } }),
            ),
        ),
        event(
            "evt_2",
            2,
            &dispute(
                "dp_1",
                json!({ "charge": "ch_1", "evidence": evidence, "evidence_details": details,
            "status": "needs_response" }),
            ),
        ),
        event("evt_3", 3, &charge("ch_2", json!({ "metadata": { "order_id": "o-2" } }))),
        event("evt_4", 4, &warning("issfr_1", json!({ "charge": "ch_2" }))),
    ])
    .await;
    app.db.execute("insert into clawback.api_keys (livemode) values (true), (false)").await;
    app
}

/// Arguments of each type that somebody may try, as SQL; the first is what most calls pass.
const ODD: &[(&str, &[&str])] = &[
    (
        "text",
        &[
            "'dp_1'",
            "'ch_1'",
            "'o-1'",
            "'evt_1'",
            "null",
            "''",
            "repeat('x', 1048576)",
            "repeat(E'\\n', 300)",
            "'Ω≈ç√ 漢字 🏴‍☠️ \u{202e}'",
            "chr(1) || chr(127)",
            "'''; drop schema clawback cascade --'",
            "'%s %n %I $1 {}'",
        ],
    ),
    (
        "text[]",
        &["'{collect_evidence}'", "null", "'{}'", "'{null}'", "'{{a,b},{c,d}}'", "array_fill('x'::text, array[10000])"],
    ),
    ("bigint", &["1", "null", "0", "-1", "9223372036854775807", "(-9223372036854775808)"]),
    ("integer", &["1", "null", "0", "-1", "2147483647", "(-2147483648)"]),
    ("boolean", &["false", "true", "null"]),
    (
        "interval",
        &[
            "'1 minute'",
            "null",
            "'0'",
            "'-1 second'",
            "'1 mon -29 days'",
            "'178000000 years'",
            "'-178000000 years'",
            "'2562047788:00:54.775807'",
        ],
    ),
    ("timestamptz", &["now()", "null", "'infinity'", "'-infinity'", "'294276-12-31'", "'4713-01-01 BC'"]),
    ("uuid", &["gen_random_uuid()", "null", "'00000000-0000-0000-0000-000000000000'"]),
    (
        "jsonb",
        &[
            r#"'{"product_description": "a hat"}'"#,
            "null",
            "'null'",
            "'[]'",
            "'{}'",
            "'1e400'",
            r#"'{"": null}'"#,
            "jsonb_build_object('uncategorized_text', repeat('x', 1048576))",
            "(repeat('[', 1000) || repeat(']', 1000))::jsonb",
            "(select jsonb_object_agg('field_' || n, n) from generate_series(1, 10000) n)",
            r#"'{"product_description": {"a": [1]}, "duplicate_charge_id": 1e30, "product_kind": true}'"#,
        ],
    ),
    ("bytea", &["'%PDF-1.4'", "null", "''", "decode(repeat('00', 1048576), 'hex')", "'\\xffd8ff'"]),
];

/// Refusals that a caller can act on, and nothing that says more than that an argument cannot be taken.
const REFUSALS: [&str; 12] =
    ["22004", "22003", "22008", "22015", "22023", "22P02", "23505", "40001", "55000", "54001", "P0002", "CB409"];

fn odd(kind: &str) -> &'static [&'static str] {
    let kind = match kind {
        "timestamp with time zone" => "timestamptz",
        other => other,
    };
    ODD.iter().find(|(name, _)| *name == kind).unwrap_or_else(|| panic!("no arguments of type {kind} are tried")).1
}

/// A parameter of a function: its name and type.
type Parameter = (String, String);

/// Each function of the interface with its parameters, from the catalogue.
async fn functions(db: &Database) -> BTreeMap<String, Vec<Parameter>> {
    let functions = "select p.proname as name, (select jsonb_agg(jsonb_build_array(
                p.proargnames[a.n], format_type(a.t, null)) order by a.n)
            from unnest(p.proargtypes) with ordinality as a (t, n)) as parameters
        from pg_proc p where p.pronamespace = 'clawback_v1'::regnamespace";
    let of = |row: serde_json::Value| {
        let parameters = serde_json::from_value(row["parameters"].clone()).expect("names and types");
        (row["name"].as_str().expect("a name").to_owned(), parameters)
    };
    db.rows(functions).await.into_iter().map(of).collect()
}

/// What a call that means it would pass. `claimed`: the id and token of a lease.
fn usual(function: &str, (name, kind): &Parameter, claimed: &(i64, Uuid)) -> String {
    let value = match (name.as_str(), function) {
        ("id", "cancel_refund_request") => "gen_random_uuid()".to_owned(),
        ("id", _) => claimed.0.to_string(),
        ("lease_token", _) => format!("'{}'", claimed.1),
        ("payment_id", _) => "'ch_2'".to_owned(),
        ("order_id", "request_refund") => "'o-2'".to_owned(),
        ("event_id", _) => "'evt_1'".to_owned(),
        ("warning_id", _) => "'issfr_1'".to_owned(),
        ("reason", "request_refund" | "request_payment_refund") | ("version" | "content_type" | "livemode", _) => {
            "null".to_owned()
        }
        ("field", _) => "'receipt'".to_owned(),
        ("confirm_amount", _) => "1000".to_owned(),
        ("until", _) => "(now() + interval '1 hour')".to_owned(),
        _ => odd(kind)[0].to_owned(),
    };
    format!("{value}::{kind}")
}

/// The call that means it, calls with one odd argument each, and one with nothing but null.
fn calls(name: &str, parameters: &[Parameter], claimed: &(i64, Uuid)) -> Vec<String> {
    let call = |arguments: &[String]| format!("select clawback_v1.{name}({})", arguments.join(", "));
    let meant: Vec<String> = parameters.iter().map(|parameter| usual(name, parameter, claimed)).collect();
    let nothing: Vec<String> = parameters.iter().map(|(_, kind)| format!("null::{kind}")).collect();
    let mut calls = vec![call(&meant), call(&nothing)];
    for (place, (_, kind)) in parameters.iter().enumerate() {
        for value in odd(kind) {
            let mut arguments = meant.clone();
            arguments[place] = format!("{value}::{kind}");
            calls.push(call(&arguments));
        }
    }
    calls
}

/// Everything that the caller is shown of an error.
fn shown(error: &sqlx::Error) -> (String, String) {
    let error = error.as_database_error().expect("an answer of the server");
    let error = error.downcast_ref::<sqlx::postgres::PgDatabaseError>();
    let parts = [Some(error.message()), error.detail(), error.hint(), error.r#where()];
    (error.code().to_owned(), parts.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_arguments_are_refused_in_a_few_words_that_show_no_personal_data() {
    let mut app = personal().await;
    // Each call may be refused; what matters is how.
    app.db.expect_errors(&["ERROR:"]);
    let caller = role(&app.db, "caller", &["--read", "--work", "--refund", "--respond"]).await;
    let mut conn = caller.acquire().await.expect("a connection");
    let claim = "select id, lease_token from clawback_v1.claim_follow_ups('me', '{collect_evidence}')";
    let claimed: (i64, Uuid) = sqlx::query_as(claim).fetch_one(&mut *conn).await.expect("claimed");
    let (mut tried, mut refused) = (0, Vec::new());
    for (name, parameters) in functions(&app.db).await {
        for (n, call) in calls(&name, &parameters, &claimed).into_iter().enumerate() {
            tried += 1;
            let is_accepted = try_call(&mut conn, &call).await;
            if n == 0 && !is_accepted {
                refused.push(name.clone());
            }
        }
    }
    // What is meant is taken, so that each odd argument is looked at; there is no file to detach and no draft to submit.
    assert_eq!(refused, ["accept_dispute", "detach_evidence_file", "submit_evidence"], "of {tried} calls");
    assert!(tried > 300, "{tried}");
}

/// Whether the call is accepted. Rolled back, so that each finds the same.
async fn try_call(conn: &mut PgConnection, call: &str) -> bool {
    let mut tx = conn.begin().await.expect("a transaction");
    let outcome = sqlx::raw_sql(AssertSqlSafe(call)).execute(&mut *tx).await;
    tx.rollback().await.expect("rolled back");
    let short: String = call.chars().take(200).collect();
    let Err(error) = outcome else { return true };
    let (code, said) = shown(&error);
    assert!(REFUSALS.contains(&code.as_str()), "{short}: {code} {said}");
    assert!(said.len() < 3_000, "{short}: {} bytes, {}", said.len(), said.chars().take(300).collect::<String>());
    for part in PERSONAL {
        assert!(!said.contains(part), "{short}: {said}");
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_many_roles_at_once_end_and_are_counted_once() {
    let mut app = personal().await;
    app.db.expect_errors(&[
        "is left, and at most",
        "nothing is left",
        "made with other arguments",
        "somebody changed it",
    ]);
    let callers: Vec<PgPool> = vec![
        role(&app.db, "first", &["--work", "--refund", "--respond"]).await,
        role(&app.db, "second", &["--work", "--refund", "--respond"]).await,
    ];
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..24 {
        let pool = callers[n % 2].clone();
        calls.spawn(async move {
            for call in [
                "select clawback_v1.request_payment_refund('ch_2', 'one', 100)",
                "select clawback_v1.stage_evidence('dp_1', '{\"product_description\": \"a hat\"}')",
                "select clawback_v1.dismiss_warning('issfr_1', 'a test')",
                "select count(*) from clawback_v1.claim_follow_ups('me', '{consider_refund,collect_evidence}')",
            ] {
                sqlx::raw_sql(call).execute(&pool).await.expect(call);
            }
        });
    }
    calls.join_all().await;
    app.db.settle().await;
    let requests = "select count(*) from clawback_v1.refund_requests where request_key = 'one'";
    assert_eq!(app.db.value(requests).await, 1);
    assert_eq!(app.db.value("select version from clawback_v1.dispute_responses").await, 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_learns_no_personal_data_by_views_errors_plans_or_statistics() {
    let mut app = personal().await;
    app.db.expect_errors(&["invalid input syntax", "permission denied"]);
    app.db.execute("select clawback_v1.stage_evidence('dp_1', '{\"customer_name\": \"Ada Lovelace\"}')").await;
    app.db.execute("analyze").await;
    let reader = role(&app.db, "reader", &["--read"]).await;
    let mut conn = reader.acquire().await.expect("a connection");
    // Sees each row that passes by, before other conditions if the planner likes.
    let spy = "create temporary table seen (line text);
               create function pg_temp.spy(line text) returns boolean language plpgsql cost 0.0001 as
                   $$begin insert into pg_temp.seen values (line); return true; end$$";
    sqlx::raw_sql(spy).execute(&mut *conn).await.expect("it may");
    for view in views(&app.db).await {
        let rows = format!("select v::text from clawback_v1.{view} v where pg_temp.spy(v::text) and v::text <> ''");
        let Ok(rows) = sqlx::query_scalar::<_, String>(AssertSqlSafe(rows)).fetch_all(&mut *conn).await else {
            continue;
        };
        hides_people(&view, &rows.join("\n"));
        let plan = format!("explain (analyze, verbose) select * from clawback_v1.{view} v where v::text like '%Ada%'");
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(plan)).fetch_all(&mut *conn).await.expect("a plan");
        hides_people(&view, &plan.join("\n").replace("'%Ada%'", ""));
        let cast = format!("select v::text::integer from clawback_v1.{view} v");
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(cast)).execute(&mut *conn).await {
            hides_people(&view, &shown(&error).1);
        }
    }
    let seen: Vec<String> =
        sqlx::query_scalar("select line from pg_temp.seen").fetch_all(&mut *conn).await.expect("rows");
    assert!(seen.len() > 10, "the spy sees rows: {}", seen.len());
    hides_people("the spy", &seen.join("\n"));
    let statistics = "select count(*) from pg_stats where schemaname like 'clawback%'";
    assert_eq!(sqlx::query_scalar::<_, i64>(statistics).fetch_one(&mut *conn).await.expect("readable"), 0);
    let activity = "select string_agg(query, ' ') from pg_stat_activity where usename <> current_user";
    let activity: Option<String> = sqlx::query_scalar(activity).fetch_one(&mut *conn).await.expect("readable");
    hides_people("other sessions", &activity.unwrap_or_default());
}

pub async fn views(db: &Database) -> Vec<String> {
    let views =
        "select relname as name from pg_class where relnamespace = 'clawback_v1'::regnamespace and relkind = 'v'";
    db.rows(views).await.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

fn hides_people(place: &str, text: &str) {
    for part in PERSONAL {
        assert!(!text.contains(part), "{place} shows {part}: {}", text.chars().take(500).collect::<String>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_locks_out_nobody_but_migrations() {
    let mut app = personal().await;
    app.db.expect_errors(&["permission denied", "must be"]);
    let reader = role(&app.db, "reader", &["--read"]).await;
    for view in views(&app.db).await {
        for mode in ["row share", "row exclusive", "share", "exclusive", "access exclusive"] {
            let lock = format!("begin; lock table clawback_v1.{view} in {mode} mode; rollback");
            let mut conn = reader.acquire().await.expect("a connection").detach();
            // Postgres 14 and 15 grant the weakest to whoever may read.
            let is_granted = sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut conn).await.is_ok();
            assert!(!is_granted || mode == "row share", "{view} in {mode}");
        }
    }
    for statement in [
        "select * from clawback_v1.orders for update",
        "set session authorization clawback_service",
        "set role clawback_service",
        "set role pg_read_all_data",
        "set session_replication_role = replica",
        "copy clawback_v1.orders to '/tmp/orders'",
        "alter view clawback_v1.orders set (security_invoker = true)",
        "create trigger mine instead of insert on clawback_v1.orders execute function clawback_v1.find('x')",
    ] {
        assert!(sqlx::raw_sql(AssertSqlSafe(statement)).execute(&reader).await.is_err(), "{statement}");
    }
}
