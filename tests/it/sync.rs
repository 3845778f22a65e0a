//! Promise: what Stripe could not deliver is found and enters the ledger, from where the last pass left off.

use std::collections::BTreeSet;

use clawback::store::syncs;
use serde_json::{Value, json};

use crate::binary::{Ended, command, run};
use crate::harness::TestApp;
use crate::refund_shop::{Shop, acting};

/// `clawback sync` with the key of the double.
pub async fn sync(shop: &Shop, options: &[&str]) -> Ended {
    run(&[&["sync"], options].concat(), &environment(shop)).await
}

/// The environment of a command that calls the double.
pub fn environment(shop: &Shop) -> [(&str, &str); 4] {
    [
        ("DATABASE_URL", &shop.app.db.url),
        ("STRIPE_API_KEY", "sk_test_1"),
        ("STRIPE_API_BASE", &shop.world.url),
        ("STRIPE_FILES_BASE", &shop.world.url),
    ]
}

/// The outcomes of a `sync` that succeeds.
pub async fn synced(shop: &Shop, options: &[&str]) -> Value {
    let ended = sync(shop, &[options, &["--json"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    shop.app.db.settle().await;
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// Waits until the pass at the start is over.
pub async fn first_pass(shop: &Shop) {
    shop.app.db.until("select exists (select from clawback.api_accounts where caught_up_at is not null)").await;
}

/// Whatever happens from now on comes by no webhook.
pub async fn lose_webhooks(shop: &Shop) {
    shop.world.control("webhooks/behaviour", json!({ "lose": 1_000_000 })).await;
}

/// A payment of which no webhook arrives.
pub async fn paid_unseen(shop: &Shop, order: &str) -> String {
    let form = [
        ("amount", "1000"),
        ("currency", "eur"),
        ("confirm", "true"),
        ("payment_method", "pm_card_visa"),
        ("metadata[order_id]", order),
    ];
    shop.world.post("/v1/payment_intents", &form).await.body["latest_charge"].as_str().expect("a charge").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_whose_webhooks_were_lost_are_found() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    let seen = shop.pay("o_1", "1000", "pm_card_visa").await;
    lose_webhooks(&shop).await;
    shop.world.post("/v1/refunds", &[("charge", &seen), ("amount", "300")]).await;
    paid_unseen(&shop, "o_2").await;
    let rehearsed = sync(&shop, &["--dry-run", "--json"]).await;
    let rehearsed: Value = serde_json::from_str(&rehearsed.stdout).expect("JSON");
    assert_eq!(shop.app.db.value("select count(*) from clawback_v1.orders").await, 1, "a dry run changes nothing");
    let outcomes = synced(&shop, &[]).await;
    let new = json!({ "charge.refunded": 1, "charge.succeeded": 1, "payment_intent.created": 1,
        "payment_intent.succeeded": 1, "refund.created": 1 });
    assert_eq!((&outcomes[0]["new"], &outcomes[0]["livemode"]), (&new, &json!(false)), "{outcomes}");
    assert_eq!((&rehearsed[0]["new"], &rehearsed[0]["listed"]), (&new, &outcomes[0]["listed"]));
    let orders = "select order_id, state, amount_paid, amount_refunded from clawback_v1.orders order by 1";
    let expected = [
        json!({ "order_id": "o_1", "state": "partially_refunded", "amount_paid": 1000, "amount_refunded": 300 }),
        json!({ "order_id": "o_2", "state": "paid", "amount_paid": 1000, "amount_refunded": 0 }),
    ];
    assert_eq!(shop.app.db.rows(orders).await, expected);
    let asked = "select exists (select from clawback_v1.follow_ups where kind = 'notify_refund' and state = 'ready')";
    assert_eq!(shop.app.db.value(asked).await, true, "what was missed is news");
    let again = synced(&shop, &[]).await;
    assert_eq!((&again[0]["new"], &again[0]["listed"]), (&json!({}), &outcomes[0]["listed"]), "all of it is known");
    let shown = sync(&shop, &[]).await.stdout;
    assert!(shown.starts_with("test mode: ") && shown.contains(" items listed since 20"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_reads_from_an_hour_before_the_last_one_that_was_complete() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    let mark = "select caught_up_at from clawback.api_accounts";
    shop.app.db.execute("update clawback.api_accounts set caught_up_at = now() - interval '10 days'").await;
    shop.world.control("faults", json!({ "path": "/v1/events", "kind": "refuse", "status": 403, "code": "" })).await;
    let before = shop.app.db.value(mark).await;
    let refused = sync(&shop, &[]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("the next run continues from there"), "{}", refused.stderr);
    assert_eq!(shop.app.db.value(mark).await, before, "the mark stays until a pass is complete");
    let outcomes = synced(&shop, &[]).await;
    let ten_days = shop.app.db.value("select now() - interval '10 days 1 hour'").await;
    let day = |time: &Value| time.as_str().expect("a time")[..13].to_owned();
    assert_eq!(day(&outcomes[0]["from"]), day(&ten_days));
    assert_ne!(shop.app.db.value(mark).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_goes_on_from_the_last_page_that_was_stored() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    lose_webhooks(&shop).await;
    for order in 0..90 {
        paid_unseen(&shop, &format!("o_{order}")).await;
        shop.world.advance(1).await;
    }
    // All pages are slow but the first.
    let slow = json!({ "path": "/v1/events", "kind": "slow", "millis": 60_000, "skip": 1, "count": 20 });
    shop.world.control("faults", slow).await;
    let mut killed = command(&["sync"], &environment(&shop)).spawn().expect("the binary runs");
    shop.app.db.until("select exists (select from clawback.syncs where part = 0 and added = 100)").await;
    killed.kill().await.expect("it is killed");
    let faults = shop.app.client.delete(format!("{}/_double/faults", shop.world.url));
    assert!(faults.send().await.expect("an answer").status().is_success());
    shop.app.db.execute("update clawback.syncs set held_until = now()").await;
    let outcomes = synced(&shop, &[]).await;
    let new: i64 = outcomes[0]["new"].as_object().expect("types").values().filter_map(Value::as_i64).sum();
    assert_eq!(100 + new, 270, "{outcomes}");
    assert!(outcomes[0]["listed"].as_i64() < Some(180), "what was stored is not listed again: {outcomes}");
    let orders = shop.app.db.rows("select order_id from clawback_v1.orders").await;
    assert_eq!(orders.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_that_holds_the_pass_is_waited_for() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    let hold = "update clawback.syncs set held_by = gen_random_uuid(), held_until = now() + interval '2 seconds'";
    shop.app.db.execute(hold).await;
    let waited = sync(&shop, &[]).await;
    assert_eq!(waited.code, Some(0), "{}", waited.stderr);
    assert!(waited.stderr.contains("another process is catching up with test mode; waiting"), "{}", waited.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_connected_account_are_listed_on_it() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    let (world, db) = (&shop.world, &shop.app.db);
    world.control("accounts", json!({ "id": "acct_1" })).await;
    let pay = async |order: &str| {
        let form = [("amount", "1000"), ("currency", "eur"), ("confirm", "true"), ("payment_method", "pm_card_visa")];
        let form = [&form[..], &[("metadata[order_id]", order)]].concat();
        let request = world.request("POST", "/v1/payment_intents", &form).header("Stripe-Account", "acct_1");
        assert!(request.send().await.expect("an answer").status().is_success());
    };
    let endpoint = json!({ "url": format!("{}/webhooks/stripe", shop.app.url), "secrets": [crate::harness::SECRET],
        "scope": "connect" });
    world.control("webhooks", endpoint).await;
    pay("o_1").await;
    db.until("select exists (select from clawback_v1.orders where account = 'acct_1' and amount_paid > 0)").await;
    db.until("select exists (select from clawback.api_accounts where account = 'acct_1' and caught_up_at is not null)")
        .await;
    lose_webhooks(&shop).await;
    pay("o_2").await;
    let outcomes = synced(&shop, &[]).await;
    assert_eq!((&outcomes[0]["account"], &outcomes[0]["new"]), (&Value::Null, &json!({})), "{outcomes}");
    assert_eq!(outcomes[1]["account"], "acct_1");
    let order = "select account, state from clawback_v1.orders where order_id = 'o_2'";
    assert_eq!(db.rows(order).await, [json!({ "account": "acct_1", "state": "paid" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_key_has_no_access_to_any_more_is_passed_over() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    let event = json!({ "id": "evt_1", "object": "event", "type": "payment_intent.created", "account": "acct_gone",
        "created": 1_790_000_000, "livemode": false, "data": { "object": { "id": "pi_1", "object": "payment_intent",
        "amount": 1000, "amount_received": 0, "currency": "eur", "status": "processing", "created": 1_790_000_000 } } });
    shop.app.see(&[event.to_string()]).await;
    shop.app.db.until("select exists (select from clawback.syncs where account = 'acct_gone' and disconnected)").await;
    let told = sync(&shop, &[]).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("test mode, acct_gone: passed over, the API key has no access"), "{}", told.stdout);
    let mut conn = shop.app.db.pool.acquire().await.expect("a connection");
    assert!(syncs::age(&mut conn).await.expect("an age") < 60.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_without_a_key_is_refused_before_anything_is_asked() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    let live = sync(&shop, &["--mode", "live"]).await;
    assert_eq!((live.code, live.stderr.contains("STRIPE_API_KEYS has no key of live mode")), (Some(2), true));
    let none = run(&["sync"], &environment(&shop)[..1]).await;
    assert_eq!((none.code, none.stderr.contains("STRIPE_API_KEYS is missing")), (Some(2), true), "{}", none.stderr);
    let one = synced(&shop, &["--mode", "test", "--account", "acct_none"]).await;
    assert_eq!((&one[0]["account"], &one[0]["disconnected"]), (&json!("acct_none"), &json!(true)), "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_starts_finds_by_itself_what_was_missed() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    lose_webhooks(&shop).await;
    paid_unseen(&shop, "o_1").await;
    let acting = acting(&shop.world);
    let _replica = TestApp::start_on(shop.app.db.again(), |service| service.acting = acting).await;
    shop.app.db.until("select exists (select from clawback_v1.orders where order_id = 'o_1' and state = 'paid')").await;
}
