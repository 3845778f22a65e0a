//! Promise: before a deadline the service does what the policy says, and nothing else: a complete draft is submitted, an
//! incomplete one or one with a fee never; small disputes are accepted only after an announcement that nobody answered.

use std::time::Duration;

use clawback::desk::{Limit, Policy};
use serde_json::json;

use crate::refund_shop::Shop;

const DAY: u64 = 86_400;

/// The double's disputes are due in nine days.
async fn submitting() -> Shop {
    Shop::open_with(|service| {
        service.desk = Policy { submit: Some(Duration::from_secs(12 * DAY)), ..Policy::default() }
    })
    .await
}

async fn accepting() -> Shop {
    let limit = Limit { reason: "product_not_received".to_owned(), below: 1_001, currency: "eur".to_owned() };
    Shop::open_with(|service| service.desk = Policy { accept: vec![limit], ..Policy::default() }).await
}

impl Shop {
    /// Waits until the desk has looked at everything since now: a file attached to another dispute is counted.
    async fn a_round_passes(&self, other: &str) {
        self.attach(other, "receipt").await;
        self.attach(other, "customer_communication").await;
    }

    async fn actions(&self, dispute: &str) -> Vec<String> {
        let done = format!("select action from clawback_v1.actions where subject = '{dispute}' order by id");
        self.app.db.rows(&done).await.iter().map(|row| row["action"].as_str().expect("an action").to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_draft_is_submitted_before_its_deadline_and_an_incomplete_one_is_not() {
    let shop = submitting().await;
    let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
    let other = shop.disputed("o_2", "pm_card_createDispute").await;
    shop.stage(&dispute, json!({ "product_kind": "digital", "access_activity_log": "2 March: downloaded" })).await;
    shop.attach(&dispute, "receipt").await;
    shop.a_round_passes(&other).await;
    let row = shop.responded(&dispute, "draft").await;
    assert_eq!(row["missing"], json!(["customer_communication"]), "{row}");
    shop.attach(&dispute, "customer_communication").await;
    shop.responded(&dispute, "submitted").await;
    assert_eq!(shop.at_stripe(&dispute).await["evidence_details"]["submission_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_draft_is_not_submitted_earlier_than_configured_or_without_a_policy() {
    for before in [None, Some(Duration::from_secs(DAY))] {
        let shop = Shop::open_with(|service| service.desk = Policy { submit: before, ..Policy::default() }).await;
        let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
        let other = shop.disputed("o_2", "pm_card_createDispute").await;
        shop.stage(&dispute, json!({ "product_kind": "digital", "access_activity_log": "2 March: downloaded" })).await;
        shop.attach(&dispute, "receipt").await;
        shop.attach(&dispute, "customer_communication").await;
        shop.app.db.until("select is_staged from clawback_v1.dispute_responses where missing = '{}'").await;
        shop.a_round_passes(&other).await;
        shop.responded(&dispute, "draft").await;
        if before.is_some() {
            // The deadline comes near.
            shop.app.db.execute("update clawback.disputes set evidence_due_by = now() + interval '23 hours'").await;
            shop.responded(&dispute, "submitted").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_past_its_deadline_is_not_submitted_automatically() {
    let shop = submitting().await;
    let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
    let other = shop.disputed("o_2", "pm_card_createDispute").await;
    // Whatever the double shows later.
    shop.app
        .db
        .execute(
            "create function public.late() returns trigger language plpgsql as
             $$ begin new.evidence_due_by := now() - interval '1 minute'; return new; end $$;
             create trigger late before update on clawback.disputes for each row execute function public.late();
             update clawback.disputes set evidence_due_by = null",
        )
        .await;
    shop.stage(&dispute, json!({ "product_kind": "digital", "access_activity_log": "2 March: downloaded" })).await;
    shop.attach(&dispute, "receipt").await;
    shop.attach(&dispute, "customer_communication").await;
    shop.a_round_passes(&other).await;
    shop.responded(&dispute, "draft").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_dispute_is_accepted_after_an_announcement() {
    let shop = accepting().await;
    let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
    let row = shop.responded(&dispute, "draft").await;
    assert_eq!(row["version"], 0, "{row}");
    let announced = "select accept_after between now() + interval '23 hours' and now() + interval '24 hours'
                     from clawback_v1.dispute_responses";
    shop.app.db.until(announced).await;
    assert_eq!(shop.at_stripe(&dispute).await["status"], "needs_response", "not before");
    shop.app.db.execute("update clawback.dispute_responses set accept_after = now()").await;
    shop.responded(&dispute, "accepted").await;
    assert_eq!(shop.at_stripe(&dispute).await["status"], "lost");
    assert_eq!(shop.actions(&dispute).await, ["announce_acceptance", "accept_dispute", "response_accepted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_change_of_the_draft_cancels_an_announced_acceptance_for_good() {
    let shop = accepting().await;
    let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
    let other = shop.disputed("o_2", "pm_card_createDispute").await;
    shop.app.db.until("select accept_after is not null from clawback_v1.dispute_responses").await;
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    shop.a_round_passes(&other).await;
    let row = shop.responded(&dispute, "draft").await;
    assert!(row["accept_after"].is_null(), "{row}");
    assert_eq!(shop.at_stripe(&dispute).await["status"], "needs_response");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_of_another_reason_amount_or_phase_is_not_accepted() {
    let shop = accepting().await;
    let reason = shop.disputed("o_1", "pm_card_createDispute").await;
    let inquiry = shop.disputed("o_2", "pm_card_createDisputeInquiry").await;
    let charge = shop.pay("o_3", "1001", "pm_card_createDisputeProductNotReceived").await;
    let amount = shop.dispute(&charge).await;
    let due = shop.disputed("o_4", "pm_card_createDisputeProductNotReceived").await;
    shop.app.db.until("select accept_after is not null from clawback_v1.dispute_responses").await;
    shop.a_round_passes(&reason).await;
    for (dispute, why) in [(reason, "its reason"), (inquiry, "it is an inquiry"), (amount, "its amount")] {
        let status = shop.at_stripe(&dispute).await["status"].clone();
        assert!(status.as_str().expect("a status").contains("needs_response"), "{why}: {status}");
        let announced = format!(
            "select count(*) from clawback_v1.dispute_responses where dispute_id = '{dispute}' and accept_after is not null"
        );
        assert_eq!(shop.app.db.value(&announced).await, 0, "{why}");
    }
    assert_eq!(shop.actions(&due).await, ["announce_acceptance"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_files_are_gone_some_time_after_the_dispute_is_closed() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.stage(&dispute, json!({ "uncategorized_text": "losing_evidence" })).await;
    shop.attach(&dispute, "receipt").await;
    shop.submit(&dispute).await;
    shop.responded(&dispute, "submitted").await;
    shop.app.db.until("select outcome = 'lost' from clawback_v1.disputes").await;
    let forgotten = async || shop.app.json(&["prune"]).await["evidence"].clone();
    shop.app.db.execute("update clawback.evidence_files set attached_at = now() - interval '500 days'").await;
    assert_eq!(forgotten().await, 0, "too early");
    shop.app.db.execute("update clawback.disputes set updated_at = now() - interval '401 days'").await;
    assert_eq!(forgotten().await, 1);
    assert_eq!(forgotten().await, 0, "once");
    let row = shop.responded(&dispute, "submitted").await;
    assert!(row["files"][0]["sha256"].is_string(), "what it was stays known: {row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_begins_by_itself_and_changes_nothing_at_stripe() {
    let shop = Shop::open_with(|service| service.desk = Policy { draft: true, ..Policy::default() }).await;
    let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
    shop.app.db.until("select version = 1 from clawback_v1.dispute_responses").await;
    let row = shop.responded(&dispute, "draft").await;
    assert!(row["fields"]["uncategorized_text"].as_str().is_some_and(|letter| letter.contains(&dispute)), "{row}");
    assert_ne!(row["missing"], json!([]), "{row}");
    let other = shop.disputed("o_2", "pm_card_createDispute").await;
    shop.a_round_passes(&other).await;
    assert_eq!(shop.actions(&dispute).await, ["stage_evidence"], "once");
    let changed = shop.world.look(&format!("requests?method=POST&path=/v1/disputes/{dispute}")).await;
    assert_eq!(changed, json!([]), "nothing is sent");
}
