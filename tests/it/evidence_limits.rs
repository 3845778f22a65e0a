//! Promise: Stripe's limits of evidence are checked when it is staged, on both sides of each, with the field, the limit and
//! what was given. The limits here are those of Stripe's reference, not read from the code.

use serde_json::{Value, json};

use crate::evidence::PDF;
use crate::harness::Database;
use crate::refund_shop::Shop;

/// Text fields of 20,000 characters; the others of 5,000.
const LONG: [&str; 8] = [
    "access_activity_log",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "duplicate_charge_explanation",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "uncategorized_text",
];
const SHORT: [&str; 9] = [
    "billing_address",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
];
const FILES: [&str; 9] = [
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
];
const DISPUTED: &str = "enhanced_evidence.visa_compelling_evidence_3.disputed_transaction";
const PRIOR: &str = "enhanced_evidence.visa_compelling_evidence_3.prior_undisputed_transactions";

/// A database with a chargeback that awaits a response, and no service.
async fn disputed() -> Database {
    let mut db = Database::migrated().await;
    db.expect_errors(crate::evidence::EVIDENCE_ERRORS);
    begin(&db, "du_1", "chargeback", "product_not_received").await;
    db
}

async fn begin(db: &Database, dispute: &str, phase: &str, reason: &str) {
    let status = if phase == "appeal" { "appeal_needs_response" } else { "needs_response" };
    db.execute(&format!(
        "insert into clawback.payments (payment_id, orphan, account, livemode, currency, amount_refunded, amount_disputed,
             amount_lost, state, hold, open_disputes, facts)
         values ('pi_{dispute}', false, '', false, 'eur', 0, 100, 0, 'disputed', true, 1, '{{}}');
         insert into clawback.disputes (dispute_id, payment_id, amount, currency, reason, status, phase, can_respond,
             has_evidence, past_due, submission_count, amount_withdrawn, amount_reinstated, fee, created_at)
         values ('{dispute}', 'pi_{dispute}', 100, 'eur', '{reason}', '{status}', '{phase}', true, false, false, 0, 0, 0, 0, now())"
    ))
    .await;
}

/// The error of a call, or the draft's version.
async fn call(db: &Database, call: &str) -> Result<i64, String> {
    let row = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select clawback_v1.{call}"))).fetch_one(&db.pool).await;
    row.map_err(|error| error.as_database_error().expect("a refusal").message().to_owned())
}

async fn stage(db: &Database, fields: Value) -> Result<i64, String> {
    call(db, &format!("stage_evidence('du_1', '{}')", fields.to_string().replace('\'', "''"))).await
}

async fn attach(db: &Database, field: &str, content: &str) -> Result<i64, String> {
    call(db, &format!("attach_evidence_file('du_1', '{field}', 'a.pdf', null, {content})")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_text_field_takes_its_most_characters_and_no_more() {
    let db = disputed().await;
    let enhanced = [
        "customer_account_id",
        "customer_email_address",
        "customer_purchase_ip",
        "product_description",
        "shipping_address.city",
        "shipping_address.line2",
    ];
    let enhanced = enhanced.iter().flat_map(|field| [format!("{DISPUTED}.{field}"), format!("{PRIOR}[1].{field}")]);
    let fields = (LONG.iter().map(|field| ((*field).to_owned(), 20_000)))
        .chain(SHORT.iter().map(|field| ((*field).to_owned(), 5_000)))
        .chain(enhanced.map(|field| (field, 5_000)));
    for (field, most) in fields {
        // Characters, not bytes.
        let fits = stage(&db, json!({ &field: "é".repeat(most) })).await;
        assert!(fits.is_ok(), "{field}: {fits:?}");
        let error = stage(&db, json!({ &field: "é".repeat(most + 1) })).await.expect_err(&field);
        let (most, given) = (most.to_string(), (most + 1).to_string());
        assert!(error.contains(&field) && error.contains(&most) && error.contains(&given), "{field}: {error}");
        assert!(stage(&db, json!({ &field: null })).await.is_ok(), "{field} is removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_texts_together_take_150_000_characters() {
    let db = disputed().await;
    let mut fields: Vec<_> = LONG.iter().map(|field| ((*field).to_owned(), json!("x".repeat(18_750)))).collect();
    let all: Value = Value::Object(fields.clone().into_iter().collect());
    assert_eq!(stage(&db, all).await, Ok(1));
    fields[0].1 = json!("x".repeat(18_751));
    let error = stage(&db, Value::Object(fields.into_iter().collect())).await.expect_err("one too many");
    assert!(error.contains("150000") && error.contains("150001"), "{error}");
    let error = stage(&db, json!({ "customer_name": "x" })).await.expect_err("one too many");
    assert!(error.contains("150001"), "{error}");
    let error = stage(&db, json!({ "customer_name": "file_x" })).await.expect_err("text, whatever it looks like");
    assert!(error.contains("150006"), "{error}");
    // What is ours and never sent does not count.
    assert_eq!(stage(&db, json!({ "product_kind": "digital" })).await, Ok(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_holds_already_counts_unless_it_is_overwritten() {
    let db = disputed().await;
    let held = json!({ "id": "evt_1", "data": { "object": { "id": "du_1", "evidence": {
        "customer_name": "x".repeat(5_000), "receipt": "file_1", "billing_address": null } } } });
    db.execute(&format!(
        "insert into clawback.events (event_id, type, livemode, object_id, created_at) values ('evt_1', 'charge.dispute.created', false, 'du_1', now());
         insert into clawback.event_payloads (event_id, payload) values ('evt_1', '{held}')"
    ))
    .await;
    let texts: serde_json::Map<_, _> =
        LONG.iter().map(|field| ((*field).to_owned(), json!("x".repeat(18_125)))).collect();
    assert_eq!(stage(&db, json!({ "product_kind": "physical" })).await, Ok(1));
    assert_eq!(stage(&db, Value::Object(texts)).await, Ok(2));
    let error = stage(&db, json!({ "service_date": "x" })).await.expect_err("one too many");
    assert!(error.contains("150001"), "{error}");
    assert_eq!(stage(&db, json!({ "customer_name": "Jane", "service_date": "x" })).await, Ok(3), "it is overwritten");
    let row = db.rows("select held from clawback_v1.dispute_responses").await.remove(0);
    assert_eq!(row["held"], json!({ "receipt": "file_1" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn device_ids_have_a_least_length() {
    let db = disputed().await;
    for (field, least) in [("customer_device_fingerprint", 20), ("customer_device_id", 15)] {
        for field in [format!("{DISPUTED}.{field}"), format!("{PRIOR}[0].{field}")] {
            assert!(stage(&db, json!({ &field: "x".repeat(least) })).await.is_ok(), "{field}");
            let error = stage(&db, json!({ &field: "x".repeat(least - 1) })).await.expect_err(&field);
            assert!(error.contains(&field) && error.contains(&least.to_string()), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_such_text_is_refused_by_name() {
    let db = disputed().await;
    for (fields, expected) in [
        (json!({ "customer_nam": "x" }), "customer_nam is no evidence field"),
        (json!({ "customer_name": 5 }), "customer_name must be text; it is 5"),
        (json!({ "customer_name": ["x"] }), "customer_name must be text"),
        (json!({ "customer_name": "  " }), "customer_name is empty"),
        (json!({ "receipt": "file_1" }), "receipt takes a file"),
        (json!({ "duplicate_charge_id": "pi_1" }), "duplicate_charge_id must be the ID of a charge"),
        (json!({ "product_kind": "event" }), "physical, digital or service"),
        (json!({ format!("{DISPUTED}.merchandise_or_services"): "both" }), "merchandise or services; it is both"),
        (json!({ format!("{DISPUTED}.charge"): "ch_1" }), "is no evidence field"),
        (json!({ format!("{PRIOR}[0].charge"): "pi_1" }), "must be the ID of a charge"),
        (json!({ format!("{PRIOR}[2].charge"): "ch_1" }), "is no evidence field"),
        (json!({ format!("{PRIOR}[0].merchandise_or_services"): "services" }), "is no evidence field"),
        (json!({ "enhanced_evidence.visa_compliance.fee_acknowledged": "1" }), "must be true; it is \"1\""),
        (json!({ "enhanced_evidence.visa_compliance.fee_acknowledged": true }), "is for compliance disputes"),
        (json!({ "appeal.card.reason_for_filing": "x" }), "is no evidence of the phase chargeback"),
        (json!(["customer_name"]), "fields must be an object"),
    ] {
        let error = stage(&db, fields.clone()).await.expect_err("a refusal");
        assert!(error.contains(expected), "{fields}: {error}");
    }
    for fields in [
        json!({ "duplicate_charge_id": "py_1" }),
        json!({ format!("{PRIOR}[0].charge"): "ch_1", format!("{DISPUTED}.merchandise_or_services"): "services" }),
    ] {
        assert!(stage(&db, fields.clone()).await.is_ok(), "{fields}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appeal_takes_its_own_fields_only() {
    let mut db = Database::migrated().await;
    db.expect_errors(crate::evidence::EVIDENCE_ERRORS);
    begin(&db, "du_1", "appeal", "fraudulent").await;
    assert_eq!(stage(&db, json!({ "appeal.card.reason_for_filing": "x".repeat(20_000) })).await, Ok(1));
    assert!(stage(&db, json!({ "appeal.card.reason_for_filing": "x".repeat(20_001) })).await.is_err());
    for place in ["[0]", "[1]", "[9]"] {
        assert!(
            attach(&db, &format!("appeal.card.supporting_files{place}"), "'%PDF-1.4'::bytea").await.is_ok(),
            "{place}"
        );
    }
    let error = stage(&db, json!({ "customer_name": "x" })).await.expect_err("not in an appeal");
    assert!(error.contains("customer_name is no evidence of the phase appeal"), "{error}");
    assert!(attach(&db, "receipt", "'%PDF-1.4'::bytea").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_pdf_jpeg_or_png_by_their_content_and_4_5_mb_together() {
    let db = disputed().await;
    for field in FILES {
        assert!(attach(&db, field, "'%PDF-1.4'::bytea").await.is_ok(), "{field}");
        assert!(call(&db, &format!("detach_evidence_file('du_1', '{field}')")).await.is_ok(), "{field}");
    }
    for (content, content_type) in
        [("'\\xffd8ffe0'::bytea", "image/jpeg"), ("'\\x89504e470d0a1a0a00'::bytea", "image/png")]
    {
        assert!(attach(&db, "receipt", content).await.is_ok());
        let row = db.rows("select files -> 0 ->> 'type' as type from clawback_v1.dispute_responses").await.remove(0);
        assert_eq!(row["type"], content_type);
    }
    for content in ["'GIF89a'::bytea", "'PK'::bytea", "'%PD'::bytea", "'\\xffd8'::bytea"] {
        let error = attach(&db, "receipt", content).await.expect_err(content);
        assert!(error.contains("receipt: a file must be a PDF, JPEG or PNG; a.pdf is none"), "{error}");
    }
    assert!(attach(&db, "receipt", "''::bytea").await.expect_err("empty").contains("a.pdf is empty"));
    assert!(attach(&db, "customer_name", "'%PDF-1.4'::bytea").await.expect_err("text").contains("takes text"));
    let pdf = |bytes: usize| format!("convert_to('%PDF-' || repeat('x', {}), 'UTF8')", bytes - 5);
    assert!(attach(&db, "receipt", &pdf(4_500_000)).await.is_ok());
    let error = attach(&db, "receipt", &pdf(4_500_001)).await.expect_err("too large");
    assert!(error.contains("4500000") && error.contains("4500001"), "{error}");
    assert!(attach(&db, "receipt", &pdf(4_400_000)).await.is_ok());
    assert!(attach(&db, "customer_signature", &pdf(100_000)).await.is_ok());
    let error = attach(&db, "customer_signature", &pdf(100_001)).await.expect_err("together");
    assert!(error.contains("together") && error.contains("4500001"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_not_submitted_while_something_is_wrong_with_it() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    let refusal = async || {
        let error = shop.app.db.refusal(&format!("select clawback_v1.submit_evidence('{dispute}')")).await;
        assert!(error.contains("cannot be submitted"), "{error}");
        error
    };
    shop.stage(&dispute, json!({ "uncategorized_text": "Delivered on <Delivery Date> to {{name}}" })).await;
    assert!(refusal().await.contains("uncategorized_text has the placeholder <Delivery Date>"));
    shop.stage(&dispute, json!({ "uncategorized_text": "Delivered to {{name}}" })).await;
    assert!(refusal().await.contains("{{name}}"));
    shop.stage(
        &dispute,
        json!({ "uncategorized_text": "From: Jane <jane@example.com>, 3 < 4 > 2<br>",
        "access_activity_log": "GET /<name> 200 <html>" }),
    )
    .await;
    let held = shop.app.db.begin("lock clawback.evidence_files in share row exclusive mode").await;
    drop(held);
    let content = hex::encode(PDF);
    let attach = |pages: &str| {
        format!(
            "select clawback_v1.attach_evidence_file('{dispute}', 'receipt', 'a.pdf', null, '\\x{content}');
             update clawback.evidence_files set {pages};
             select clawback.refresh_response('{dispute}', 'chargeback')"
        )
    };
    for (counted, expected) in [
        ("pages = 49", "at most 49 pages; it has 50"),
        ("unreadable = 'is password-protected'", "receipt: the file is password-protected"),
    ] {
        shop.app.db.execute(&format!("{}; update clawback.evidence_files set name = 'b.pdf'", attach(counted))).await;
        let error = refusal().await;
        assert!(error.contains(expected), "{error}");
    }
    shop.app.db.execute("update clawback.evidence_files set pages = 48, unreadable = null").await;
    assert!(shop.submit(&dispute).await.is_number());
    shop.responded(&dispute, "submitted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_whose_response_has_a_fee_is_submitted_only_once_a_person_accepts_the_fee() {
    let mut db = Database::migrated().await;
    db.expect_errors(crate::evidence::EVIDENCE_ERRORS);
    for (dispute, phase, reason) in [("du_1", "compliance", "noncompliant"), ("du_2", "chargeback", "noncompliant")] {
        begin(&db, dispute, phase, reason).await;
        db.execute("insert into clawback.api_keys values (false) on conflict do nothing").await;
        assert!(call(&db, &format!("stage_evidence('{dispute}', '{{\"uncategorized_text\": \"x\"}}')")).await.is_ok());
        let error = call(&db, &format!("submit_evidence('{dispute}')")).await.expect_err("no fee accepted");
        assert!(error.contains("stage enhanced_evidence.visa_compliance.fee_acknowledged"), "{error}");
        let accept = json!({ "enhanced_evidence.visa_compliance.fee_acknowledged": true,
            "enhanced_evidence.mastercard_compliance.fee_acknowledged": "true" });
        assert!(call(&db, &format!("stage_evidence('{dispute}', '{accept}')")).await.is_ok());
        assert!(call(&db, &format!("submit_evidence('{dispute}')")).await.is_ok());
    }
}
