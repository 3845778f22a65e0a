//! Promise: an account whose webhooks were never received is imported: the same state, and no follow-ups for what is over.

use serde_json::{Value, json};

use crate::binary::{Ended, run};
use crate::double_world::World;
use crate::harness::{Database, SECRET, STATE, TestApp, until};
use crate::refund_shop::{Shop, acting};
use crate::sync::{lose_webhooks, paid_unseen, sync, synced};

/// A second service with a key for the same account, which gets no webhooks.
async fn without_webhooks(shop: &Shop) -> TestApp {
    let acting = acting(&shop.world);
    let app = TestApp::start_on(Database::migrated().await, |service| service.acting = acting).await;
    app.ready().await;
    app.db.until("select exists (select from clawback.api_accounts where caught_up_at is not null)").await;
    app
}

async fn import(app: &TestApp, world: &World, options: &[&str]) -> Ended {
    let environment = [
        ("DATABASE_URL", app.db.url.as_str()),
        ("STRIPE_API_KEY", "sk_test_1"),
        ("STRIPE_API_BASE", &world.url),
        ("STRIPE_FILES_BASE", &world.url),
    ];
    run(&[&["sync", "--from-scratch", "30"], options].concat(), &environment).await
}

async fn imported(app: &TestApp, world: &World) -> Ended {
    let ended = import(app, world, &["--yes"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    app.db.settle().await;
    ended
}

/// All state but follow-ups.
async fn state(app: &TestApp) -> Vec<Vec<Value>> {
    let mut state = Vec::new();
    for query in &STATE[..4] {
        state.push(app.db.rows(query).await);
    }
    state
}

/// Payments in many states.
async fn busy(shop: &Shop) {
    let world = &shop.world;
    shop.pay("o_paid", "1000", "pm_card_visa").await;
    let partly = shop.pay("o_partly", "1000", "pm_card_visa").await;
    world.post("/v1/refunds", &[("charge", &partly), ("amount", "250")]).await;
    world.post("/v1/refunds", &[("charge", &partly), ("amount", "150")]).await;
    let refunded = shop.pay("o_refunded", "1000", "pm_card_visa").await;
    world.post("/v1/refunds", &[("charge", &refunded)]).await;
    let failed = shop.pay("o_failed", "1000", "pm_card_pendingRefund").await;
    let refund = world.post("/v1/refunds", &[("charge", &failed)]).await.id();
    world.control("bank", json!({ "happens": "refund_fails", "id": refund })).await;
    shop.pay("o_disputed", "1000", "pm_card_createDispute").await;
    let lost = shop.pay("o_lost", "1000", "pm_card_createDispute").await;
    let dispute = world.dispute_of(&lost).await;
    world.control("bank", json!({ "happens": "lose", "id": dispute["id"] })).await;
    let warned = shop.pay("o_warned", "1000", "pm_card_visa").await;
    world.control("bank", json!({ "happens": "fraud_warning", "id": warned })).await;
    let form = [
        ("amount", "1000"),
        ("currency", "eur"),
        ("confirm", "true"),
        ("payment_method", "pm_card_visa"),
        ("capture_method", "manual"),
        ("metadata[order_id]", "o_authorized"),
    ];
    world.post("/v1/payment_intents", &form).await;
    let all = "select count(*) = 8 from clawback_v1.orders where state <> 'pending'";
    shop.app.db.until(all).await;
    let last = "select exists (select from clawback_v1.orders where order_id = 'o_lost' and amount_lost > 0)
        and exists (select from clawback_v1.fraud_warnings)
        and exists (select from clawback_v1.refunds where status = 'failed')";
    shop.app.db.until(last).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_gives_the_state_that_webhooks_gave_and_asks_for_nothing_old() {
    let shop = Shop::open().await;
    let app = without_webhooks(&shop).await;
    busy(&shop).await;
    shop.app.db.settle().await;
    let estimate = import(&app, &shop.world, &["--dry-run"]).await.stdout;
    assert!(estimate.starts_with("test mode: about 8 payment intents, 8 charges, "), "{estimate}");
    assert_eq!(app.db.value("select count(*) from clawback_v1.events").await, 0, "a dry run changes nothing");
    let refused = import(&app, &shop.world, &[]).await;
    assert_eq!((refused.code, refused.stderr.contains("add --yes")), (Some(1), true), "{}", refused.stderr);
    imported(&app, &shop.world).await;
    assert_eq!(state(&app).await, state(&shop.app).await);
    let asked = "select distinct kind from clawback_v1.follow_ups where state = 'ready' order by 1";
    let kinds: Vec<_> = app.db.rows(asked).await.into_iter().map(|row| row["kind"].clone()).collect();
    let open = [
        "collect_evidence",
        "consider_refund",
        "decide_fulfilment",
        "hold_fulfilment",
        "resolve_failed_refund",
        "warn_evidence_due",
    ];
    assert!(kinds.iter().all(|kind| open.contains(&kind.as_str().expect("text"))), "history told as news: {kinds:?}");
    assert!(kinds.contains(&json!("collect_evidence")), "what is open is asked for: {kinds:?}");
    let events = app.db.value("select count(*) from clawback_v1.events").await;
    imported(&app, &shop.world).await;
    assert_eq!(app.db.value("select count(*) from clawback_v1.events").await, events, "a second one finds nothing new");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_runs_beside_webhooks_and_what_comes_after_it_is_news() {
    let shop = Shop::open().await;
    let app = without_webhooks(&shop).await;
    busy(&shop).await;
    let endpoint = json!({ "url": format!("{}/webhooks/stripe", app.url), "secrets": [SECRET], "scope": "account" });
    shop.world.control("webhooks", endpoint).await;
    let (_, charge) = tokio::join!(imported(&app, &shop.world), shop.pay("o_new", "500", "pm_card_visa"));
    // The beginning of the import is to the second.
    shop.world.advance(2).await;
    shop.world.post("/v1/refunds", &[("charge", &charge)]).await;
    let refunded = "select exists (select from clawback_v1.orders where order_id = 'o_new' and state = 'refunded')";
    app.db.until(refunded).await;
    // Several webhooks tell of it, to each of the two in an order of its own.
    until("both know the same", async || state(&app).await == state(&shop.app).await).await;
    let asked = "select state from clawback_v1.follow_ups
                 where kind = 'notify_refund' and order_id = 'o_new' and wanted";
    assert_eq!(app.db.rows(asked).await, [json!({ "state": "ready" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_interrupted_goes_on_where_it_was() {
    let shop = Shop::open().await;
    let app = without_webhooks(&shop).await;
    busy(&shop).await;
    shop.app.db.settle().await;
    // After the estimate.
    let cut = json!({ "path": "/v1/refunds", "kind": "refuse", "status": 403, "code": "", "skip": 1, "count": 1 });
    shop.world.control("faults", cut).await;
    let stopped = import(&app, &shop.world, &["--yes"]).await;
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    let row = app.db.rows("select part, held_by from clawback.syncs where kind = 'import'").await.remove(0);
    assert_eq!((&row["part"], &row["held_by"]), (&json!(3), &Value::Null), "intents, charges and sessions are read");
    let resumed = imported(&app, &shop.world).await;
    assert!(resumed.stderr.contains("an import of test mode was interrupted and continues"), "{}", resumed.stderr);
    let charges = shop.world.look("requests?method=GET&path=/v1/charges").await;
    assert_eq!(charges.as_array().expect("requests").len(), 3, "two estimates and one reading");
    assert_eq!(state(&app).await, state(&shop.app).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_takes_long_tells_no_history_as_news_either() {
    let shop = Shop::open().await;
    lose_webhooks(&shop).await;
    let charge = paid_unseen(&shop, "o_1").await;
    shop.world.control("bank", json!({ "happens": "chargeback", "id": charge })).await;
    let dispute = shop.world.dispute_of(&charge).await;
    shop.world.control("bank", json!({ "happens": "lose", "id": dispute["id"] })).await;
    // The disputes are read some seconds after the import began.
    shop.fault(json!({ "method": "GET", "path": "/v1/refunds", "kind": "slow", "count": 1, "millis": 2_500 })).await;
    synced(&shop, &["--from-scratch", "5", "--yes"]).await;
    let lost = "select state from clawback_v1.follow_ups where kind = 'record_dispute_lost'";
    assert_eq!(shop.app.db.value(lost).await, "discarded");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_passes_over_what_it_can_do_without_and_refuses_a_future_beginning() {
    let shop = Shop::open().await;
    lose_webhooks(&shop).await;
    paid_unseen(&shop, "o_1").await;
    let needed = ["rak_charge_read", "rak_payment_intent_read", "rak_dispute_read", "rak_event_read"];
    let restricted = json!({ "key": "sk_test_1", "standing": "restricted", "permissions": needed });
    shop.world.control("keys", restricted).await;
    let found = synced(&shop, &["--from-scratch", "5", "--yes"]).await;
    let passed_over = json!(["checkout sessions", "early fraud warnings", "open reviews"]);
    assert_eq!(found[0]["passed_over"], passed_over, "{found}");
    shop.app.db.until("select exists (select from clawback_v1.orders where order_id = 'o_1')").await;
    let future = sync(&shop, &["--from-scratch", "5", "--yes", "--ask-since", "2099-01-01T00:00:00Z"]).await;
    assert_eq!(future.code, Some(2), "{}", future.stderr);
}
