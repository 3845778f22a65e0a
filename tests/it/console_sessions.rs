//! Promise: a session of the console lives for as long as it is used and no longer than it may, and who logs in, logs out
//! or is refused is recorded.

use std::time::Duration;

use clawback::store::console::{close_session, open_session, record_refused_log_in, session};
use serde_json::{Value, json};

use crate::harness::Database;

const TOKEN: [u8; 32] = [7; 32];
const IDLE: Duration = Duration::from_mins(30);
const LIFE: Duration = Duration::from_hours(12);

async fn opened(db: &Database, token: [u8; 32], person: &str) {
    let mut tx = db.pool.begin().await.expect("a transaction");
    open_session(&mut tx, &token, person, LIFE).await.expect("a session");
    tx.commit().await.expect("it commits");
}

async fn person(db: &Database) -> Option<String> {
    let mut conn = db.pool.acquire().await.expect("a connection");
    session(&mut conn, &[TOKEN], IDLE, true).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_is_idle_when_it_expires_and_at_log_out() {
    let db = Database::migrated().await;
    assert_eq!(person(&db).await, None);
    opened(&db, TOKEN, "anna").await;
    assert_eq!(person(&db).await.as_deref(), Some("anna"));
    db.execute("update clawback.console_sessions set seen_at = now() - interval '29 minutes'").await;
    assert_eq!(person(&db).await.as_deref(), Some("anna"));
    let is_seen = "select seen_at > now() - interval '1 minute' from clawback.console_sessions";
    assert_eq!(db.value(is_seen).await, true, "use is noted");
    db.execute("update clawback.console_sessions set seen_at = now() - interval '31 minutes'").await;
    assert_eq!(person(&db).await, None, "idle");
    db.execute(
        "update clawback.console_sessions
         set seen_at = now(), created_at = now() - interval '12 hours', expires_at = now() - interval '1 second'",
    )
    .await;
    assert_eq!(person(&db).await, None, "expired");
    opened(&db, [8; 32], "boris").await;
    assert_eq!(db.value("select array_agg(person) from clawback.console_sessions").await, json!(["boris"]), "deleted");
    opened(&db, TOKEN, "anna").await;
    let mut conn = db.pool.begin().await.expect("a transaction");
    close_session(&mut conn, &TOKEN).await.expect("it closes");
    close_session(&mut conn, &TOKEN).await.expect("nothing to close");
    conn.commit().await.expect("it commits");
    assert_eq!(person(&db).await, None, "logged out");
    assert_eq!(db.value("select count(*) from clawback_v1.actions where action = 'log_out'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_just_used_is_not_written_again() {
    let db = Database::migrated().await;
    opened(&db, TOKEN, "anna").await;
    db.execute("update clawback.console_sessions set seen_at = now() - interval '50 seconds'").await;
    let row = db.value("select xmin::text || seen_at from clawback.console_sessions").await;
    assert_eq!(person(&db).await.as_deref(), Some("anna"));
    assert_eq!(db.value("select xmin::text || seen_at from clawback.console_sessions").await, row);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_in_log_out_and_refusal_are_recorded_with_the_name() {
    let db = Database::migrated().await;
    opened(&db, TOKEN, "anna").await;
    let mut tx = db.pool.begin().await.expect("a transaction");
    close_session(&mut tx, &TOKEN).await.expect("it closes");
    let long = "\0eve".repeat(100);
    record_refused_log_in(&mut tx, &long, "192.0.2.7").await.expect("it is recorded");
    tx.commit().await.expect("it commits");
    let rows = db
        .rows("select actor = role as of_role, via, action, subject_kind, subject, detail, actor from clawback_v1.actions order by id")
        .await;
    let row = |action: &str, subject: &str, of_role: bool, detail: Value| {
        json!([action, subject, of_role, detail, "console", "session"])
    };
    let seen: Vec<_> = rows
        .iter()
        .map(|r| json!([r["action"], r["subject"], r["of_role"], r["detail"], r["via"], r["subject_kind"]]))
        .collect();
    let cut: String = "eve".repeat(85);
    assert_eq!(
        seen,
        [
            row("log_in", "anna", false, json!({})),
            row("log_out", "anna", false, json!({})),
            row("log_in_refused", &cut, true, json!({ "peer": "192.0.2.7" })),
        ]
    );
    assert_eq!(rows[0]["actor"], "anna");
}
