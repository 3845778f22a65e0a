//! What is filled in, from where, and what is not.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;
use strum::VariantArray;

use super::super::{Product, draft};
use super::{FILES, Payment, address, called, charge, policy, refund, written};

const TEXTS: [&str; 8] = [
    "access_activity_log",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_date",
    "shipping_tracking_number",
];

fn filled(payment: &Payment, product: Product, fields: &[&str], already: &[(&str, &str)]) -> BTreeMap<String, String> {
    let already = already.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
    let draft = draft(&payment.sources(), &policy(), product, &called(fields), &already);
    draft.fields.into_iter().map(|filled| (filled.field, filled.value)).collect()
}

/// What each reason and product gets when everything is known and everything is called for.
#[test]
fn each_reason_and_product_gets_its_fields_and_claims() {
    let mut table = String::new();
    for reason in [
        "product_not_received",
        "fraudulent",
        "product_unacceptable",
        "credit_not_processed",
        "duplicate",
        "subscription_canceled",
        "general",
        "noncompliant",
    ] {
        for product in Product::VARIANTS {
            let mut payment = Payment::of(reason);
            payment.refunds = vec![refund("re_1", 2_500, "usd")];
            let wanted: Vec<_> =
                TEXTS.into_iter().chain(["shipping_carrier", "shipping_address"]).chain(FILES).collect();
            let draft = draft(&payment.sources(), &policy(), *product, &called(&wanted), &BTreeMap::new());
            writeln!(table, "## {reason}, {product}").expect("written");
            for filled in &draft.fields {
                writeln!(table, "{}: {} ({})", filled.field, filled.value, filled.source).expect("written");
            }
            for file in &draft.files {
                writeln!(table, "{}: file {} ({})", file.field, file.path, file.source).expect("written");
            }
            let texts = draft.fields.into_iter().map(|filled| (filled.field, filled.value)).collect();
            let letter = written(&payment, *product, &texts, &["receipt", "refund_policy"]);
            writeln!(table, "---\n{letter}\n").expect("written");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn what_is_there_already_is_not_filled_in() {
    let filled = filled(&Payment::of("general"), Product::Digital, &[], &[("customer_name", "Prefilled")]);
    assert_eq!(filled.get("customer_name"), None);
    assert_eq!(filled["customer_email_address"], "jane@example.com");
    assert_eq!(filled["customer_purchase_ip"], "203.0.113.7");
}

#[test]
fn the_billing_address_needs_a_check_that_passed_and_is_never_the_shipping_address() {
    let mut payment = Payment::of("fraudulent");
    let address_of = |payment: &Payment| filled(payment, Product::Physical, &[], &[]).get("billing_address").cloned();
    assert_eq!(address_of(&payment).as_deref(), Some("Jane Doe, 1 Main Street, 10115, Berlin, DE"));
    payment.charge["payment_method_details"]["card"]["checks"]["address_line1_check"] = json!("fail");
    assert_eq!(address_of(&payment), None);
    payment.charge["payment_method_details"]["card"]["checks"] = json!({});
    assert_eq!(address_of(&payment), None);
    let mut without = Payment::of("fraudulent");
    without.first["billing_details"]["address"] = json!(null);
    assert_eq!(address_of(&without), None);
}

#[test]
fn addresses_are_those_of_the_purchase() {
    let mut payment = Payment::of("product_not_received");
    payment.charge["shipping"]["address"] = address("9 Later Street");
    payment.charge["billing_details"]["address"] = address("9 Later Street");
    let filled = filled(&payment, Product::Physical, &["shipping_address"], &[]);
    assert_eq!(filled["shipping_address"], "Jane Doe, 2 Side Street, 10115, Berlin, DE");
    assert_eq!(filled["billing_address"], "Jane Doe, 1 Main Street, 10115, Berlin, DE");
}

#[test]
fn carrier_and_tracking_number_come_from_one_source() {
    let both = ["shipping_carrier", "shipping_tracking_number"];
    let mut payment = Payment::of("product_not_received");
    payment.charge["shipping"]["carrier"] = json!(null);
    payment.intent["shipping"] = json!({ "carrier": "UPS", "tracking_number": "1Z99" });
    let pair = |filled: &BTreeMap<String, String>| both.map(|field| filled.get(field).cloned());
    let of_intent = [Some("UPS".to_owned()), Some("1Z99".to_owned())];
    assert_eq!(pair(&filled(&payment, Product::Physical, &both, &[])), of_intent);
    // The other of a pair is filled in only where the first is the same.
    let other = filled(&payment, Product::Physical, &both, &[("shipping_carrier", "DHL")]);
    assert_eq!(pair(&other), [None, None]);
    let same = filled(&payment, Product::Physical, &both, &[("shipping_carrier", "UPS")]);
    assert_eq!(pair(&same), [None, Some("1Z99".to_owned())]);
    payment.intent["shipping"]["carrier"] = json!(null);
    let draft = draft(&payment.sources(), &policy(), Product::Physical, &called(&both), &BTreeMap::new());
    assert!(draft.notes.iter().any(|note| note.contains("no source has both")), "{:?}", draft.notes);
}

#[test]
fn a_digital_product_gets_no_shipping_fields() {
    let filled = filled(&Payment::of("fraudulent"), Product::Digital, &super::super::shipping::FIELDS, &[]);
    assert!(filled.keys().all(|field| !field.starts_with("shipping")), "{filled:?}");
}

#[test]
fn a_policy_is_filled_in_only_where_it_is_called_for() {
    let payment = Payment::of("product_not_received");
    let draft = draft(&payment.sources(), &policy(), Product::Physical, &called(&["receipt"]), &BTreeMap::new());
    assert!(draft.files.is_empty(), "{:?}", draft.files);
    assert!(draft.fields.iter().all(|filled| !filled.field.contains("policy")));
}

#[test]
fn only_refunds_that_were_made_explain_a_refusal() {
    let mut payment = Payment::of("credit_not_processed");
    let explanation = |payment: &Payment| {
        filled(payment, Product::Digital, &["refund_refusal_explanation"], &[])
            .get("refund_refusal_explanation")
            .cloned()
    };
    payment.refunds = vec![refund("re_1", 500, "jpy")];
    let said =
        "500 JPY was refunded on 4 January 2026 (refund re_1, acquirer reference number 74000000000000000000001).";
    assert_eq!(explanation(&payment).as_deref(), Some(said));
    payment.refunds[0]["status"] = json!("failed");
    assert_eq!(explanation(&payment), None);
}

#[test]
fn the_other_charge_of_a_duplicate_is_offered_and_never_chosen() {
    let mut payment = Payment::of("duplicate");
    payment.others = vec![charge("ch_2", 1_767_312_100), charge("ch_3", 1_767_312_000 - 8 * 86_400)];
    let fields = ["duplicate_charge_id", "duplicate_charge_explanation"];
    let drafted = draft(&payment.sources(), &policy(), Product::Digital, &called(&fields), &BTreeMap::new());
    assert!(drafted.fields.iter().all(|filled| !filled.field.starts_with("duplicate")), "{:?}", drafted.fields);
    assert!(drafted.notes[0].contains("ch_2 of 100.00 USD, made on 2 January 2026"), "{:?}", drafted.notes);
    assert!(!drafted.notes[0].contains("ch_3"), "{:?}", drafted.notes);
    let chosen = filled(&payment, Product::Digital, &fields, &[("duplicate_charge_id", "ch_2")]);
    assert!(chosen["duplicate_charge_explanation"].contains("The other is ch_2 of 100.00 USD"), "{chosen:?}");
}

#[test]
fn a_log_of_access_is_never_invented() {
    let mut payment = Payment::of("product_not_received");
    assert_eq!(filled(&payment, Product::Digital, &["access_activity_log"], &[]).get("access_activity_log"), None);
    payment.charge["metadata"]["log"] = json!("2 January 2026, 10:00 UTC: download from 203.0.113.7");
    let filled = filled(&payment, Product::Digital, &["access_activity_log"], &[]);
    assert_eq!(filled["access_activity_log"], "2 January 2026, 10:00 UTC: download from 203.0.113.7");
}

#[test]
fn sources_of_unexpected_shapes_count_as_empty() {
    let bodies = super::Bodies {
        dispute: r#"{"object":"event","data":{"object":{"id":7,"reason":[],"charge":{"id":"ch_9"}}}}"#,
        charge: Some("[]"),
        session: Some("not JSON"),
        ..super::Bodies::default()
    };
    let sources = super::Sources::read(&bodies).expect("a dispute");
    assert_eq!((sources.reason(), sources.charge_id().as_deref()), ("general", Some("ch_9")));
    assert_eq!(draft(&sources, &policy(), Product::Physical, &called(&TEXTS), &BTreeMap::new()).fields, []);
    assert!(super::Sources::read(&super::Bodies::default()).is_err());
}
