//! Promise: the service runs as a role that owns nothing, cannot change the schema, and has no right that it does not use.
//!
//! Services of all other tests run as that role too ([`crate::harness::SERVICE_ROLE`]).

use std::fs;
use std::path::Path;

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

use crate::binary::run;
use crate::harness::{Database, SERVICE_ROLE, TestApp, options};
use crate::privileges::{grants, role};

async fn tables(db: &Database) -> Vec<String> {
    let tables = "select relname as name from pg_class where relnamespace = 'clawback'::regnamespace and relkind = 'r'";
    db.rows(tables).await.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_the_service_changes_no_schema_and_removes_nothing_that_must_stay() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["permission denied", "must be owner", "must be superuser", "only superuser"]);
    app.live("chargeback-lost", "o-1").await;
    assert_eq!(app.db.value("select state from clawback_v1.orders").await, "charged_back");
    let service = PgPool::connect_with(app.db.service()).await.expect("it connects");
    let who: String = sqlx::query_scalar("select current_user::text").fetch_one(&service).await.expect("a name");
    assert_eq!(who, SERVICE_ROLE);
    let mut statements: Vec<String> = [
        "create table clawback.mine (n int)",
        "create table clawback_v1.mine (n int)",
        "create function clawback.mine() returns int language sql as 'select 1'",
        "create schema mine",
        "create extension pg_trgm",
        "drop schema clawback_v1 cascade",
        "drop view clawback_v1.orders",
        "create or replace view clawback_v1.orders as select 1",
        "drop function clawback_v1.find(text)",
        "alter function clawback_v1.find(text) security invoker",
        "delete from clawback.events",
        "insert into clawback.events (event_id, type) values ('evt_forged', 'charge.refunded')",
        "update clawback.events set type = 'charge.refunded'",
        "update clawback.event_payloads set payload = ''",
        "insert into clawback.event_payloads values ('evt_forged', '{}')",
        "delete from clawback.order_history",
        "update clawback.order_history set amount_paid = 0",
        "delete from clawback.actions",
        "update clawback.actions set actor = 'eve'",
        "insert into clawback.actions (actor, role, via, action, subject_kind, subject) values ('a', 'b', 'sql', 'c', 'd', 'e')",
        "delete from clawback.refund_requests",
        "insert into clawback.console_sessions (token_hash, person) values ('', 'eve')",
        "insert into clawback.migrations values (99, 'x', now(), true, '', 0)",
        "select setval(pg_get_serial_sequence('clawback.order_history', 'id'), 1)",
        "set role pg_write_all_data",
        "copy clawback.events to program 'cat'",
    ]
    .map(str::to_owned)
    .to_vec();
    for table in tables(&app.db).await {
        statements.push(format!("truncate clawback.{table} cascade"));
        statements.push(format!("drop table clawback.{table} cascade"));
        statements.push(format!("alter table clawback.{table} add mine text"));
        statements.push(format!("create index mine on clawback.{table} ((1))"));
        statements.push(format!(
            "create trigger mine before insert on clawback.{table} execute function clawback_v1.find('')"
        ));
        statements.push(format!("alter table clawback.{table} disable trigger all"));
    }
    for statement in statements {
        let refused = sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&service).await.err();
        let code = refused.as_ref().and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {refused:?}");
    }
}

/// The text of all modules with SQL.
fn statements_of(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| if path.is_dir() { statements_of(&path) } else { fs::read_to_string(path).expect("text") })
        .collect()
}

/// Whether an insert into this table updates what is there.
fn replaces(sources: &str, table: &str) -> bool {
    let inserts = sources.split("insert into ").filter(|insert| insert.split([' ', '(']).next() == Some(table));
    inserts.into_iter().any(|insert| insert.contains("do update"))
}

#[test]
fn each_right_of_the_service_is_used_by_a_statement() {
    let sources = statements_of(Path::new("src/store"));
    let words: Vec<&str> = sources.split_whitespace().collect();
    let sources = words.join(" ");
    let uses = |verb: &str, table: &str| {
        let has = |form: &str| {
            sources.match_indices(form).any(|(at, _)| {
                !sources[at + form.len()..].starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
            })
        };
        match verb {
            "select" => has(table),
            "insert" => has(&format!("insert into {table}")),
            "delete" => has(&format!("delete from {table}")),
            // Also to lock rows, and for `on conflict do update`.
            "update" if table == "clawback.event_payloads" => {
                has("from clawback.event_payloads where event_id = any($1) for update")
            }
            "update" => has(&format!("update {table}")) || replaces(&sources, table),
            other => panic!("no statement needs {other}"),
        }
    };
    for statement in grants("service", &["--service"]).lines().filter(|line| line.starts_with("grant ")) {
        let right = statement.trim_start_matches("grant ").split(" to ").next().expect("a right");
        let (verbs, on) = right.rsplit_once(" on ").expect("a right on something");
        if let Some(function) = on.strip_prefix("function ") {
            assert!(sources.contains(function.split_once('(').expect("arguments").0), "{statement}");
        } else if !on.starts_with("schema ") {
            let columns = verbs.split('(').nth(1).and_then(|rest| rest.split(')').next());
            let verbs = columns.map_or(verbs.to_owned(), |columns| verbs.replace(&format!(" ({columns})"), ""));
            for verb in verbs.split(", ") {
                // Views are read by pages, commands and notices.
                assert!(uses(verb, on) || on.starts_with("clawback_v1."), "nothing does {verb} on {on}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_and_commands_have_what_the_documented_roles_of_the_service_have() {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o-1").await;
    let everything = ["--service", "--read", "--work", "--refund", "--respond", "--payloads", "--console"];
    let operator = role(&app.db, "operator", &everything).await;
    let (name, address) = (format!("{} operator", app.db.name), app.db.url.rsplit_once('@').expect("a URL").1);
    operator.close().await;
    let url = format!("postgres://{}:of%20the%20tests@{address}", name.replace(' ', "%20"));
    assert_eq!(options(&url).get_username(), name);
    let doctor = run(&["doctor", "--json"], &[("DATABASE_URL", &url), ("STRIPE_WEBHOOK_SECRETS", "whsec_1")]).await;
    let findings: serde_json::Value = serde_json::from_str(&doctor.stdout).expect("JSON");
    let level = |check: &str| {
        let found = findings.as_array().expect("findings").iter().find(|found| found["check"] == check);
        found.unwrap_or_else(|| panic!("no {check}: {findings}"))["level"].clone()
    };
    for (check, expected) in
        [("privileges", "good"), ("role", "good"), ("search path", "good"), ("consistency", "good")]
    {
        assert_eq!(level(check), json!(expected), "{check}: {findings:#}");
    }
    for command in [
        ["orders", "list"].as_slice(),
        &["orders", "show", "o-1"],
        &["payments", "list"],
        &["events", "list"],
        &["follow-ups", "list"],
        &["refunds", "list"],
        &["disputes", "list"],
        &["rebuild", "--all"],
        &["prune", "--dry-run"],
    ] {
        let ended = run(command, &[("DATABASE_URL", &url)]).await;
        assert_eq!(ended.code, Some(0), "{command:?}: {ended:?}");
    }
}
