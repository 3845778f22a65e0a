//! Promise: Stripe does not respond by itself while a person works on the response, and may again once nobody submitted
//! until shortly before the deadline.

use serde_json::{Value, json};

use crate::harness::until;
use crate::refund_shop::Shop;

const SMART: &str = "pm_card_createAutoRepresentmentEligibleDispute";
const METHOD: &str = "intended_submission_method";
const DAY: i64 = 86_400;

impl Shop {
    /// Waits until a dispute is to be submitted in this way, at Stripe and as the service knows it.
    async fn is_submitted_by(&self, dispute: &str, method: &Value) {
        until("the method", async || self.at_stripe(dispute).await[METHOD] == *method).await;
        let known = format!("{METHOD} is not distinct from '{}'", method.as_str().expect("a method"));
        self.shows(dispute, &known).await;
    }

    /// Waits until a dispute is to be submitted in this way, since its deadline is near. It is set again and again: an event
    /// that arrives meanwhile brings the former one back.
    async fn is_submitted_near_the_deadline_by(&self, dispute: &str, method: &Value) {
        until("the method near the deadline", async || {
            self.deadline_comes_near().await;
            self.at_stripe(dispute).await[METHOD] == *method
        })
        .await;
        self.is_submitted_by(dispute, method).await;
    }

    /// The methods that were sent for a dispute, in order.
    async fn methods_sent(&self, dispute: &str) -> Vec<Value> {
        let log = self.world.look(&format!("requests?method=POST&path=/v1/disputes/{dispute}")).await;
        let params = log.as_array().expect("a log").iter().flat_map(|it| it["params"].as_array().expect("pairs"));
        params.filter(|pair| pair[0] == METHOD).map(|pair| pair[1].clone()).collect()
    }

    /// The deadline of every dispute comes near, as far as the service knows.
    async fn deadline_comes_near(&self) {
        self.app.db.execute("update clawback.disputes set evidence_due_by = now() + interval '11 hours'").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stripe_responds_by_itself_where_a_person_began_and_nobody_submitted() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", SMART).await;
    let former = shop.at_stripe(&dispute).await[METHOD].clone();
    assert_ne!(former, "manual");
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    shop.is_submitted_by(&dispute, &json!("manual")).await;
    assert_eq!(shop.responded(&dispute, "draft").await["former_method"], former);
    shop.stage(&dispute, json!({ "customer_name": "Jane Doe" })).await;
    shop.is_submitted_near_the_deadline_by(&dispute, &former).await;
    assert_eq!(shop.methods_sent(&dispute).await, [json!("manual"), former.clone()], "each of them once");
    shop.world.advance(30 * DAY).await;
    shop.responded(&dispute, "submitted_elsewhere").await;
    let shown = shop.at_stripe(&dispute).await;
    assert_eq!(shown["evidence_details"]["submission_method"], "smart_disputes", "{shown}");
    let error = shop.app.db.refusal(&format!("select clawback_v1.submit_evidence('{dispute}')")).await;
    assert!(error.contains("takes no evidence"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_staged_after_the_method_was_restored_leaves_it_restored() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", SMART).await;
    let former = shop.at_stripe(&dispute).await[METHOD].clone();
    shop.stage(&dispute, json!({ "product_kind": "digital", "service_date": "2 March" })).await;
    shop.is_submitted_by(&dispute, &json!("manual")).await;
    // The file keeps the draft from being staged, until it is uploaded.
    shop.fault(json!({ "method": "POST", "path": "/v1/files", "kind": "unavailable", "count": 1_000 })).await;
    shop.attach(&dispute, "customer_communication").await;
    shop.is_submitted_near_the_deadline_by(&dispute, &former).await;
    let faults = format!("{}/_double/faults", shop.world.url);
    assert!(reqwest::Client::new().delete(faults).send().await.expect("an answer").status().is_success());
    shop.app.db.until("select is_staged from clawback_v1.dispute_responses").await;
    assert_eq!(shop.methods_sent(&dispute).await, [json!("manual"), former.clone()]);
    assert_eq!(shop.at_stripe(&dispute).await[METHOD], former);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_of_ours_leaves_the_method_manual() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", SMART).await;
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    shop.is_submitted_by(&dispute, &json!("manual")).await;
    shop.submit(&dispute).await;
    shop.responded(&dispute, "submitted").await;
    shop.deadline_comes_near().await;
    // A page of another dispute is counted: the desk has looked at everything since.
    let other = shop.disputed("o_2", "pm_card_createDispute").await;
    shop.attach(&other, "receipt").await;
    shop.attach(&other, "customer_communication").await;
    let sent = shop.methods_sent(&dispute).await;
    assert!(!sent.is_empty() && sent.iter().all(|method| method == "manual"), "{sent:?}");
    assert_eq!(shop.at_stripe(&dispute).await["evidence_details"]["submission_method"], "manual");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_is_sent_where_stripe_offers_none() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    assert!(shop.at_stripe(&dispute).await[METHOD].is_null());
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    shop.submit(&dispute).await;
    assert!(shop.responded(&dispute, "submitted").await["former_method"].is_null());
    assert_eq!(shop.methods_sent(&dispute).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_in_the_dashboard_closes_the_draft_of_a_person() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", SMART).await;
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    shop.is_submitted_by(&dispute, &json!("manual")).await;
    shop.bank_does("submit_in_dashboard", &dispute, json!({})).await;
    shop.responded(&dispute, "submitted_elsewhere").await;
    shop.evidence_is_asked_for(&dispute, &[("chargeback", "cancelled")]).await;
    assert_eq!(shop.at_stripe(&dispute).await["evidence_details"]["submission_count"], 1);
}
