//! What a scrape says of the work, where a wrong number would raise an alarm for nothing, or none.

use serde_json::json;

use crate::binary::{Serving, run};
use crate::harness::{Database, TestApp, client, header, tell, until};
use clawback::store::gauges::{self, Gauges};
use clawback::store::health;

async fn gauges(db: &Database) -> Gauges {
    let mut conn = db.pool.acquire().await.expect("a connection");
    gauges::read(&mut conn).await.expect("the gauges are read")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passed_does_not_hide_the_next_one() {
    let app = TestApp::start().await;
    for (order, due) in [("o_1", "now() - interval '1 day'"), ("o_2", "now() + interval '1 hour'")] {
        app.live("chargeback-open", order).await;
        let due = format!("update clawback.payments set evidence_due_by = {due} where order_id = '{order}'");
        app.db.execute(&due).await;
    }
    let read = gauges(&app.db).await;
    let [live, test] = [true, false].map(|mode| read.due.iter().find(|due| due.livemode == mode).expect("a mode"));
    assert!(test.evidence_seconds.is_some_and(|seconds| (3000.0..=3600.0).contains(&seconds)), "{read:?}");
    assert_eq!((live.evidence_seconds, read.evidence_overdue), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_counts_while_its_deadline_is_within_a_day_and_until_it_is_submitted() {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o_1").await;
    app.db
        .execute(
            "insert into clawback.dispute_responses (dispute_id, phase, account, livemode, baseline)
             select dispute_id, phase, '', false, 0 from clawback.disputes",
        )
        .await;
    let drafts = async || gauges(&app.db).await.due.iter().map(|due| (due.livemode, due.drafts)).collect::<Vec<_>>();
    for (statement, in_test_mode) in [
        ("update clawback.disputes set evidence_due_by = now() + interval '25 hours'", 0),
        ("update clawback.disputes set evidence_due_by = now() + interval '23 hours'", 1),
        ("update clawback.dispute_responses set state = 'rejected'", 1),
        ("update clawback.dispute_responses set state = 'submitted', submitted_at = now()", 0),
    ] {
        app.db.execute(statement).await;
        assert_eq!(drafts().await, [(true, 0), (false, in_test_mode)], "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_counted_from_the_last_event_of_stripe_and_before_the_first_from_the_beginning() {
    let app = TestApp::start().await;
    app.db.execute("update clawback.migrations set installed_on = now() - interval '2 hours'").await;
    let since = async || gauges(&app.db).await.newest_event_seconds;
    assert!((7200.0..7900.0).contains(&since().await));

    app.live("paid", "o_1").await;
    assert!(since().await < 600.0);
    app.db.execute("update clawback.events set received_at = now() - interval '1 hour'").await;
    app.db.execute("select clawback_v1.link_payment(payment_id, 'o_2') from clawback_v1.payments").await;
    app.db.settle().await;
    assert!((3600.0..4300.0).contains(&since().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_event_that_is_replayed_waits_since_then_and_not_since_it_was_received() {
    let app = TestApp::start().await;
    app.live("paid", "o_1").await;
    app.db.execute("update clawback.events set received_at = now() - interval '1 day'").await;
    let held = app.db.hold_batches().await;
    let replay = ["events", "replay", "--state", "processed", "--reason", "a test"];
    assert_eq!(run(&replay, &[("DATABASE_URL", &app.db.url)]).await.code, Some(0));
    for (waited, seconds) in [("0 s", 0.0..600.0), ("1 hour", 3600.0..4300.0)] {
        app.db.execute(&format!("update clawback.pending_events set since = since - interval '{waited}'")).await;
        let read = gauges(&app.db).await;
        assert!(seconds.contains(&read.oldest_pending_seconds), "{read:?}");
        let mut conn = app.db.pool.acquire().await.expect("a connection");
        let backlog = health::backlog(&mut conn).await.expect("the backlog is read");
        assert!(backlog.pending_seconds.is_some_and(|waited| seconds.contains(&(waited as f64))), "{backlog:?}");
    }
    held.rollback().await.expect("batches may begin");
}

/// On the real binary: counts are one for the process.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_tried_alone_is_counted_like_any_other() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["no_poison"]);
    db.execute("alter table clawback.payments add constraint no_poison check (payment_id <> 'ch_poison')").await;
    // Retries come at once.
    db.execute(
        "create function clawback.at_once() returns trigger language plpgsql as $$
         begin new.run_at := now(); return new; end $$;
         create trigger at_once before update on clawback.pending_events
             for each row execute function clawback.at_once()",
    )
    .await;
    let serving = Serving::start(&db.url, &[]).await;
    let held = db.hold_batches().await;
    let good = tell("paid", "o_1").remove(0).body;
    let charge = json!({ "object": "charge", "id": "ch_poison", "amount": 5, "currency": "eur", "created": 1 });
    let poison = json!({ "id": "evt_1", "type": "charge.updated", "created": 1, "data": { "object": charge } });
    for body in [good, poison.to_string()] {
        let delivery = client().post(format!("http://{}/webhooks/stripe", serving.address));
        let answer = delivery.header("Stripe-Signature", header(&body)).body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    held.rollback().await.expect("batches may begin");
    for line in ["{outcome=\"processed\"} 1", "{outcome=\"failed\"} 1"] {
        let line = format!("clawback_events_finished_total{line}");
        let scrape =
            async || client().get(format!("http://{}/metrics", serving.admin)).send().await.expect("an answer");
        until(&line, async || scrape().await.text().await.expect("text").lines().any(|found| found == line)).await;
    }
}
