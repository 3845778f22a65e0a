//! Promise: a role with `clawback grants … --console` can do what the console does, and its word is taken for who acts.

use clawback::desk::{checklist, draft, preview};
use clawback::evidence::Policy;
use clawback::store::queries::{self, DisputeFilter, EventFilter, OrderFilter, Page, PaymentFilter, Via};
use clawback::store::{console, gauges, health, overview, responses, syncs};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use crate::harness::{Database, TestApp};
use crate::privileges::role;

const PAGE: Page = Page::first(50);
const PAGES: &[&str] = &["--read", "--work", "--refund", "--respond", "--console"];

/// The dispute of a service that has one, with a draft.
async fn disputed() -> (TestApp, String) {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o-1").await;
    app.live("paid", "o-2").await;
    let dispute = app.db.value("select dispute_id from clawback_v1.disputes").await;
    let dispute = dispute.as_str().expect("a dispute").to_owned();
    app.db
        .execute(&format!("select clawback_v1.stage_evidence('{dispute}', '{{\"product_description\": \"a hat\"}}')"))
        .await;
    (app, dispute)
}

/// Everything that pages read without personal data.
async fn read_pages(conn: &mut PgConnection, dispute: &str) -> sqlx::Result<()> {
    let found = queries::dispute(conn, dispute).await?.expect("the dispute");
    queries::disputes(conn, &DisputeFilter::default(), &PAGE).await?;
    queries::why_closed(conn, dispute).await?;
    queries::called_for(conn, found.reason.as_deref(), None).await?;
    queries::page_limit(conn, dispute, &found.phase).await?;
    queries::dispute_actions(conn, dispute).await?;
    queries::story(conn, "o-1").await?.expect("the order");
    queries::orders(conn, &OrderFilter::default(), &PAGE).await?;
    queries::payments(conn, &PaymentFilter::default(), &PAGE).await?;
    queries::objects_of_order(conn, "o-1").await?;
    queries::events(conn, &EventFilter::default(), &PAGE).await?;
    queries::event_counts(conn).await?;
    queries::outcomes(conn, OffsetDateTime::UNIX_EPOCH).await?;
    queries::ratios(conn, OffsetDateTime::UNIX_EPOCH).await?;
    gauges::read(conn).await?;
    overview::read(conn).await?;
    health::backlog(conn).await?;
    health::schema_version(conn).await?;
    syncs::age(conn).await.map(drop)
}

/// What pages read for those who respond.
async fn read_response(conn: &mut PgConnection, dispute: &str) -> sqlx::Result<()> {
    let response = queries::response(conn, dispute, None).await?.expect("the draft");
    responses::load(conn, dispute, &response.phase).await?.expect("the draft");
    queries::answers(conn, &[dispute.to_owned()]).await?.first().expect("the draft");
    responses::files(conn, dispute, &response.phase).await?;
    let of = queries::dispute(conn, dispute).await?.expect("the dispute");
    checklist::needs(conn, &of, Some(&response)).await?.expect("it may");
    checklist::limits(conn, &response).await?.most_pages.expect("it may");
    preview::preview(conn, &of, &response).await.map(drop)
}

async fn console(db: &Database, name: &str, flags: &[&str]) -> PgPool {
    role(db, name, &[PAGES, flags].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_reads_all_pages_with_its_grants() {
    let (app, dispute) = disputed().await;
    let pool = console(&app.db, "console", &["--payloads"]).await;
    let mut conn = pool.begin().await.expect("a transaction");
    read_pages(&mut conn, &dispute).await.expect("the pages");
    read_response(&mut conn, &dispute).await.expect("the response");
    let event = queries::events(&mut conn, &EventFilter::default(), &PAGE).await.expect("events").remove(0);
    queries::payload(&mut conn, &event.event_id).await.expect("it may").expect("a body");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_fills_a_draft_with_its_grants() {
    let (app, dispute) = disputed().await;
    let pool = console(&app.db, "console", &["--payloads"]).await;
    let mut tx = pool.begin().await.expect("a transaction");
    let of = queries::dispute(&mut tx, &dispute).await.expect("it may").expect("the dispute");
    let response = queries::response(&mut tx, &dispute, None).await.expect("it may");
    let today = OffsetDateTime::UNIX_EPOCH.date();
    let found = draft::find(&mut tx, &of, response.as_ref(), &Policy::default(), today).await.expect("a draft");
    queries::act_as(&mut tx, Some("anna"), Via::Console).await.expect("it may");
    let version = response.map_or(0, |response| response.version);
    draft::stage(&mut tx, &of, &found, version, draft::By::Person).await.expect("it is staged");
    clawback::store::desk::dry_run(&mut tx, &dispute, &of.phase).await.expect("it may");
    tx.commit().await.expect("it commits");
    let by = app.db.value("select staged_by from clawback_v1.dispute_responses").await;
    assert_eq!(by, "anna");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_without_payloads_shows_no_personal_data() {
    let (mut app, dispute) = disputed().await;
    app.db.expect_errors(&["permission denied"]);
    let pool = console(&app.db, "console", &[]).await;
    let mut conn = pool.acquire().await.expect("a connection");
    read_pages(&mut conn, &dispute).await.expect("the pages");
    for table in
        ["clawback_v1.event_payloads", "clawback_v1.payment_people", "clawback.event_payloads", "clawback.people"]
    {
        let read = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("select * from {table}"))).execute(&mut *conn).await;
        read.expect_err(table);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_believed_from_the_console_and_from_nobody_else() {
    let (app, _) = disputed().await;
    let seen = "select jsonb_build_array(actor, via, detail ->> 'claimed_actor') from clawback_v1.actions
                where action = 'discard' order by id desc limit 1";
    app.db.execute("update clawback.follow_ups set run_at = now()").await;
    let others = role(&app.db, "worker", &["--read", "--work"]).await;
    let own = console(&app.db, "console", &[]).await;
    let worker = format!("{} worker", app.db.name);
    for (pool, expected) in
        [(own, serde_json::json!(["anna", "console", null])), (others, serde_json::json!([worker, "sql", "anna"]))]
    {
        let mut tx = pool.begin().await.expect("a transaction");
        queries::act_as(&mut tx, Some("anna"), Via::Console).await.expect("it may say so");
        let page = queries::FollowUpFilter { state: Some("ready".to_owned()), ..queries::FollowUpFilter::default() };
        let id = queries::follow_ups(&mut tx, &page, &Page::first(1)).await.expect("follow-ups").remove(0).id;
        assert!(queries::discard(&mut tx, id, "a test").await.expect("it may"));
        tx.commit().await.expect("it commits");
        assert_eq!(app.db.value(seen).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_keeps_its_sessions_and_no_other_role_touches_them() {
    let (mut app, _) = disputed().await;
    app.db.expect_errors(&["permission denied"]);
    let token = [7; 32];
    let hour = std::time::Duration::from_hours(1);
    let own = console(&app.db, "console", &[]).await;
    let mut tx = own.begin().await.expect("a transaction");
    console::open_session(&mut tx, &token, "anna", hour).await.expect("it opens");
    assert_eq!(console::session(&mut tx, &[token], hour, true).await.expect("it may").as_deref(), Some("anna"));
    console::close_session(&mut tx, &token).await.expect("it closes");
    console::record_refused_log_in(&mut tx, "eve", "192.0.2.1").await.expect("it is recorded");
    tx.commit().await.expect("it commits");
    let others = role(&app.db, "other", &["--read", "--work", "--refund", "--respond", "--payloads"]).await;
    let mut tx = others.begin().await.expect("a transaction");
    console::open_session(&mut tx, &token, "anna", hour).await.expect_err("no right");
}
