//! Promise: what is old enough is removed, beside the running service, and nothing that is still needed; what was derived
//! stays as it is, and nothing is asked twice.

use std::time::Duration;

use clawback::apply::{Batch, Rules, Take, batch};
use clawback::domain::RULES_VERSION;
use clawback::retention::Ages;
use clawback::store::old_bodies;
use clawback::store::retention::Position;
use serde_json::{Value, json};

use crate::bodies::{charge, dispute, event, refund};
use crate::harness::{Database, STATE, TestApp};

const DAY: Duration = Duration::from_secs(86_400);
const AGES: Ages = Ages { bodies: DAY.saturating_mul(400), evidence: DAY, follow_ups: DAY.saturating_mul(400) };
const BODIES: &str = "select coalesce(string_agg(event_id, ' ' order by event_id), '') from clawback.event_payloads";

/// Makes everything that was received or ended older than the default ages.
async fn age(db: &Database) {
    db.execute(
        "update clawback.events set received_at = received_at - interval '401 days';
         update clawback.unvouched_events set received_at = received_at - interval '401 days';
         update clawback.follow_ups set created_at = created_at - interval '402 days',
             finished_at = finished_at - interval '401 days'",
    )
    .await;
}

async fn state(db: &Database) -> Vec<Vec<Value>> {
    let mut state = Vec::new();
    for query in STATE {
        state.push(db.rows(query).await);
    }
    state
}

/// The rows that `clawback prune` removes, by part.
async fn pruned(app: &TestApp, part: &str) -> Value {
    app.json(&["prune"]).await[part].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_bodies_are_removed_and_a_rebuild_afterwards_changes_nothing() {
    let app = TestApp::start().await;
    for story in ["partial-refund", "chargeback-lost", "inquiry-closed", "fraud-warning"] {
        app.live(story, story).await;
    }
    let (right, events) = (state(&app.db).await, app.db.value("select count(*) from clawback.events").await);
    assert_eq!(pruned(&app, "bodies").await, 0, "nothing is old");
    age(&app.db).await;
    assert_eq!(app.json(&["prune", "--dry-run"]).await["bodies"], events);
    assert_eq!(pruned(&app, "bodies").await, events, "the rehearsal removed nothing");
    assert_eq!(pruned(&app, "bodies").await, 0, "once");
    assert_eq!(app.db.value("select count(*) from clawback.events").await, events, "duplicates are still recognised");
    assert_eq!(app.db.value("select bool_and(pruned) from clawback.payments").await, true);
    let told = app.attempt(&["doctor"]).await.stdout;
    assert!(told.contains("4 payments with removed event bodies"), "{told}");
    app.command(&["rebuild", "--all"]).await;
    app.db.until("select not exists (select from clawback.rebuilds)").await;
    assert_eq!(state(&app.db).await, right);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_needed_stay() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_done", 1, &charge("ch_1", json!({}))),
        event("evt_ignored", 2, &json!({ "id": "cus_1", "object": "customer" })),
        event("evt_failed", 3, &json!({ "id": "re_1", "object": "refund" })),
        event("evt_older", 4, &charge("ch_2", json!({}))),
        event("evt_asked", 5, &charge("ch_3", json!({}))),
        event("evt_pending", 6, &charge("ch_4", json!({}))),
        event("evt_paid", 7, &charge("ch_5", json!({}))),
        event("evt_disputed", 8, &dispute("dp_5", json!({ "charge": "ch_5" }))),
    ])
    .await;
    app.db.execute("select clawback_v1.link_payment('ch_1', 'o-1')").await;
    app.db.settle().await;
    let held = app.db.hold_batches().await;
    age(&app.db).await;
    app.db
        .execute(
            "update clawback.payments set rules = rules - 1 where payment_id = 'ch_2';
             insert into clawback.rebuilds (payment_id) values ('ch_3');
             select clawback_v1.replay_event('evt_pending', 'a test')",
        )
        .await;
    let own = app.db.value("select event_id from clawback.events where starts_with(type, 'clawback.')").await;
    assert_eq!(pruned(&app, "bodies").await, 2);
    let kept =
        format!("{} evt_asked evt_disputed evt_failed evt_older evt_paid evt_pending", own.as_str().expect("an id"));
    let mut kept: Vec<_> = kept.split(' ').collect();
    kept.sort_unstable();
    let stored = app.db.value(BODIES).await;
    let mut stored: Vec<_> = stored.as_str().expect("ids").split(' ').collect();
    stored.sort_unstable();
    assert_eq!(stored, kept);
    drop(held);
    app.db.settle().await;
    app.db.until("select not exists (select from clawback.rebuilds)").await;
    assert_eq!(app.db.value("select state from clawback.events where event_id = 'evt_pending'").await, "processed");
    assert_eq!(pruned(&app, "bodies").await, 2, "what was asked for has been done");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_replayed_meanwhile_keeps_its_body() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &charge("ch_2", json!({})))]).await;
    age(&app.db).await;
    let batches = app.db.hold_batches().await;
    let replay = app.db.begin("select clawback_v1.replay_event('evt_1', 'a test')").await;
    assert_eq!(pruned(&app, "bodies").await, 1, "nobody is waited for");
    replay.commit().await.expect("the replay");
    assert_eq!(pruned(&app, "bodies").await, 0, "it is pending");
    drop(batches);
    app.db.settle().await;
    assert_eq!(app.db.value("select state from clawback.events where event_id = 'evt_1'").await, "processed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_replayed_before_its_body_is_locked_is_left_out() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &charge("ch_2", json!({})))]).await;
    age(&app.db).await;
    let batches = app.db.hold_batches().await;
    let mut page = app.db.pool.begin().await.expect("a transaction");
    let events = old_bodies::aged_events(&mut page, &Position::START, 400.0 * 86_400.0).await.expect("a page");
    assert!(events.iter().all(|event| event.is_removable), "{events:?}");
    assert_eq!(app.db.value("select clawback_v1.replay_event('evt_1', 'a test')").await, true);
    let ids: Vec<_> = events.into_iter().map(|event| event.event_id).collect();
    let stored = old_bodies::lock_bodies(&mut page, &ids).await.expect("bodies");
    assert_eq!(stored.len(), 2, "both are free");
    let owned = old_bodies::owned(&mut page, &stored).await.expect("owners");
    assert!(!owned.is_empty() && owned.iter().all(|owned| owned.event_id == "evt_2"), "{owned:?}");
    page.rollback().await.expect("a rollback");
    drop(batches);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_waits_for_whoever_removes_the_body_and_then_finds_none() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    let removal = app.db.begin("delete from clawback.event_payloads where event_id = 'evt_1'").await;
    let db = app.db.again();
    let replay = tokio::spawn(async move { db.value("select clawback_v1.replay_event('evt_1', 'a test')").await });
    app.db
        .until(
            "select exists (select from pg_stat_activity where datname = current_database()
                      and wait_event_type = 'Lock' and query like '%replay_event%' and pid <> pg_backend_pid())",
        )
        .await;
    removal.commit().await.expect("the removal");
    assert_eq!(replay.await.expect("the replay"), false);
    assert_eq!(app.db.value("select state from clawback.events").await, "processed");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_a_payment_that_somebody_holds_are_left_for_later() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &charge("ch_2", json!({})))]).await;
    age(&app.db).await;
    let held = app.db.begin("select from clawback.payments where payment_id = 'ch_1' for update").await;
    assert_eq!(pruned(&app, "bodies").await, 1);
    assert_eq!(app.db.value(BODIES).await, "evt_1");
    held.rollback().await.expect("the row is free");
    assert_eq!(pruned(&app, "bodies").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_leaves_a_payment_whose_bodies_go_for_later_and_then_joins_it() {
    let app = TestApp::start().await;
    let paid = json!({ "metadata": { "order_id": "o-1" } });
    app.see(&[event("evt_1", 1, &charge("ch_1", paid))]).await;
    age(&app.db).await;
    let mut page = app.db.pool.begin().await.expect("a transaction");
    let bodies = old_bodies::lock_bodies(&mut page, &["evt_1".to_owned()]).await.expect("bodies");
    let payments = old_bodies::lock_payments(&mut page, &bodies, RULES_VERSION).await.expect("payments");
    assert_eq!(payments, ["ch_1"]);
    app.take_in(&[event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1" })))]).await;
    app.db.execute("insert into clawback.rebuilds (payment_id) values ('ch_1')").await;
    let deferred = "select run_at > since from clawback.pending_events where event_id = 'evt_2'";
    app.db.until(deferred).await;
    app.db.until("select last_error is not null from clawback.rebuilds").await;
    old_bodies::remove(&mut page, &bodies).await.expect("a removal");
    page.commit().await.expect("a commit");
    app.db.settle().await;
    app.db.execute("update clawback.rebuilds set run_at = now()").await;
    app.db.until("select not exists (select from clawback.rebuilds)").await;
    let order = app.db.rows("select state, amount_paid, amount_refunded from clawback_v1.orders").await;
    assert_eq!(order, [json!({ "state": "partially_refunded", "amount_paid": 10_000, "amount_refunded": 1_000 })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_payment_leaves_its_mark_to_its_successor() {
    let mut app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    age(&app.db).await;
    assert_eq!(pruned(&app, "bodies").await, 1);
    let both = refund("re_1", json!({ "charge": "ch_1", "payment_intent": "pi_1" }));
    let held = app.db.hold_batches().await;
    app.take_in(&[event("evt_2", 2, &both)]).await;
    app.stop().await.expect("the service ends");
    held.rollback().await.expect("the lock is free");
    let mut conn = app.db.pool.acquire().await.expect("a connection");
    let done = batch(&mut conn, Take::Next, &Rules::current("order_id")).await.expect("a batch");
    assert!(matches!(done, Batch::Done(_)), "{done:?}");
    assert_eq!(
        app.db.value("select string_agg(payment_id || ' ' || pruned, ' ') from clawback.payments").await,
        "pi_1 true"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_event_says_so_and_is_not_replayed() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    age(&app.db).await;
    app.command(&["prune"]).await;
    let shown = app.command(&["events", "show", "evt_1"]).await.stdout;
    assert!(shown.contains("the body was pruned"), "{shown}");
    let refused = app.attempt(&["events", "replay", "evt_1", "--reason", "a test"]).await;
    assert!(refused.stderr.contains("its body was pruned"), "{}", refused.stderr);
}

/// What is stored of follow-ups, without what a pass may empty.
const FOLLOW_UPS: &str =
    "select id, kind, subject, round, state, wanted, run_at, finished_at from clawback.follow_ups order by id";

#[tokio::test(flavor = "multi_thread")]
async fn ended_follow_ups_are_emptied_and_later_events_ask_for_nothing_again() {
    let app = TestApp::start().await;
    let of_order = json!({ "metadata": { "order_id": "o-1" } });
    app.see(&[
        event("evt_1", 1, &charge("ch_1", of_order)),
        event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1", "amount": 10_000 }))),
    ])
    .await;
    app.db
        .execute(
            "update clawback.follow_ups set state = 'done', finished_at = now(), result = '{\"sent\": 1}', last_error = 'once'
             where kind = 'notify_refund';
             update clawback.follow_ups set state = 'dead', finished_at = now(), last_error = 'no luck'
             where kind = 'cancel_fulfilment'",
        )
        .await;
    assert_eq!(pruned(&app, "follow_ups").await, 0, "nothing is old");
    age(&app.db).await;
    assert_eq!(pruned(&app, "follow_ups").await, 1);
    assert_eq!(pruned(&app, "follow_ups").await, 0, "once");
    let emptied =
        "select payload = '{}' and result is null and last_error is null from clawback.follow_ups where state = ";
    assert_eq!(app.db.value(&format!("{emptied} 'done'")).await, true);
    assert_eq!(app.db.value(&format!("{emptied} 'dead'")).await, false, "somebody may requeue it");
    let before = app.db.rows(FOLLOW_UPS).await;
    let more = json!({ "amount_refunded": 10_000, "refunded": true });
    app.see(&[event("evt_3", 3, &charge("ch_1", more))]).await;
    app.command(&["rebuild", "--all"]).await;
    app.db.until("select not exists (select from clawback.rebuilds)").await;
    app.db.settle().await;
    assert_eq!(app.db.rows(FOLLOW_UPS).await, before);
    assert_eq!(app.db.value(&format!("{emptied} 'done'")).await, true, "nothing is filled in again");
    let id = app.db.value("select id::text from clawback.follow_ups where state = 'done'").await;
    let id = id.as_str().expect("an id");
    let refused = app.attempt(&["follow-ups", "requeue", id, "--force", "--reason", "a test"]).await;
    assert!(refused.stderr.contains("its payload was pruned"), "{}", refused.stderr);
    let shown = app.command(&["follow-ups", "show", id]).await.stdout;
    assert!(shown.contains("pruned"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_follow_up_that_was_emptied_is_complete_when_it_is_wanted_again() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    app.see(&[event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1" })))]).await;
    let payload = "select payload from clawback.follow_ups where kind = 'notify_refund'";
    let asked = app.db.value(payload).await;
    app.db.execute("update clawback.follow_ups set state = 'cancelled', wanted = false, finished_at = now()").await;
    age(&app.db).await;
    assert_eq!(pruned(&app, "follow_ups").await, 1);
    assert_eq!(app.db.value(payload).await, json!({}));
    app.see(&[event("evt_3", 3, &charge("ch_1", json!({ "amount_refunded": 1_000 })))]).await;
    assert_eq!(app.db.value(payload).await, asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_prunes_by_itself_and_two_replicas_share_the_work() {
    let app = TestApp::start().await;
    app.live("chargeback-lost", "o-1").await;
    app.db
        .execute(
            "insert into clawback.unvouched_events (event_id, type, livemode, payload)
                 values ('evt_other', 'charge.refunded', true, '{}');
             insert into clawback.api_calls (kind, subject, account, livemode, state, created_at, finished_at)
                 values ('read_charge', 'ch_1', '', false, 'done', now() - interval '402 days', now() - interval '401 days'),
                        ('refund', 'a-request', '', false, 'done', now() - interval '402 days', now() - interval '401 days')",
        )
        .await;
    age(&app.db).await;
    let replicas = [pruner(&app).await, pruner(&app).await];
    app.db.until("select bool_and(finished_at is not null) from clawback.retention").await;
    assert_eq!(app.db.value(BODIES).await, "");
    assert_eq!(app.db.value("select count(*) from clawback.unvouched_events").await, 0);
    assert_eq!(app.db.value("select string_agg(kind, ' ') from clawback.api_calls").await, "refund");
    let next = "select bool_and(run_at > now() + interval '23 hours' and held_by is null) from clawback.retention";
    assert_eq!(app.db.value(next).await, true);
    let scrape = app.client.get(format!("{}/metrics", replicas[0].admin_url)).send().await.expect("an answer");
    let scrape = scrape.text().await.expect("text");
    assert!(scrape.contains("clawback_pruned_total{part=\"bodies\"}"), "{scrape}");
    assert!(scrape.contains("clawback_prune_age_seconds "), "{scrape}");
}

/// A replica that prunes.
async fn pruner(app: &TestApp) -> TestApp {
    TestApp::start_on(app.db.again(), |service| service.retention = Some(AGES)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_leaves_a_pass_that_another_goes_on_with() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &charge("ch_2", json!({})))]).await;
    age(&app.db).await;
    // As if one had died after the first event.
    app.db
        .execute(
            "update clawback.events set received_at = received_at - interval '1 day' where event_id = 'evt_1';
             update clawback.retention set begun_at = now(), held_by = gen_random_uuid(), held_until = now() + interval '1 hour',
                 after_at = (select received_at from clawback.events where event_id = 'evt_1'), after_id = 'evt_1'
             where part = 'bodies'",
        )
        .await;
    let _replica = pruner(&app).await;
    app.db.until("select count(*) = 4 from clawback.retention where finished_at is not null").await;
    assert_eq!(app.db.value(BODIES).await, "evt_1 evt_2", "it is held");
    app.db.execute("update clawback.retention set held_until = now() where part = 'bodies'").await;
    app.db.until("select bool_and(finished_at is not null) from clawback.retention").await;
    assert_eq!(app.db.value(BODIES).await, "evt_1", "it goes on from there");
    app.db.execute("update clawback.retention set run_at = now(), begun_at = now() - interval '31 days'").await;
    app.db.until("select count(*) = 5 from clawback.retention where run_at > now()").await;
    assert_eq!(app.db.value(BODIES).await, "", "from the oldest on, once in a while");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_reads_a_whole_table() {
    let mut app = TestApp::start().await;
    for story in ["chargeback-lost", "full-refund"] {
        app.live(story, story).await;
    }
    app.stop().await.expect("the service ends");
    // A session reports what it read when it ends.
    app.db.expect_errors(&["terminating connection due to administrator command"]);
    app.db.end_connections().await;
    let alone = "select count(*) = 1 from pg_stat_activity where datname = current_database()";
    app.db.until(alone).await;
    age(&app.db).await;
    app.db.execute("select pg_stat_reset()").await;
    assert_ne!(pruned(&app, "bodies").await, 0);
    let read = "select coalesce(string_agg(relname, ' '), '') from pg_stat_user_tables where schemaname = 'clawback'
                    and seq_scan > 0 and relname <> 'processors'";
    app.db.until("select sum(n_tup_del) > 0 from pg_stat_user_tables where relname = 'event_payloads'").await;
    assert_eq!(app.db.value(read).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_pruned_while_a_newer_release_runs() {
    let mut app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    app.stop().await.expect("the service ends");
    age(&app.db).await;
    app.db.execute("insert into clawback.processors (processor_id, rules) values (gen_random_uuid(), 1000000)").await;
    let refused = app.attempt(&["prune"]).await;
    assert!(refused.stderr.contains("a newer release of clawback runs on this database"), "{}", refused.stderr);
    assert_eq!(app.db.value(BODIES).await, "evt_1");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_that_is_off_removes_nothing_and_raises_no_alarm() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    age(&app.db).await;
    let due = "select count(*) from clawback.retention where run_at < 'infinity'";
    assert_eq!(app.db.value(due).await, 0);
    let late = "update clawback.retention set finished_at = now() - interval '10 days'";
    app.db.execute(late).await;
    let scrape = async || {
        let answer = app.client.get(format!("{}/metrics", app.admin_url)).send().await.expect("an answer");
        answer.text().await.expect("text")
    };
    assert!(scrape().await.contains("clawback_prune_age_seconds 0\n"));
    assert_eq!(app.db.value(BODIES).await, "evt_1");
    let mut replica = pruner(&app).await;
    app.db.until("select bool_and(finished_at > now() - interval '1 minute') from clawback.retention").await;
    assert_eq!(app.db.value(BODIES).await, "", "it is on");
    replica.stop().await.expect("the replica ends");
}
