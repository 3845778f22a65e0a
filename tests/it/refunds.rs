//! Promise: a refund that a service requests in SQL is made once at Stripe, and its row shows its state.

use serde_json::json;

use crate::refund_shop::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_requested_in_sql_is_made_and_comes_back_by_webhook() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let id = shop.request("o_1", "return-1", "400").await;
    let row = shop.until(&id, "succeeded").await;
    assert_eq!((&row["amount"], &row["currency"], &row["error"]), (&json!(400), &json!("eur"), &json!(null)), "{row}");
    shop.app.db.until("select exists (select from clawback_v1.refunds)").await;
    shop.app.db.until("select amount_refunded = 400 from clawback_v1.orders where order_id = 'o_1'").await;
    let refund = shop.app.db.rows("select * from clawback_v1.refunds").await.remove(0);
    assert_eq!((&refund["request_key"], &refund["refund_id"]), (&json!("return-1"), &row["refund_id"]));
    assert_eq!(shop.world.refunds_of(&charge).await, 1);
    assert_eq!(shop.request("o_1", "return-1", "400").await, id, "the same key is the same request");
    let rest = shop.request("o_1", "return-2", "null").await;
    assert_eq!(shop.until(&rest, "succeeded").await["amount"], 600, "all that was left");
    shop.app.db.until("select state = 'refunded' from clawback_v1.orders where order_id = 'o_1'").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 2);
}
