//! Promise: after an outage longer than Stripe lists events, refunds and disputes are right all the same; and what may
//! change without a webhook is read again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::refund_shop::Shop;
use crate::sync::{first_pass, lose_webhooks, sync, synced};

const DAY: i64 = 86_400;

/// A shop whose last complete pass was this many days ago, after which a dispute was lost and a refund was made, all unseen.
async fn after_an_outage(days: i64) -> Shop {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    shop.world.stop_clock(days * DAY).await;
    let refunded = shop.pay("o_1", "1000", "pm_card_visa").await;
    let disputed = shop.pay("o_2", "2000", "pm_card_createDispute").await;
    shop.app.db.until("select exists (select from clawback_v1.disputes)").await;
    let mark = format!("update clawback.api_accounts set caught_up_at = now() - interval '{days} days'");
    shop.app.db.execute(&mark).await;
    lose_webhooks(&shop).await;
    shop.world.stop_clock(days * DAY - 600).await;
    shop.world.post("/v1/refunds", &[("charge", &refunded), ("amount", "300")]).await;
    let dispute = shop.world.dispute_of(&disputed).await;
    shop.world.control("bank", json!({ "happens": "lose", "id": dispute["id"] })).await;
    shop.world.stop_clock(0).await;
    shop
}

async fn states(shop: &Shop) -> Vec<Value> {
    let orders = "select order_id, state, amount_refunded, amount_lost from clawback_v1.orders order by 1";
    shop.app.db.rows(orders).await
}

fn true_states() -> [Value; 2] {
    [
        json!({ "order_id": "o_1", "state": "partially_refunded", "amount_refunded": 300, "amount_lost": 0 }),
        json!({ "order_id": "o_2", "state": "charged_back", "amount_refunded": 0, "amount_lost": 2000 }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_29_days_is_made_up_by_the_list_of_events() {
    let shop = after_an_outage(29).await;
    let outcomes = synced(&shop, &[]).await;
    assert_eq!(states(&shop).await, true_states());
    assert_eq!(outcomes[0]["reached"], Value::Null, "{outcomes}");
    assert_eq!(outcomes[0]["new"]["clawback.fetched"], Value::Null, "no object is read: {outcomes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_longer_outage_refunds_and_disputes_are_read_by_their_own_lists_with_a_warning() {
    let shop = after_an_outage(50).await;
    let outcomes = synced(&shop, &["--dry-run"]).await;
    assert_ne!(states(&shop).await, true_states(), "a dry run changes nothing");
    assert_eq!(outcomes[0]["new"], json!({ "clawback.fetched": 3 }), "the dispute twice: {outcomes}");
    let told = sync(&shop, &[]).await;
    shop.app.db.settle().await;
    assert!(told.stdout.contains("warning: Stripe lists no events before 20"), "{}", told.stdout);
    assert_eq!(states(&shop).await, true_states());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_was_won_after_it_had_been_lost_is_found_after_a_longer_outage() {
    let shop = after_an_outage(50).await;
    synced(&shop, &[]).await;
    let dispute = shop.app.db.value("select dispute_id from clawback_v1.disputes").await;
    shop.world.stop_clock(45 * DAY).await;
    shop.world.control("bank", json!({ "happens": "win_late", "id": dispute })).await;
    shop.world.stop_clock(0).await;
    // The dispute itself is older than what the lists are read from.
    shop.app.db.execute("update clawback.api_accounts set caught_up_at = now() - interval '46 days'").await;
    shop.app.db.execute("update clawback.disputes set created_at = now() - interval '300 days'").await;
    synced(&shop, &[]).await;
    assert_eq!(shop.app.db.value("select outcome from clawback_v1.disputes").await, "won");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_disputes_and_refunds_under_way_are_read_again() {
    let shop = Shop::open_with(|service| {
        service.acting.sync_pace.reread = Duration::from_millis(20);
        service.acting.sync_pace.reread_after = Duration::ZERO;
    })
    .await;
    first_pass(&shop).await;
    shop.world.stop_clock(DAY).await;
    let refunded = shop.pay("o_1", "1000", "pm_card_pendingRefund").await;
    let disputed = shop.pay("o_2", "2000", "pm_card_createDispute").await;
    let open = shop.pay("o_3", "3000", "pm_card_createDispute").await;
    let open = shop.world.dispute_of(&open).await["id"].as_str().expect("an id").to_owned();
    let refund = shop.world.post("/v1/refunds", &[("charge", &refunded), ("amount", "300")]).await;
    assert_eq!(refund.body["status"], "pending");
    let known = "select exists (select from clawback_v1.refunds where status = 'pending')
                     and (select count(*) = 2 from clawback_v1.disputes where outcome is null)";
    shop.app.db.until(known).await;
    lose_webhooks(&shop).await;
    shop.world.stop_clock(DAY / 2).await;
    let dispute = shop.world.dispute_of(&disputed).await;
    shop.world.control("bank", json!({ "happens": "lose", "id": dispute["id"] })).await;
    shop.app.db.until("select exists (select from clawback_v1.refunds where status = 'succeeded')").await;
    shop.app.db.until("select exists (select from clawback_v1.disputes where outcome = 'lost')").await;
    let read_after = |since: &str| {
        format!("select exists (select from clawback.object_reads where object_id = '{open}' and read_at > '{since}')")
    };
    for _ in 0..2 {
        let now = shop.app.db.value("select clock_timestamp()").await;
        shop.app.db.until(&read_after(now.as_str().expect("a time"))).await;
    }
    shop.app.db.settle().await;
    let fetched =
        format!("select count(*) from clawback_v1.events where type = 'clawback.fetched' and object_id = '{open}'");
    assert_eq!(shop.app.db.value(&fetched).await, 0, "what says nothing new is not stored");
}
