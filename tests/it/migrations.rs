//! Promise: migrations run over the data of every earlier release, and lose none of it.

use clawback::dev::stories::StoryEvent;
use clawback::store::migrations::{migrator, required_version};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::{Database, TestApp};
use crate::upgrades::{again, state};

/// The last migration of each release, oldest first.
const RELEASED: [i64; 0] = [];
/// The tables that a release leaves data in, referenced tables first.
const TABLES: [&str; 18] = [
    "events",
    "event_payloads",
    "unvouched_events",
    "pending_events",
    "failed_events",
    "replays",
    "actions",
    "settings",
    "orders",
    "payments",
    "payment_objects",
    "refunds",
    "disputes",
    "fraud_warnings",
    "reviews",
    "people",
    "order_history",
    "follow_ups",
];
const SCHEMA: &str = "select table_schema, table_name, column_name, data_type, is_nullable
                      from information_schema.columns where starts_with(table_schema, 'clawback')
                      order by table_schema, table_name, ordinal_position";

#[tokio::test(flavor = "multi_thread")]
async fn migrations_yield_the_same_schema_one_by_one_and_all_at_once() {
    let (stepwise, at_once) = (Database::empty().await, Database::migrated().await);
    for version in 1..=required_version() {
        migrate_to(&stepwise, version).await;
    }
    assert_eq!(stepwise.rows(SCHEMA).await, at_once.rows(SCHEMA).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_each_release_is_migrated_and_corrected_by_a_rebuild() {
    let reference = TestApp::start().await;
    let mut events = Vec::new();
    for story in
        ["partial-refund", "chargeback-lost", "inquiry-escalated", "fraud-warning", "review-open", "two-disputes"]
    {
        events.extend(reference.live(story, &format!("o-{story}")).await);
    }
    reference.command(&["events", "replay", &events[0].id, "--reason", "to leave a trace"]).await;
    reference.db.settle().await;
    let done = "update clawback.follow_ups set state = 'done', finished_at = now() where kind = 'notify_refund'";
    reference.db.execute(done).await;
    let right = state(&reference.db).await;
    for version in RELEASED.into_iter().chain([required_version()]) {
        let db = left_by(version, &reference.db, &events[1]).await;
        migrate_to(&db, required_version()).await;
        let app = TestApp::start_on(db, |_| {}).await;
        app.ready().await;
        app.command(&["rebuild", "--all"]).await;
        app.db.until("select not exists (select from clawback.rebuilds)").await;
        app.db.settle().await;
        for (now, right) in state(&app.db).await.into_iter().zip(&right) {
            assert_eq!(&now, right, "from version {version}");
        }
        assert_eq!(app.db.value("select count(*) from clawback.events where state <> 'processed'").await, 0);
        let kept = app.db.value("select count(*) from clawback_v1.follow_ups where state = 'done'").await;
        assert_eq!(kept, 1, "what was done at version {version}");
        let told = app.db.value("select count(*) from clawback_v1.actions where action = 'replay'").await;
        assert_eq!(told, 1, "who acted at version {version}");
    }
}

/// As on a full disk: Postgres names no better code when it cannot write a file of its own.
const NO_SPACE: &str = "
    create sequence attempts;
    create function fail() returns event_trigger language plpgsql as $$
    begin
        perform nextval('public.attempts');
        raise exception using errcode = 'XX000', message = 'could not write init file';
    end $$;
    create event trigger no_space on ddl_command_start execute function fail()";

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_starts_while_the_disk_is_full_waits_until_it_can_migrate() {
    let mut db = Database::empty().await;
    db.expect_errors(&["could not write init file", "does not exist"]);
    db.execute(NO_SPACE).await;
    let app = TestApp::start_on(db, |_| {}).await;
    app.db.until("select last_value >= 3 from attempts").await;
    app.db.execute("drop event trigger no_space").await;
    app.ready().await;
}

async fn migrate_to(db: &Database, version: i64) {
    let mut conn = PgConnection::connect(&db.url).await.expect("a connection");
    let migrated = migrator().run_direct(Some(version), &mut conn, false).await;
    migrated.unwrap_or_else(|error| panic!("{version}: {error}"));
}

/// A database of that version with the reference's data, as far as it has columns for it, and a pending event.
async fn left_by(version: i64, reference: &Database, waiting: &StoryEvent) -> Database {
    let db = Database::empty().await;
    migrate_to(&db, version).await;
    for table in TABLES {
        copy(table, version, reference, &db).await;
    }
    let body: Value = serde_json::from_str(&again(waiting)).expect("an event");
    sqlx::query(
        "with event as (
             insert into clawback.events (event_id, type, object_id)
             select $1 ->> 'id', $1 ->> 'type', $1 #>> '{data,object,id}' returning event_id, seq
         ), payload as (
             insert into clawback.event_payloads (event_id, payload) select event_id, $1::text from event
         )
         insert into clawback.pending_events (seq, event_id) select seq, event_id from event",
    )
    .bind(Json(body))
    .execute(&db.pool)
    .await
    .expect("an event that waits");
    db
}

async fn columns(table: &str, db: &Database) -> Vec<String> {
    let query = format!(
        "select column_name from information_schema.columns where table_schema = 'clawback' and table_name = '{table}'
             and is_generated = 'NEVER'"
    );
    db.rows(&query).await.iter().map(|row| row["column_name"].as_str().expect("a name").to_owned()).collect()
}

/// Copies the rows of a table, in the columns that both databases have.
async fn copy(table: &str, version: i64, from: &Database, to: &Database) {
    let (known, there) = (columns(table, from).await, columns(table, to).await);
    let both: Vec<String> = there.into_iter().filter(|column| known.contains(column)).collect();
    if both.is_empty() {
        return;
    }
    let rows = from.rows(&format!("select * from clawback.{table}")).await;
    let columns = both.join(", ");
    let insert = format!(
        "insert into clawback.{table} ({columns}) overriding system value
         select {columns} from jsonb_populate_recordset(null::clawback.{table}, $1)"
    );
    let copied = sqlx::query(AssertSqlSafe(insert)).bind(Json(rows)).execute(&to.pool).await;
    copied.unwrap_or_else(|error| panic!("{table} at version {version}: {error}"));
    let counted =
        [("events", "seq"), ("order_history", "id"), ("follow_ups", "id"), ("actions", "id"), ("replays", "id")];
    if let Some((_, column)) = counted.iter().find(|(counted, _)| *counted == table) {
        to.execute(&format!(
            "select setval(pg_get_serial_sequence('clawback.{table}', '{column}'), max({column})) from clawback.{table}"
        ))
        .await;
    }
}
