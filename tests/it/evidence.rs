//! Promise: evidence that is staged, attached and submitted in SQL is submitted at Stripe once, as it was reviewed; and a
//! dispute is accepted only with its amount repeated.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::refund_shop::Shop;

/// The least that a PDF is, to Stripe and to the service: one page.
pub const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n164\n%%EOF\n";

impl Shop {
    /// A chargeback of an order, seen by the service. Its id.
    pub async fn disputed(&self, order: &str, token: &str) -> String {
        let charge = self.pay(order, "1000", token).await;
        self.dispute(&charge).await
    }

    /// The dispute of a charge, once the service may respond to it.
    pub async fn dispute(&self, charge: &str) -> String {
        let known = format!("select dispute_id from clawback_v1.disputes where charge_id = '{charge}' and can_respond");
        self.app.db.until(&format!("select exists ({known})")).await;
        self.app.db.value(&known).await.as_str().expect("an id").to_owned()
    }

    pub async fn stage(&self, dispute: &str, fields: Value) -> Value {
        let fields = fields.to_string().replace('\'', "''");
        self.app.db.value(&format!("select clawback_v1.stage_evidence('{dispute}', '{fields}')")).await
    }

    pub async fn attach(&self, dispute: &str, field: &str) -> Value {
        let content = hex::encode(PDF);
        let attach = format!(
            "select clawback_v1.attach_evidence_file('{dispute}', '{field}', '{field}.pdf', null, '\\x{content}')"
        );
        let version = self.app.db.value(&attach).await;
        self.app
            .db
            .until(&format!(
                "select pages = 1 from clawback.evidence_files where dispute_id = '{dispute}' and field = '{field}'"
            ))
            .await;
        version
    }

    pub async fn submit(&self, dispute: &str) -> Value {
        self.app.db.value(&format!("select clawback_v1.submit_evidence('{dispute}')")).await
    }

    /// Waits until the response to a dispute is in a state; its row.
    pub async fn responded(&self, dispute: &str, state: &str) -> Value {
        let of = format!("from clawback_v1.dispute_responses where dispute_id = '{dispute}' and state = '{state}'");
        self.app.db.until(&format!("select exists (select {of})")).await;
        self.app.db.rows(&format!("select * {of} order by updated_at desc")).await.remove(0)
    }

    /// The dispute as the double has it.
    pub async fn at_stripe(&self, dispute: &str) -> Value {
        self.world.get(&format!("/v1/disputes/{dispute}"), &[]).await.body
    }
}

/// What the functions refuse, as it is in the server's log.
pub const EVIDENCE_ERRORS: &[&str] = &[
    "is no evidence field",
    "is for compliance disputes",
    "takes no evidence",
    "cannot be changed",
    "cannot be submitted",
    "somebody changed it",
    "cannot be accepted",
    "confirm the amount",
    "which accepting does not end",
    "may have at most",
    "takes a file",
    "takes text",
    "must be",
    "must have",
    "is empty",
    "by its content",
    "is no evidence of the phase",
    "has no file",
];

#[tokio::test(flavor = "multi_thread")]
async fn staged_evidence_and_a_file_are_submitted_and_the_dispute_is_won() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
    let fields = json!({ "shipping_carrier": "DHL", "uncategorized_text": "winning_evidence" });
    assert_eq!(shop.stage(&dispute, fields).await, 1);
    assert_eq!(shop.attach(&dispute, "shipping_documentation").await, 2);
    assert_eq!(shop.at_stripe(&dispute).await["evidence_details"]["submission_count"], 0, "nothing is sent yet");
    assert_eq!(shop.submit(&dispute).await, 3);
    let row = shop.responded(&dispute, "submitted").await;
    assert!(row["error"].is_null() && row["submitted_at"].is_string(), "{row}");
    let shown = shop.at_stripe(&dispute).await;
    assert_eq!(
        (&shown["status"], &shown["evidence_details"]["submission_count"]),
        (&json!("won"), &json!(1)),
        "{shown}"
    );
    assert_eq!(shown["evidence"]["shipping_carrier"], "DHL");
    assert!(shown["evidence"]["shipping_documentation"].as_str().expect("a file").starts_with("file_"), "{shown}");
    assert!(shown["evidence"]["product_kind"].is_null() && shown["metadata"]["clawback_submission"].is_string());
    shop.app.db.until("select exists (select from clawback_v1.disputes where outcome = 'won')").await;
    shop.app.db.until("select state = 'paid' from clawback_v1.orders").await;
    let done = shop.app.db.rows("select action, actor from clawback_v1.actions order by id").await;
    let actions: Vec<_> = done.iter().map(|row| row["action"].as_str().expect("an action")).collect();
    assert_eq!(actions, ["stage_evidence", "attach_evidence_file", "submit_evidence", "response_submitted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_draft_is_staged_at_stripe_and_a_removed_field_is_unset_there() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDisputeProductNotReceived").await;
    shop.stage(&dispute, json!({ "product_kind": "digital", "access_activity_log": "2 March: downloaded" })).await;
    shop.stage(&dispute, json!({ "customer_name": "Jane Doe" })).await;
    shop.attach(&dispute, "receipt").await;
    shop.attach(&dispute, "customer_communication").await;
    shop.app
        .db
        .until("select missing = '{}' and problems = '{}' and is_staged from clawback_v1.dispute_responses")
        .await;
    let shown = shop.at_stripe(&dispute).await;
    assert_eq!(shown["evidence"]["access_activity_log"], "2 March: downloaded");
    assert_eq!(
        (&shown["status"], &shown["evidence_details"]["submission_count"]),
        (&json!("needs_response"), &json!(0))
    );
    shop.stage(&dispute, json!({ "customer_name": null, "shipping_carrier": "none" })).await;
    shop.app.db.until("select is_staged and version = 5 from clawback_v1.dispute_responses").await;
    let shown = shop.at_stripe(&dispute).await;
    assert_eq!(shown["evidence"]["shipping_carrier"], "none");
    assert_ne!(shown["evidence"]["customer_name"], "Jane Doe", "what was removed is unset");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_changed_only_by_who_saw_its_latest_version() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    for call in [
        format!("stage_evidence('{dispute}', '{{\"customer_name\": \"Joe\"}}', 0)"),
        format!("submit_evidence('{dispute}', 2)"),
        format!("detach_evidence_file('{dispute}', 'receipt', 0)"),
    ] {
        let error = shop.app.db.refusal(&format!("select clawback_v1.{call}")).await;
        assert!(error.contains("is version 1, not"), "{call}: {error}");
    }
    let staged = shop.app.db.value(&format!("select clawback_v1.stage_evidence('{dispute}', '{{}}', 1)")).await;
    assert_eq!(staged, 2);
    // Two people submit what they both reviewed.
    let call = format!("select clawback_v1.submit_evidence('{dispute}', 2)");
    let submit = async || sqlx::raw_sql(AssertSqlSafe(call.as_str())).execute(&shop.app.db.pool).await;
    let (one, other) = tokio::join!(submit(), submit());
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");
    shop.responded(&dispute, "submitted").await;
    assert_eq!(shop.at_stripe(&dispute).await["evidence_details"]["submission_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_accepted_with_its_amount_and_an_inquiry_is_not() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    let error = shop.app.db.refusal(&format!("select clawback_v1.accept_dispute('{dispute}', 999)")).await;
    assert!(error.contains("of 1000 in minor units of eur, not 999"), "{error}");
    assert_eq!(shop.app.db.value(&format!("select clawback_v1.accept_dispute('{dispute}', 1000)")).await, 1);
    shop.responded(&dispute, "accepted").await;
    assert_eq!(shop.at_stripe(&dispute).await["status"], "lost");
    shop.app.db.until("select state = 'charged_back' from clawback_v1.orders").await;
    let inquiry = shop.disputed("o_2", "pm_card_createDisputeInquiry").await;
    let error = shop.app.db.refusal(&format!("select clawback_v1.accept_dispute('{inquiry}', 1000)")).await;
    assert!(error.contains("is an inquiry, which accepting does not end"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_made_elsewhere_closes_the_draft() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    let form = [("evidence[customer_name]", "Somebody else"), ("submit", "true")];
    assert_eq!(shop.world.post(&format!("/v1/disputes/{dispute}"), &form).await.status, 200);
    shop.responded(&dispute, "submitted_elsewhere").await;
    let error = shop.app.db.refusal(&format!("select clawback_v1.submit_evidence('{dispute}')")).await;
    assert!(error.contains("takes no evidence"), "{error}");
    assert_eq!(shop.at_stripe(&dispute).await["evidence"]["customer_name"], "Somebody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_opens_the_draft_again_and_asks_a_person_until_it_is_mended() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    shop.fault(json!({ "method": "POST", "path": format!("/v1/disputes/{dispute}"), "kind": "refuse", "status": 400,
        "code": "dispute_evidence_page_limit_exceeded", "count": 1 }))
        .await;
    shop.submit(&dispute).await;
    let row = shop.responded(&dispute, "rejected").await;
    let error = row["error"].as_str().expect("an error");
    assert!(error.contains("dispute_evidence_page_limit_exceeded") && error.contains("req_"), "{error}");
    let asked = shop.app.db.rows("select * from clawback_v1.follow_ups where kind = 'mend_evidence'").await.remove(0);
    assert_eq!((&asked["state"], &asked["round"]), (&json!("ready"), &json!("chargeback/1")));
    assert_eq!(asked["payload"]["code"], "dispute_evidence_page_limit_exceeded", "{asked}");
    assert!(asked["due_at"].is_string() && asked["payload"]["amount"] == 1000, "{asked}");
    shop.stage(&dispute, json!({ "uncategorized_text": "shorter" })).await;
    shop.submit(&dispute).await;
    shop.responded(&dispute, "submitted").await;
    let withdrawn = "select state = 'cancelled' from clawback_v1.follow_ups where kind = 'mend_evidence'";
    assert_eq!(shop.app.db.value(withdrawn).await, true);
    assert_eq!(shop.at_stripe(&dispute).await["evidence_details"]["submission_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_that_escalates_begins_a_new_draft_with_a_copy_of_what_it_had() {
    let shop = Shop::open().await;
    let inquiry = shop.disputed("o_1", "pm_card_createDisputeInquiry").await;
    shop.stage(&inquiry, json!({ "customer_name": "Jane", "uncategorized_text": "shipped" })).await;
    shop.attach(&inquiry, "receipt").await;
    shop.submit(&inquiry).await;
    shop.responded(&inquiry, "submitted").await;
    shop.world.control("bank", json!({ "happens": "escalate", "id": inquiry })).await;
    // The copy is there before anybody asks.
    let copied = "select version > 3 and fields ->> 'uncategorized_text' = 'shipped' and jsonb_array_length(files) = 1
                  from clawback_v1.dispute_responses where phase = 'chargeback'";
    shop.app.db.until(copied).await;
    shop.stage(&inquiry, json!({ "uncategorized_text": "shipped, and here is the receipt" })).await;
    let draft = shop.responded(&inquiry, "draft").await;
    assert_eq!((&draft["phase"], &draft["fields"]["customer_name"]), (&json!("chargeback"), &json!("Jane")));
    assert_eq!(draft["files"][0]["field"], "receipt", "{draft}");
    shop.submit(&inquiry).await;
    shop.app.db.until("select count(*) = 2 from clawback_v1.dispute_responses where state = 'submitted'").await;
    let shown = shop.at_stripe(&inquiry).await;
    assert_eq!((&shown["status"], &shown["evidence_details"]["submission_count"]), (&json!("under_review"), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn late_evidence_is_refused_once_with_the_time_and_then_sent() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.stage(&dispute, json!({ "customer_name": "Jane" })).await;
    shop.app.db.execute("update clawback.disputes set evidence_due_by = now() - interval '2 hours'").await;
    assert_eq!(shop.submit(&dispute).await, Value::Null);
    let row = shop.responded(&dispute, "draft").await;
    assert!(row["error"].as_str().expect("an error").contains("02:00:00 ago"), "{row}");
    assert_eq!(shop.submit(&dispute).await, 2, "the same version, a second time");
    shop.responded(&dispute, "submitted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_counts_as_counted_only_once_its_draft_knows() {
    let mut shop = Shop::open().await;
    shop.app.db.expect_errors(&["does not exist"]);
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.attach(&dispute, "receipt").await;
    let rename = "alter function clawback.refresh_response(text, text) rename to refresh_response_later";
    shop.app.db.execute(rename).await;
    shop.app.db.execute("update clawback.evidence_files set pages = null").await;
    let file = shop.app.db.value("select id from clawback.evidence_files").await;
    let file = file.as_str().expect("an id").parse().expect("a UUID");
    let mut conn = shop.app.db.pool.acquire().await.expect("a connection");
    clawback::store::desk::counted(&mut conn, file, Ok(1)).await.expect_err("the draft cannot be derived");
    let pages = "select count(pages) from clawback.evidence_files";
    assert_eq!(shop.app.db.value(pages).await, 0, "it is counted again, and the draft is derived then");
}
