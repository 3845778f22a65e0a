//! Promise: whenever the executor dies, evidence is submitted once, and its row says so.

use serde_json::{Value, json};

use crate::harness::{SECRET, TestApp, until};
use crate::refund_shop::{Shop, acting};

const ONE: &str = "one submission";

/// A dispute of which a draft with a file is ready to be submitted.
async fn drafted() -> (Shop, String) {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.stage(&dispute, json!({ "customer_name": "Jane", "uncategorized_text": "shipped" })).await;
    shop.attach(&dispute, "receipt").await;
    (shop, dispute)
}

impl Shop {
    /// Asserts that the dispute was submitted once, with the evidence of its draft.
    async fn submitted_once(&self, dispute: &str, why: &str) {
        let row = self.responded(dispute, "submitted").await;
        assert!(row["error"].is_null(), "{why}: {row}");
        let shown = self.at_stripe(dispute).await;
        assert_eq!(shown["evidence_details"]["submission_count"], 1, "{ONE} {why}");
        assert_eq!(shown["evidence"]["uncategorized_text"], "shipped", "{why}");
        assert!(shown["evidence"]["receipt"].is_string(), "{why}");
        let refused = "select count(*) from clawback_v1.follow_ups where kind = 'mend_evidence'";
        assert_eq!(self.app.db.value(refused).await, 0, "{why}");
    }

    /// Starts another service after the first was killed, which takes over what that held.
    async fn replace(&mut self) {
        let acting = acting(&self.world);
        self.app = TestApp::start_on(self.app.db.again(), |service| service.acting = acting).await;
        self.expire_leases().await;
        let endpoint = json!({ "url": format!("{}/webhooks/stripe", self.app.url), "secrets": [SECRET],
            "scope": "account", "payload": "snapshot", "enabled_events": ["*"] });
        self.world.control("webhooks", endpoint).await;
    }

    /// How many of these requests the double has seen.
    async fn posts(&self, path: &str) -> usize {
        let requests = self.world.look(&format!("requests?method=POST&path={path}")).await;
        requests.as_array().expect("requests").len()
    }
}

fn on(path: &str, kind: &str, count: u32) -> Value {
    json!({ "method": "POST", "path": path, "kind": kind, "count": count })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_whose_answer_never_comes_is_recognised() {
    for kind in ["cut_after", "cut_body", "error_after"] {
        let (shop, dispute) = drafted().await;
        // The answer's way is the only one.
        shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
        shop.fault(on(&format!("/v1/disputes/{dispute}"), kind, 1)).await;
        shop.submit(&dispute).await;
        shop.submitted_once(&dispute, kind).await;
        shop.app.db.settle().await;
        let state = "select status = 'under_review' from clawback_v1.disputes";
        shop.app.db.until(state).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_was_not_made_is_made_again() {
    for kind in ["cut_before", "rate_limit", "conflict", "unavailable", "error_before"] {
        let (shop, dispute) = drafted().await;
        shop.fault(on(&format!("/v1/disputes/{dispute}"), kind, 2)).await;
        shop.submit(&dispute).await;
        // A stored 500 is not waited for: the deadline may be near.
        shop.submitted_once(&dispute, kind).await;
    }
    let (shop, dispute) = drafted().await;
    let fault =
        json!({ "method": "GET", "path": format!("/v1/disputes/{dispute}"), "kind": "error_before", "count": 4 });
    shop.fault(fault).await;
    shop.submit(&dispute).await;
    shop.submitted_once(&dispute, "the look-up fails first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_is_made_again_before_anything_is_submitted() {
    for kind in ["cut_before", "cut_after", "cut_body", "error_before", "error_after", "rate_limit", "unavailable"] {
        let (shop, dispute) = drafted().await;
        shop.fault(on("/v1/files", kind, 2)).await;
        shop.submit(&dispute).await;
        shop.submitted_once(&dispute, kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_dies_before_the_call_leaves_it_to_the_next() {
    let (shop, dispute) = drafted().await;
    // As a killed executor leaves it: leased and committed, not called.
    let mut held = shop.app.db.begin(&format!("select clawback_v1.submit_evidence('{dispute}')")).await;
    sqlx::raw_sql(
        "update clawback.api_calls set state = 'leased', attempts = 1, lease_token = gen_random_uuid(),
             leased_until = now() + interval '1 hour' where kind = 'submit'",
    )
    .execute(&mut *held)
    .await
    .expect("leased");
    held.commit().await.expect("committed");
    assert_eq!(shop.at_stripe(&dispute).await["evidence_details"]["submission_count"], 0);
    shop.expire_leases().await;
    shop.submitted_once(&dispute, "after the lease").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_dies_while_it_uploads_is_followed_by_one_that_uploads_and_submits() {
    let (mut shop, dispute) = drafted().await;
    shop.fault(json!({ "method": "POST", "path": "/v1/files", "kind": "slow", "count": 1, "millis": 400 })).await;
    shop.submit(&dispute).await;
    until("the file is being uploaded", async || shop.posts("/v1/files").await == 1).await;
    shop.app.kill().await;
    shop.replace().await;
    shop.submitted_once(&dispute, "killed during the upload").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_dies_before_it_records_the_answer_is_followed_by_one_that_finds_it() {
    let (mut shop, dispute) = drafted().await;
    shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
    let path = format!("/v1/disputes/{dispute}");
    shop.fault(json!({ "method": "POST", "path": path, "kind": "slow", "count": 1, "millis": 500 })).await;
    shop.submit(&dispute).await;
    until("it is being submitted", async || shop.posts(&path).await == 1).await;
    // It cannot record the answer, and is gone before it can.
    let held = shop.app.db.begin("select from clawback.dispute_responses for update").await;
    until("it is submitted", async || shop.at_stripe(&dispute).await["status"] == "under_review").await;
    shop.app.kill().await;
    held.rollback().await.expect("released");
    shop.app.db.end_connections().await;
    shop.responded(&dispute, "submit_requested").await;
    shop.replace().await;
    shop.submitted_once(&dispute, "killed before the answer was recorded").await;
    assert_eq!(shop.posts(&path).await, 1, "it was found, not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_runs_out_during_the_call_submits_once() {
    let (shop, dispute) = drafted().await;
    let acting = acting(&shop.world);
    let replica = TestApp::start_on(shop.app.db.again(), |service| service.acting = acting).await;
    let path = format!("/v1/disputes/{dispute}");
    shop.fault(json!({ "method": "POST", "path": path, "kind": "slow", "count": 2, "millis": 600 })).await;
    shop.submit(&dispute).await;
    until("it is being submitted", async || shop.posts(&path).await == 1).await;
    shop.expire_leases().await;
    shop.submitted_once(&dispute, "two executors at once").await;
    shop.app.db.until("select not exists (select from clawback.api_calls where state in ('ready', 'leased'))").await;
    shop.submitted_once(&dispute, "at the end").await;
    drop(replica);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_of_somebody_else_during_ours_is_not_taken_for_ours() {
    let (shop, dispute) = drafted().await;
    shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
    shop.fault(on(&format!("/v1/disputes/{dispute}"), "unavailable", 1)).await;
    let mut held = shop.app.db.begin(&format!("select clawback_v1.submit_evidence('{dispute}')")).await;
    sqlx::raw_sql("update clawback.api_calls set run_at = now() + interval '1 hour' where kind = 'submit'")
        .execute(&mut *held)
        .await
        .expect("held");
    held.commit().await.expect("committed");
    let form = [("evidence[customer_name]", "Somebody else"), ("submit", "true")];
    // The first is met by the fault.
    until("it is submitted elsewhere", async || {
        shop.world.post(&format!("/v1/disputes/{dispute}"), &form).await.status == 200
    })
    .await;
    shop.app.db.execute("update clawback.api_calls set run_at = now() where kind = 'submit'").await;
    shop.responded(&dispute, "submitted_elsewhere").await;
    let shown = shop.at_stripe(&dispute).await;
    assert_eq!(shown["evidence"]["customer_name"], "Somebody else");
    assert_eq!(shown["evidence_details"]["submission_count"], 1, "{ONE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_whose_answer_never_comes_is_recognised() {
    for kind in ["cut_after", "error_after", "cut_before", "error_before"] {
        let shop = Shop::open().await;
        let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
        shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
        shop.fault(on(&format!("/v1/disputes/{dispute}/close"), kind, 1)).await;
        shop.app.db.value(&format!("select clawback_v1.accept_dispute('{dispute}', 1000)")).await;
        let row = shop.responded(&dispute, "accepted").await;
        assert!(row["error"].is_null(), "{kind}: {row}");
        shop.app.db.until("select status = 'lost' from clawback_v1.disputes").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_is_decided_before_its_evidence_is_sent_asks_nobody_to_mend_it() {
    let (shop, dispute) = drafted().await;
    shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
    shop.world.control("bank", json!({ "happens": "lose", "id": dispute })).await;
    shop.submit(&dispute).await;
    let row = shop.responded(&dispute, "rejected").await;
    assert!(row["error"].as_str().expect("an error").contains("lost"), "{row}");
    shop.app.db.until("select outcome = 'lost' from clawback_v1.disputes").await;
    let asked =
        "select count(*) filter (where state = 'ready') from clawback_v1.follow_ups where kind = 'mend_evidence'";
    shop.app.db.until(&format!("select ({asked}) = 0")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_lost_its_lease_and_finds_the_dispute_accepted_refuses_nothing() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
    // The look of the first is slow. The second accepts the dispute meanwhile, and its answer is slower.
    let path = format!("/v1/disputes/{dispute}");
    shop.fault(json!({ "method": "GET", "path": path, "kind": "slow", "count": 1, "millis": 800 })).await;
    let close = format!("{path}/close");
    shop.fault(json!({ "method": "POST", "path": close, "kind": "slow_body", "count": 1, "millis": 2_000 })).await;
    shop.app.db.value(&format!("select clawback_v1.accept_dispute('{dispute}', 1000)")).await;
    let gets = async || shop.world.look(&format!("requests?method=GET&path={path}")).await;
    until("the first looks", async || gets().await.as_array().expect("requests").len() == 1).await;
    shop.expire_leases().await;
    let row = shop.responded(&dispute, "accepted").await;
    assert!(row["error"].is_null(), "{row}");
    until("the first has looked", async || {
        gets().await.as_array().expect("requests").iter().all(|request| !request["status"].is_null())
    })
    .await;
    shop.app.db.until("select count(*) = 0 from clawback.api_calls where state = 'leased'").await;
    shop.responded(&dispute, "accepted").await;
}
