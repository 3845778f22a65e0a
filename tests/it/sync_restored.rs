//! Promise: after a restore, IDs go on above what was given out, and refunds wait until missed events were listed.

use serde_json::json;

use crate::binary::run;
use crate::refund_shop::Shop;
use crate::sync::{environment, first_pass};

async fn restored(shop: &Shop, options: &[&str]) -> String {
    let ended = run(&[&["restored", "--by", "ann"], options].concat(), &environment(shop)).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_go_on_a_million_above_and_missed_events_are_listed() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    shop.pay("o_1", "1000", "pm_card_visa").await;
    let last = shop.app.db.value("select max(id) from clawback_v1.order_history").await.as_i64().expect("an id");
    let told = restored(&shop, &[]).await;
    assert!(told.contains("order_history goes on with id 100") && told.contains("listed since"), "{told}");
    shop.pay("o_2", "1000", "pm_card_visa").await;
    let next = "select min(id) from clawback_v1.order_history where order_id = 'o_2'";
    assert!(shop.app.db.value(next).await.as_i64() > Some(last + 1_000_000));
    let recorded = "select actor, via, subject_kind from clawback_v1.actions where action = 'restored'";
    let action = json!({ "actor": "ann", "via": "cli", "subject_kind": "database" });
    assert_eq!(shop.app.db.rows(recorded).await, [action]);
    let again = restored(&shop, &[]).await;
    assert!(again.starts_with("this command ran before, at 20"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_waits_until_missed_events_were_listed_and_is_then_made_once() {
    let shop = Shop::open().await;
    first_pass(&shop).await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let refused = json!({ "path": "/v1/events", "kind": "refuse", "status": 403, "code": "", "count": 1000 });
    shop.world.control("faults", refused).await;
    restored(&shop, &["--no-sync"]).await;
    shop.app.db.until("select exists (select from clawback.syncs where failures > 0)").await;
    let id = shop.request("o_1", "return-1", "400").await;
    shop.app.db.until("select exists (select from clawback.syncs where failures > 2)").await;
    assert_eq!((&shop.row(&id).await["state"], shop.world.refunds_of(&charge).await), (&json!("requested"), 0));
    let faults = shop.app.client.delete(format!("{}/_double/faults", shop.world.url));
    assert!(faults.send().await.expect("an answer").status().is_success());
    shop.until(&id, "succeeded").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 1);
}
