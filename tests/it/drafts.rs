//! Promise: a draft says only what is known, a draft that begins by itself changes nothing at Stripe, and what Stripe was sent
//! can be taken back before it is submitted.

use clawback::desk::Policy;
use serde_json::{Value, json};

use crate::refund_shop::Shop;

const COMPELLING: &str = "enhanced_evidence.visa_compelling_evidence_3";

async fn drafting() -> Shop {
    Shop::open_with(|service| service.desk = Policy { draft: true, ..Policy::default() }).await
}

impl Shop {
    /// What the double was asked to change about a dispute.
    async fn changes(&self, dispute: &str) -> Vec<Value> {
        let requests = self.world.look(&format!("requests?method=POST&path=/v1/disputes/{dispute}")).await;
        requests.as_array().expect("requests").clone()
    }

    async fn staged(&self, dispute: &str) {
        let is = format!("select is_staged from clawback_v1.dispute_responses where dispute_id = '{dispute}'");
        self.app.db.until(&is).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_letter_names_no_earlier_payment_that_was_disputed() {
    let shop = drafting().await;
    // Of the same card; nothing but its dispute says that the first was disputed.
    let disputed = shop.pay("o_1", "1000", "pm_card_createDispute").await;
    shop.dispute(&disputed).await;
    let fine = shop.pay("o_2", "1000", "pm_card_createDisputeInquiry").await;
    shop.app
        .db
        .execute(&format!(
            "delete from clawback.dispute_responses where dispute_id in (
        select dispute_id from clawback.disputes where charge_id = '{disputed}')"
        ))
        .await;
    let dispute = shop.dispute(&fine).await;
    let letter = format!(
        "select fields ->> 'uncategorized_text' from clawback_v1.dispute_responses where dispute_id = '{dispute}'"
    );
    shop.app.db.until(&format!("select ({letter}) is not null")).await;
    let letter = shop.app.db.value(&letter).await;
    assert!(!letter.as_str().expect("a letter").contains(&disputed), "{letter}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_draft_that_began_by_itself_is_staged_once_a_person_changes_it() {
    let shop = drafting().await;
    let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
    shop.app.db.until("select version = 1 from clawback_v1.dispute_responses").await;
    // Complete, as it would be with a policy: nobody has touched it yet.
    shop.app.db.execute(
        "update clawback.dispute_responses set fields = fields || '{\"product_kind\": \"digital\",
             \"access_activity_log\": \"downloaded\"}';
         insert into clawback.evidence_files (dispute_id, phase, field, name, content_type, content, bytes, sha256, pages)
         select dispute_id, phase, f.field, 'a.pdf', 'application/pdf', '%PDF-', 5, '', 1
         from clawback.dispute_responses, (values ('receipt'), ('customer_communication')) as f (field);
         select clawback.refresh_response(dispute_id, phase) from clawback.dispute_responses",
    ).await;
    shop.app.db.until("select missing = '{}' and problems = '{}' from clawback_v1.dispute_responses").await;
    let other = shop.disputed("o_2", "pm_card_createDispute").await;
    shop.attach(&other, "receipt").await;
    assert_eq!(shop.changes(&dispute).await, Vec::<Value>::new());
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    shop.staged(&dispute).await;
    assert!(!shop.changes(&dispute).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_stripe_was_sent_is_taken_back() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createCe3EligibleDispute").await;
    let choice = format!("{COMPELLING}.disputed_transaction.merchandise_or_services");
    let about = format!("{COMPELLING}.disputed_transaction.product_description");
    shop.stage(
        &dispute,
        json!({ "product_kind": "digital", "service_date": "2 March 2026", &choice: "services", &about: "A course" }),
    )
    .await;
    shop.attach(&dispute, "customer_communication").await;
    shop.staged(&dispute).await;
    let enhanced = async || {
        shop.at_stripe(&dispute).await["evidence"]["enhanced_evidence"]["visa_compelling_evidence_3"]["disputed_transaction"].clone()
    };
    assert_eq!(enhanced().await["merchandise_or_services"], "services");
    shop.stage(&dispute, json!({ &choice: null })).await;
    shop.staged(&dispute).await;
    let left = enhanced().await;
    assert!(left["merchandise_or_services"].is_null() && left["product_description"] == "A course", "{left}");
    shop.submit(&dispute).await;
    shop.responded(&dispute, "submitted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refusal_at_a_time_asks_a_person() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    let refuse = json!({ "method": "POST", "path": format!("/v1/disputes/{dispute}"), "kind": "refuse", "status": 400,
        "code": "dispute_evidence_page_limit_exceeded", "count": 2 });
    shop.fault(refuse).await;
    shop.stage(&dispute, json!({ "product_kind": "digital", "service_date": "2 March 2026" })).await;
    shop.attach(&dispute, "customer_communication").await;
    let asked = "select count(*) = 1 from clawback_v1.follow_ups where kind = 'mend_evidence' and state = 'ready'";
    shop.app.db.until(asked).await;
    shop.submit(&dispute).await;
    shop.responded(&dispute, "rejected").await;
    let asked = shop
        .app
        .db
        .rows("select round, state from clawback_v1.follow_ups where kind = 'mend_evidence' order by id")
        .await;
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!((&asked[0]["state"], &asked[1]["state"]), (&json!("cancelled"), &json!("ready")), "{asked:?}");
    assert_eq!(asked[1]["round"], "chargeback/1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_whose_document_cannot_be_attached_begins_empty_and_is_not_tried_again() {
    let document = std::env::temp_dir().join(format!("clawback-policy-{}.txt", std::process::id()));
    std::fs::write(&document, "no PDF").expect("written");
    let policy = json!({ "refund_policy": [{ "from": "2020-01-01", "file": document }] }).to_string();
    let evidence = clawback::evidence::Policy::parse(&policy).expect("a policy");
    let mut shop = Shop::open_with(|service| {
        service.desk = Policy { draft: true, evidence, ..Policy::default() };
    })
    .await;
    shop.app.db.expect_errors(&["a file must be a PDF"]);
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let chargeback = json!({ "happens": "chargeback", "id": charge, "reason": "product_unacceptable" });
    shop.world.control("bank", chargeback).await;
    let dispute = shop.dispute(&charge).await;
    shop.app.db.until("select version = 1 and fields = '{}' from clawback_v1.dispute_responses").await;
    // The desk looks again: it begins the draft of another dispute.
    let other = shop.disputed("o_2", "pm_card_createDispute").await;
    let begun = format!("select version = 1 from clawback_v1.dispute_responses where dispute_id = '{other}'");
    shop.app.db.until(&begun).await;
    let tried = format!("select count(*) from clawback_v1.actions where subject = '{dispute}'");
    assert_eq!(shop.app.db.value(&tried).await, 1);
    std::fs::remove_file(document).expect("removed");
}
