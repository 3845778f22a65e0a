//! Promise: what needs a person soon is posted to the webhook at least once, says no personal data, and claims nothing.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clawback::notices::Webhook;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::binary::run;
use crate::bodies::{DAY, charge, dispute, event, refund};
use crate::harness::{Database, TestApp, until};

/// A receiver that keeps what it is sent, and can be told to refuse.
#[derive(Clone)]
struct Receiver {
    url: String,
    texts: Arc<Mutex<Vec<String>>>,
    answer: Arc<AtomicU16>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/services/s3cret", listener.local_addr().expect("an address"));
        let receiver = Self { url, texts: Arc::default(), answer: Arc::new(AtomicU16::new(200)) };
        let router = Router::new().route("/services/s3cret", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    fn answers(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    fn texts(&self) -> Vec<String> {
        let mut texts = self.texts.lock().expect("texts").clone();
        texts.sort();
        texts
    }

    /// A service that posts to it, on this database.
    async fn service(&self, db: Database) -> TestApp {
        let webhook = Webhook::parse(&self.url).expect("a webhook");
        TestApp::start_on(db, |service| service.notify = Some(webhook)).await
    }

    /// A service that has configured notices already.
    async fn ready(&self) -> TestApp {
        let app = self.service(Database::migrated().await).await;
        app.db.until("select exists (select from clawback.settings where notices_since is not null)").await;
        app
    }
}

async fn take(State(receiver): State<Receiver>, Json(body): Json<Value>) -> StatusCode {
    let status = StatusCode::from_u16(receiver.answer.load(Ordering::SeqCst)).expect("a status");
    if status.is_success() {
        receiver.texts.lock().expect("texts").push(body["text"].as_str().expect("a text").to_owned());
    }
    status
}

/// A dispute of an order, with this many days to answer.
async fn dispute_due(app: &TestApp, id: &str, days: i64) {
    let due_by = app.db.value(&format!("select extract(epoch from now())::bigint + {days} * {DAY}")).await;
    let about = json!({ "charge": format!("ch_{id}"), "evidence_details": { "due_by": due_by } });
    let of_order = json!({ "metadata": { "order_id": format!("order-{id}") } });
    app.see(&[
        event(&format!("evt_{id}_1"), 1, &charge(&format!("ch_{id}"), of_order)),
        event(&format!("evt_{id}_2"), 2, &dispute(id, about)),
    ])
    .await;
}

async fn failed_refund(app: &TestApp, id: &str) {
    let failed = json!({ "charge": "ch_1", "status": "failed", "failure_reason": "lost_or_stolen_card" });
    // Stripe does not report when a refund failed: old events of one are history.
    let seen = app.db.value("select extract(epoch from now())::bigint - 1700000000").await.as_i64().expect("a time");
    app.see(&[event(&format!("evt_{id}"), seen, &refund(id, failed))]).await;
}

async fn states(app: &TestApp) -> Vec<Value> {
    app.db.rows("select split_part(key, '/', 1) as about, state from clawback.notices order by key").await
}

const ALL_DONE: &str = "select not exists (select from clawback.notices where state = 'waiting')
                        and exists (select from clawback.notices)";

#[tokio::test(flavor = "multi_thread")]
async fn each_follow_up_that_needs_a_person_is_posted_once_by_several_replicas() {
    let receiver = Receiver::start().await;
    let app = receiver.ready().await;
    let _replica = receiver.service(app.db.again()).await;
    dispute_due(&app, "dp_soon", 2).await;
    dispute_due(&app, "dp_later", 30).await;
    failed_refund(&app, "re_1").await;
    until("both are posted", async || receiver.texts().len() >= 2).await;
    app.db.until(ALL_DONE).await;
    let texts = receiver.texts();
    let [soon, refund] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(soon.starts_with("[test mode] Evidence for dispute dp_soon is due by 2"), "{soon}");
    assert!(soon.contains("Z: 100.00 EUR, fraudulent. Order order-dp_soon. Follow-up "), "{soon}");
    let said = "[test mode] Refund re_1 of 10.00 EUR failed, lost_or_stolen_card. Follow-up ";
    assert!(refund.starts_with(said), "{refund}");
    let claimed = "select count(*) from clawback.follow_ups where state <> 'ready' or attempts > 0";
    assert_eq!(app.db.value(claimed).await, 0, "consumers have them");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_notices_were_configured_is_not_posted() {
    let receiver = Receiver::start().await;
    let before = TestApp::start().await;
    dispute_due(&before, "dp_old", 2).await;
    let app = receiver.service(before.db.again()).await;
    app.db.until("select exists (select from clawback.settings where notices_since is not null)").await;
    dispute_due(&app, "dp_new", 2).await;
    until("the new one is posted", async || !receiver.texts().is_empty()).await;
    let texts = receiver.texts();
    assert!(texts.len() == 1 && texts[0].contains("dp_new"), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_notice_is_posted_again_and_given_up_after_a_day() {
    let receiver = Receiver::start().await;
    receiver.answers(500);
    let app = receiver.ready().await;
    dispute_due(&app, "dp_1", 2).await;
    app.db.until("select exists (select from clawback.notices where attempts >= 2)").await;
    let error = app.db.value("select last_error from clawback.notices").await;
    assert_eq!(error, "the webhook answered 500 Internal Server Error");
    let environment = [
        ("DATABASE_URL", app.db.url.as_str()),
        ("STRIPE_WEBHOOK_SECRET", "whsec_1"),
        ("CLAWBACK_NOTIFY_URL", &receiver.url),
    ];
    let told = run(&["doctor"], &environment).await;
    assert!(told.stdout.contains("the webhook answered 500"), "{told:?}");
    assert!(!format!("{told:?}").contains("s3cret"), "the URL is a secret");
    receiver.answers(200);
    until("it is posted", async || !receiver.texts().is_empty()).await;
    app.db.until(ALL_DONE).await;
    receiver.answers(404);
    dispute_due(&app, "dp_2", 2).await;
    app.db.until("select exists (select from clawback.notices where state = 'waiting')").await;
    app.db
        .execute("update clawback.notices set created_at = now() - interval '25 hours' where state = 'waiting'")
        .await;
    app.db.until("select exists (select from clawback.notices where state = 'failed')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_whose_replica_died_is_posted_by_another_and_one_no_longer_wanted_is_dropped() {
    let receiver = Receiver::start().await;
    receiver.answers(500);
    let mut app = receiver.ready().await;
    dispute_due(&app, "dp_held", 2).await;
    dispute_due(&app, "dp_over", 2).await;
    app.db.until("select count(*) = 2 from clawback.notices").await;
    app.kill().await;
    app.db.execute("update clawback.notices set held_until = now() + interval '1 second', run_at = now()").await;
    let over = "update clawback.follow_ups set wanted = false, state = 'cancelled', finished_at = now()
                where kind = 'warn_evidence_due' and subject = 'dp_over'";
    app.db.execute(over).await;
    receiver.answers(200);
    let other = receiver.service(app.db.again()).await;
    other.db.until(ALL_DONE).await;
    let texts = receiver.texts();
    assert!(texts.len() == 1 && texts[0].contains("dp_held"), "{texts:?}");
    let mut ended = states(&other).await;
    ended.sort_by_key(ToString::to_string);
    let about = |state: &str| json!({ "about": "follow_up", "state": state });
    assert_eq!(ended, [about("dropped"), about("sent")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_posted_once_a_day_and_only_when_there_is_something_to_say() {
    let receiver = Receiver::start().await;
    let quiet = receiver.ready().await;
    quiet.db.execute("update clawback.settings set notices_since = now() - interval '2 days'").await;
    quiet.db.until(ALL_DONE).await;
    assert_eq!(states(&quiet).await, [json!({ "about": "digest", "state": "dropped" })]);

    let busy = TestApp::start().await;
    busy.see(&[event("evt_failed", 1, &charge("ch_2", json!({ "amount": -1 })))]).await;
    dispute_due(&busy, "dp_1", 5).await;
    busy.db
        .execute("update clawback.follow_ups set state = 'dead', finished_at = now() where kind = 'hold_fulfilment'")
        .await;
    busy.db.execute("update clawback.settings set notices_since = now() - interval '2 days'").await;
    busy.db.execute("update clawback.follow_ups set created_at = now() - interval '3 days'").await;
    let _posting = receiver.service(busy.db.again()).await;
    busy.db.until(ALL_DONE).await;
    let texts = receiver.texts();
    let [digest] = texts.as_slice() else { panic!("{texts:?}") };
    for line in [
        "Clawback on 20",
        "• dead follow-ups: 1 hold_fulfilment",
        "• 1 failed event",
        "• 1 dispute with a deadline within 7 days:",
        "[test mode] dp_1: 100.00 EUR, due by 20",
    ] {
        assert!(digest.contains(line), "{line}: {digest}");
    }
}
