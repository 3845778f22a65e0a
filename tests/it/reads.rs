//! Promise: with an API key, what is contradictory or missing is read from Stripe, once, and stored where it is news.

use clawback::store::api_calls::{self, Rate};
use serde_json::{Value, json};

use crate::bodies::{event_with, refund, with};
use crate::double_world::World;
use crate::harness::{Database, SECRET, TestApp, unix_now, until};
use crate::refund_shop::{REFUSALS, Shop, acting};

/// What happens now happened this many seconds ago, so that whatever is read afterwards is later.
const AGO: i64 = 100;

/// A service with a key, and a double with this endpoint whose clock stands still in the past.
pub async fn open(endpoint: Value) -> Shop {
    let mut db = Database::migrated().await;
    db.expect_errors(REFUSALS);
    let world = World::start().await;
    world.control("clock", json!({ "stop_at": unix_now() - AGO })).await;
    let acting = acting(&world);
    let app = TestApp::start_on(db, |service| service.acting = acting).await;
    app.ready().await;
    app.db.until("select exists (select from clawback.api_keys)").await;
    // The pass at the start is over, so that what follows is not listed.
    app.db.until("select exists (select from clawback.api_accounts where caught_up_at is not null)").await;
    let shop = Shop { world, app };
    deliver_to(&shop.world, &shop.app, endpoint).await;
    shop
}

/// Has the double's webhooks sent to a service.
pub async fn deliver_to(world: &World, app: &TestApp, endpoint: Value) {
    let url = format!("{}/webhooks/stripe", app.url);
    let base = json!({ "url": url, "secrets": [SECRET], "scope": "account", "payload": "snapshot",
        "enabled_events": ["*"] });
    world.control("webhooks", with(base, endpoint)).await;
}

/// Waits until every webhook has arrived, moves the double's clock to the present, makes the waiting reads due, and waits
/// until they and what they lead to have ended.
pub async fn reads_end(world: &World, app: &TestApp) {
    let arrived = async || world.look("webhooks").await["pending"] == 0;
    until("every webhook has arrived", arrived).await;
    app.db.settle().await;
    world.control("clock", json!({ "stop_at": unix_now() })).await;
    until("every read has ended", async || {
        app.db.execute("update clawback.api_calls set run_at = now() where state = 'ready' and run_at > now()").await;
        let quiet = "select not exists (select from clawback.api_calls where finished_at is null)
                     and not exists (select from clawback.pending_events)";
        arrived().await && app.db.value(quiet).await == true
    })
    .await;
}

impl Shop {
    async fn lose_webhooks(&self, count: u32) {
        self.world.control("webhooks/behaviour", json!({ "lose": count })).await;
    }

    /// What happens at the bank or at Stripe.
    async fn happens(&self, what: &str, id: &str) -> Value {
        self.world.control("bank", json!({ "happens": what, "id": id })).await
    }

    /// How often a path was read.
    async fn reads_of(&self, path: &str) -> usize {
        let requests = self.world.look(&format!("requests?method=GET&path={path}")).await;
        requests.as_array().expect("a list").len()
    }

    async fn comes_true(&self, condition: &str) {
        self.app.db.until(&format!("select {condition}")).await;
    }

    /// Delivers an object as an event of this id that was created this many seconds ago.
    async fn show(&self, id: &str, ago: i64, object: &Value) {
        self.app.see(&[event_with(id, 0, object, json!({ "created": unix_now() - ago }))]).await;
    }

    async fn fetched(&self) -> Value {
        self.app.db.value("select count(*) from clawback_v1.events where type = 'clawback.fetched'").await
    }

    /// Kind, subject and state of the calls.
    async fn calls(&self) -> Vec<Value> {
        self.app.db.rows("select kind, subject, round, state, last_error from clawback.api_calls order by id").await
    }
}

/// A payment with a chargeback, all of it seen. The dispute.
async fn disputed(shop: &Shop) -> Value {
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let dispute = shop.happens("chargeback", &charge).await;
    shop.comes_true("exists (select from clawback_v1.disputes)").await;
    shop.app.db.settle().await;
    shop.lose_webhooks(1000).await;
    dispute
}

#[tokio::test(flavor = "multi_thread")]
async fn two_snapshots_of_one_second_that_differ_are_settled_by_one_read() {
    let shop = open(json!({})).await;
    let dispute = disputed(&shop).await;
    let due = dispute["evidence_details"]["due_by"].as_i64().expect("a time");
    let later = |days: i64| with(dispute.clone(), json!({ "evidence_details": { "due_by": due + days * 86_400 } }));
    shop.show("evt_a", 50, &later(1)).await;
    let created = unix_now() - 40;
    let same_second = |id, days| event_with(id, 0, &later(days), json!({ "created": created }));
    shop.app.see(&[same_second("evt_b", 2), same_second("evt_c", 3), same_second("evt_b", 2)]).await;
    let is_due = |at: i64| format!("evidence_due_by = to_timestamp({at}) from clawback_v1.disputes");
    shop.comes_true(&is_due(due + 3 * 86_400)).await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true(&is_due(due)).await;
    let path = format!("/v1/disputes/{}", dispute["id"].as_str().expect("an id"));
    assert_eq!((shop.reads_of(&path).await, shop.fetched().await), (1, json!(1)), "{:?}", shop.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_backwards_is_settled_by_one_read_and_an_answer_that_is_no_news_is_not_stored() {
    let shop = open(json!({})).await;
    let dispute = disputed(&shop).await;
    let id = dispute["id"].as_str().expect("an id");
    shop.show("evt_lost", 60, &with(dispute.clone(), json!({ "status": "lost" }))).await;
    shop.show("evt_back", 50, &dispute).await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("status = 'needs_response' from clawback_v1.disputes").await;
    let path = format!("/v1/disputes/{id}");
    assert_eq!((shop.reads_of(&path).await, shop.fetched().await), (1, json!(0)), "{:?}", shop.calls().await);
    shop.happens("win", id).await;
    shop.show("evt_lost_again", 40, &with(dispute.clone(), json!({ "status": "lost" }))).await;
    shop.show("evt_back_again", 30, &dispute).await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("status = 'won' from clawback_v1.disputes").await;
    assert_eq!((shop.reads_of(&path).await, shop.fetched().await), (2, json!(1)), "{:?}", shop.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disputed_charge_whose_dispute_was_lost_on_the_way_finds_it() {
    let shop = open(json!({})).await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    shop.app.db.settle().await;
    shop.lose_webhooks(1000).await;
    shop.happens("chargeback", &charge).await;
    let shown = shop.world.get(&format!("/v1/charges/{charge}"), &[]).await.body;
    assert_eq!(shown["disputed"], true);
    shop.show("evt_disputed", 90, &shown).await;
    shop.comes_true("state = 'paid' from clawback_v1.orders").await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("state = 'disputed' from clawback_v1.orders").await;
    assert_eq!(shop.reads_of("/v1/disputes").await, 1, "{:?}", shop.calls().await);
    shop.show("evt_disputed_again", 80, &shown).await;
    reads_end(&shop.world, &shop.app).await;
    assert_eq!(shop.reads_of("/v1/disputes").await, 1, "its dispute is known: {:?}", shop.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn charge_and_intent_of_a_refund_are_read_when_they_were_never_seen() {
    let shop = open(json!({ "enabled_events": ["refund.created"] })).await;
    let form = [
        ("amount", "1000"),
        ("currency", "eur"),
        ("confirm", "true"),
        ("payment_method", "pm_card_visa"),
        ("metadata[order_id]", "o_1"),
    ];
    let intent = shop.world.post("/v1/payment_intents", &form).await;
    let charge = intent.body["latest_charge"].as_str().expect("a charge").to_owned();
    shop.world.post("/v1/refunds", &[("charge", &charge), ("amount", "400")]).await;
    shop.comes_true("exists (select from clawback_v1.refunds)").await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("amount_paid = 1000 and amount_refunded = 400 from clawback_v1.orders where order_id = 'o_1'")
        .await;
    let paths = [format!("/v1/charges/{charge}"), format!("/v1/payment_intents/{}", intent.id())];
    for path in paths {
        assert_eq!(shop.reads_of(&path).await, 1, "{path}: {:?}", shop.calls().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_webhook_in_time_is_not_read() {
    let shop = open(json!({})).await;
    shop.world.control("webhooks/behaviour", json!({ "hold": true })).await;
    let charge = shop.world.pay("1000", "pm_card_visa").await;
    let of_charge = json!({ "charge": charge, "amount": 400 });
    shop.show("evt_early", 90, &refund("re_early", of_charge)).await;
    assert_eq!(shop.calls().await.len(), 1);
    shop.world.control("webhooks/release", json!({})).await;
    shop.comes_true("exists (select from clawback_v1.payments where amount_paid = 1000)").await;
    reads_end(&shop.world, &shop.app).await;
    assert_eq!(shop.reads_of(&format!("/v1/charges/{charge}")).await, 0);
    assert_eq!(shop.calls().await[0]["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_has_its_charge_read_with_all_its_refunds() {
    let shop = open(json!({})).await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let refund = async |amount| shop.world.post("/v1/refunds", &[("charge", &charge), ("amount", amount)]).await.id();
    let fails = refund("400").await;
    shop.comes_true("amount_refunded = 400 from clawback_v1.orders").await;
    shop.app.db.settle().await;
    shop.lose_webhooks(2).await;
    refund("300").await;
    shop.lose_webhooks(0).await;
    shop.happens("refund_fails", &fails).await;
    shop.comes_true("exists (select from clawback_v1.refunds where status = 'failed')").await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("amount_refunded = 300 from clawback_v1.orders").await;
    shop.comes_true("count(*) = 2 from clawback_v1.refunds").await;
    assert_eq!(shop.reads_of("/v1/refunds").await, 1, "{:?}", shop.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_capture_that_only_an_api_version_tells_about_is_settled_by_its_balance_transaction() {
    let shop = open(json!({ "enabled_events": ["payment_intent.succeeded"] })).await;
    let form = [
        ("amount", "1000"),
        ("currency", "eur"),
        ("confirm", "true"),
        ("payment_method", "pm_card_visa"),
        ("capture_method", "manual"),
        ("metadata[order_id]", "o_1"),
    ];
    let intent = shop.world.post("/v1/payment_intents", &form).await;
    let charge = intent.body["latest_charge"].as_str().expect("a charge").to_owned();
    shop.world.post(&format!("/v1/payment_intents/{}/capture", intent.id()), &[("amount_to_capture", "600")]).await;
    shop.comes_true("exists (select from clawback_v1.orders where amount_paid = 600)").await;
    shop.world.post("/v1/refunds", &[("charge", &charge), ("amount", "500")]).await;
    let path = format!("/v1/charges/{charge}");
    let shown = shop.world.get(&path, &[]).await.body;
    let old = json!({ "created": unix_now() - 90, "api_version": "2020-08-27" });
    shop.app.see(&[event_with("evt_old", 0, &shown, old)]).await;
    shop.comes_true("amount_refunded = 100 from clawback_v1.orders").await;
    let before = shop.reads_of(&path).await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("amount_refunded = 500 from clawback_v1.orders").await;
    assert_eq!(shop.reads_of(&path).await - before, 1, "{:?}", shop.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_does_not_know_is_asked_for_once() {
    let shop = open(json!({})).await;
    shop.show("evt_1", 90, &refund("re_1", json!({ "charge": "ch_elsewhere" }))).await;
    shop.show("evt_2", 80, &refund("re_2", json!({ "charge": "ch_else?where" }))).await;
    reads_end(&shop.world, &shop.app).await;
    assert_eq!(shop.reads_of("/v1/charges/ch_elsewhere").await, 1);
    for call in shop.calls().await {
        assert!(call["state"] == "done" && call["last_error"].is_string(), "{call}");
    }
    assert_eq!(shop.app.db.value("select max(failures) from clawback.api_accounts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_without_a_key_or_by_a_rebuild_or_replay() {
    let mut app = TestApp::start().await;
    let shown = [
        event_with("evt_1", 0, &refund("re_1", json!({ "charge": "ch_1", "status": "failed" })), json!({})),
        event_with("evt_2", 9, &refund("re_1", json!({ "charge": "ch_1", "status": "pending" })), json!({})),
    ];
    app.see(&shown).await;
    app.stop().await.expect("a clean end");
    let world = World::start().await;
    let acting = acting(&world);
    let app = TestApp::start_on(app.db.again(), |service| service.acting = acting).await;
    app.ready().await;
    app.db.until("select exists (select from clawback.api_keys)").await;
    app.command(&["rebuild", "--all"]).await;
    app.db.until("select not exists (select from clawback.rebuilds)").await;
    app.command(&["events", "replay", "evt_1", "evt_2", "--reason", "a rehearsal"]).await;
    app.db.settle().await;
    assert_eq!(app.db.value("select count(*) from clawback.api_calls").await, 0);
    let live = json!({ "livemode": true });
    app.see(&[event_with("evt_3", 20, &refund("re_3", json!({ "charge": "ch_3" })), live)]).await;
    assert_eq!(app.db.value("select count(*) from clawback.api_calls").await, 0, "there is no key for live mode");
    app.see(&[event_with("evt_4", 30, &refund("re_4", json!({ "charge": "ch_4" })), json!({}))]).await;
    assert_eq!(app.db.value("select count(*) from clawback.api_calls").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_of_which_every_event_arrives_asks_for_nothing() {
    let shop = open(json!({})).await;
    let refunded = shop.pay("o_1", "1000", "pm_card_visa").await;
    let disputed = shop.pay("o_2", "2000", "pm_card_visa").await;
    let warned = shop.pay("o_3", "3000", "pm_card_visa").await;
    shop.world.advance(10).await;
    shop.world.post("/v1/refunds", &[("charge", &refunded), ("amount", "400")]).await;
    let dispute = shop.happens("chargeback", &disputed).await;
    shop.happens("fraud_warning", &warned).await;
    shop.world.advance(10).await;
    shop.happens("win", dispute["id"].as_str().expect("an id")).await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("outcome = 'won' from clawback_v1.disputes").await;
    let requests = shop.world.look("requests?method=GET").await;
    let is_read = |request: &&Value| request["path"] != "/v1/events";
    let reads: Vec<_> = requests.as_array().expect("a list").iter().filter(is_read).collect();
    assert!(reads.is_empty(), "{reads:#?} {:?}", shop.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_leased_before_reads_and_takes_two_tokens() {
    let db = Database::migrated().await;
    db.execute(
        "insert into clawback.api_accounts (account, livemode, full_at) values ('', false, now() - interval '1 hour');
         insert into clawback.api_calls (kind, subject, account, livemode, run_at)
         values ('read_charge', 'ch_1', '', false, now() - interval '1 minute'),
                ('refund', '00000000-0000-0000-0000-000000000001', '', false, now()),
                ('read_refunds_of_charge', 'ch_1', '', false, now())",
    )
    .await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let mut leased = Vec::new();
    for _ in 0..3 {
        let rate = Rate { per_second: 2.0, at_once: 10 };
        let call = api_calls::lease(&mut conn, &[false], 60.0, rate, &["refund", "read_refunds_of_charge"]).await;
        let call = call.expect("an answer").expect("a call");
        // A token is half a second; the clock runs on meanwhile.
        let took = "select a.full_at > c.leased_until - interval '59.4 seconds'
                    from clawback.api_accounts a, clawback.api_calls c where c.state = 'leased'
                    order by c.leased_until desc limit 1";
        let took = db.value(took).await;
        leased.push((call.kind, took));
        db.execute("update clawback.api_accounts set full_at = now() - interval '1 hour'").await;
    }
    let expected = [("refund", true), ("read_charge", false), ("read_refunds_of_charge", true)];
    assert_eq!(leased, expected.map(|(kind, is_dear)| (kind.to_owned(), json!(is_dear))));
}

/// Two snapshots of one second that contradict each other have arrived: the dispute is to be read. Its path.
async fn contradiction(shop: &Shop) -> String {
    let dispute = disputed(shop).await;
    shop.happens("win", dispute["id"].as_str().expect("an id")).await;
    for (id, reason) in [("evt_a", "duplicate"), ("evt_b", "general")] {
        let shown = with(dispute.clone(), json!({ "status": "lost", "reason": reason }));
        shop.app
            .see(&[event_with(id, 0, &shown, json!({ "created": dispute["created"].as_i64().map(|at| at + 9) }))])
            .await;
    }
    format!("/v1/disputes/{}", dispute["id"].as_str().expect("an id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_lease_ran_out_is_made_again() {
    let shop = open(json!({})).await;
    let path = contradiction(&shop).await;
    shop.fault(json!({ "path": path, "kind": "slow", "millis": 2000 })).await;
    shop.world.control("clock", json!({ "stop_at": unix_now() })).await;
    shop.app.db.execute("update clawback.api_calls set run_at = now()").await;
    until("the read is under way", async || shop.reads_of(&path).await == 1).await;
    shop.expire_leases().await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("outcome = 'won' from clawback_v1.disputes").await;
    assert_eq!(shop.reads_of(&path).await, 2, "{:?}", shop.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_refused_for_its_key_waits_and_is_made_when_the_key_is_mended() {
    let shop = open(json!({})).await;
    let path = contradiction(&shop).await;
    shop.fault(json!({ "path": path, "kind": "refuse", "status": 401 })).await;
    reads_end(&shop.world, &shop.app).await;
    shop.comes_true("outcome = 'won' from clawback_v1.disputes").await;
    assert_eq!(shop.reads_of(&path).await, 2, "{:?}", shop.calls().await);
    let account = shop.app.db.rows("select failures, problem from clawback.api_accounts").await;
    assert_eq!(account, [json!({ "failures": 0, "problem": null })]);
}
