//! Promise: whoever holds rows, loses a key's right, or changes their mind in the middle of a call holds up nobody else, and
//! what a person removed is not submitted.

use std::time::Duration;

use clawback::desk::Policy;
use serde_json::json;

use crate::harness::until;
use crate::refund_shop::Shop;

const DAY: u64 = 86_400;

async fn submitting() -> Shop {
    Shop::open_with(|service| {
        service.desk = Policy { submit: Some(Duration::from_secs(12 * DAY)), ..Policy::default() }
    })
    .await
}

impl Shop {
    async fn complete(&self, dispute: &str) {
        self.stage(dispute, json!({ "product_kind": "digital", "service_date": "2 March 2026" })).await;
        self.attach(dispute, "customer_communication").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_on_one_dispute_does_not_keep_another_from_being_submitted() {
    let mut shop = submitting().await;
    shop.app.db.expect_errors(&["lock timeout"]);
    let held = shop.disputed("o_1", "pm_card_createDispute").await;
    let other = shop.disputed("o_2", "pm_card_createDispute").await;
    let open = shop
        .app
        .db
        .begin(&format!("select clawback_v1.stage_evidence('{held}', '{{\"customer_name\": \"x\"}}')"))
        .await;
    shop.complete(&other).await;
    shop.responded(&other, "submitted").await;
    open.rollback().await.expect("released");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_transactions_on_disputes_that_are_staged_do_not_keep_refunds_from_being_made() {
    let mut shop = Shop::open().await;
    shop.app.db.expect_errors(&["lock timeout"]);
    shop.app.db.execute("update clawback.settings set restored_at = null").await;
    let mut disputes = Vec::new();
    for order in ["o_1", "o_2"] {
        disputes.push(shop.disputed(order, "pm_card_createDispute").await);
    }
    shop.pay("o_3", "1000", "pm_card_visa").await;
    let slow = json!({ "method": "POST", "path": "/v1/disputes/*", "kind": "slow", "count": 2, "millis": 500 });
    shop.fault(slow).await;
    for dispute in &disputes {
        shop.complete(dispute).await;
    }
    let under_way = "select count(*) = 2 from clawback.api_calls where kind = 'stage' and state = 'leased'";
    shop.app.db.until(under_way).await;
    let open = shop.app.db.begin("select from clawback.dispute_responses for update").await;
    let id = shop.request("o_3", "return-1", "400").await;
    shop.until(&id, "succeeded").await;
    open.rollback().await.expect("released");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_was_removed_while_its_staging_was_in_doubt_is_not_submitted() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.fault(json!({ "method": "POST", "path": format!("/v1/disputes/{dispute}"), "kind": "cut_after", "count": 1 }))
        .await;
    shop.stage(&dispute, json!({ "uncategorized_text": "regretted" })).await;
    shop.complete(&dispute).await;
    until("Stripe holds it", async || shop.at_stripe(&dispute).await["evidence"]["uncategorized_text"] == "regretted")
        .await;
    shop.stage(&dispute, json!({ "uncategorized_text": null })).await;
    shop.submit(&dispute).await;
    shop.responded(&dispute, "submitted").await;
    assert!(shop.at_stripe(&dispute).await["evidence"]["uncategorized_text"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_is_unset_at_stripe_even_if_the_draft_is_incomplete_by_it() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.complete(&dispute).await;
    let at_stripe = async || shop.at_stripe(&dispute).await["evidence"]["service_date"].clone();
    until("Stripe holds it", async || at_stripe().await == "2 March 2026").await;
    shop.stage(&dispute, json!({ "service_date": null })).await;
    until("Stripe holds it no more", async || at_stripe().await.is_null()).await;
    let row = shop.responded(&dispute, "draft").await;
    assert_eq!(row["missing"], json!(["service_date"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_counted_while_the_draft_changes_leaves_it_as_complete_as_it_is() {
    let mut shop = Shop::open().await;
    shop.app.db.expect_errors(&["lock timeout"]);
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.stage(&dispute, json!({ "product_kind": "digital" })).await;
    shop.attach(&dispute, "customer_communication").await;
    let open = shop
        .app
        .db
        .begin(&format!(
            "update clawback.evidence_files set pages = null;
             select clawback_v1.stage_evidence('{dispute}', '{{\"service_date\": \"2 March 2026\"}}')"
        ))
        .await;
    open.commit().await.expect("committed");
    shop.app.db.until("select missing = '{}' and problems = '{}' from clawback_v1.dispute_responses").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_not_respond_to_disputes_still_makes_refunds_and_a_person_is_asked() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.pay("o_2", "1000", "pm_card_visa").await;
    shop.complete(&dispute).await;
    let forbid = json!({ "method": "POST", "path": format!("/v1/disputes/{dispute}"), "kind": "refuse", "status": 403,
        "code": "more_permissions_required", "count": 1000 });
    shop.fault(forbid).await;
    shop.submit(&dispute).await;
    shop.app
        .db
        .until("select exists (select from clawback_v1.follow_ups where kind = 'mend_evidence' and state = 'ready')")
        .await;
    let row = shop.responded(&dispute, "submit_requested").await;
    assert!(row["error"].as_str().expect("an error").contains("403"), "{row}");
    let problems = "select count(*) from clawback.api_accounts where problem is not null or paused_until > now()";
    assert_eq!(shop.app.db.value(problems).await, 0);
    let id = shop.request("o_2", "return-1", "400").await;
    shop.until(&id, "succeeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reviewed_the_inquiry_does_not_submit_the_chargeback_unseen() {
    let mut shop = Shop::open().await;
    shop.app.db.expect_errors(&["somebody changed it"]);
    let dispute = shop.disputed("o_1", "pm_card_createDisputeInquiry").await;
    assert_eq!(shop.stage(&dispute, json!({ "customer_name": "Jane" })).await, 1);
    shop.world.control("bank", json!({ "happens": "escalate", "id": dispute })).await;
    shop.app.db.until("select exists (select from clawback_v1.dispute_responses where phase = 'chargeback')").await;
    let error = shop.app.db.refusal(&format!("select clawback_v1.submit_evidence('{dispute}', 1)")).await;
    assert!(error.contains("is version 2, not 1"), "{error}");
}
