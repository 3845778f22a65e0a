//! The cover letter never says more than is known.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::super::{Product, letter};
use super::{FILES, Payment, charge, written};

const REASONS: [&str; 9] = [
    "product_not_received",
    "fraudulent",
    "product_unacceptable",
    "credit_not_processed",
    "duplicate",
    "subscription_canceled",
    "general",
    "noncompliant",
    "a_new_reason",
];

fn product() -> impl Strategy<Value = Product> {
    prop_oneof![Just(Product::Physical), Just(Product::Digital), Just(Product::Service)]
}

proptest! {
    #[test]
    fn a_letter_names_only_what_is_attached_and_has_no_placeholder(
        reason in prop::sample::select(&REASONS),
        product in product(),
        files in prop::sample::subsequence(&FILES, 0..=FILES.len()),
        name in "[a-z<> {}]{0,40}",
        texts in prop::collection::btree_map("customer_name|product_description|shipping_carrier|shipping_tracking_number|customer_purchase_ip|service_date|cancellation_rebuttal", ".{0,400}", 0..6),
        is_known in any::<bool>(),
    ) {
        let mut payment = Payment::of(reason);
        payment.first["description"] = json!(name);
        if !is_known {
            payment.first = json!({});
            payment.charge = json!({});
        }
        payment.others = vec![charge("ch_0", 1_760_000_000)];
        let letter = written(&payment, product, &texts, &files);
        for field in FILES {
            let is_named = letter.contains(&format!(": {}\n", letter::name(field).expect("a name")));
            prop_assert_eq!(is_named, files.contains(&field), "{} in {}", field, letter);
        }
        prop_assert!(!letter.contains('<') && !letter.contains('>'), "{}", letter);
        prop_assert!(letter.chars().count() <= 20_000);
        prop_assert!(!letter.contains("null") && !letter.contains("None"), "{}", letter);
    }

    #[test]
    fn an_amount_without_decimals_is_not_divided(amount in 1_000..1_000_000_i64, reason in prop::sample::select(&REASONS)) {
        let mut payment = Payment::of(reason);
        for object in [&mut payment.dispute, &mut payment.first, &mut payment.charge] {
            object["amount"] = json!(amount);
            object["currency"] = json!("jpy");
        }
        let letter = written(&payment, Product::Physical, &BTreeMap::new(), &[]);
        let whole = format!("{amount} JPY");
        prop_assert!(letter.contains(&whole), "{}", letter);
        prop_assert_eq!(letter.matches("JPY").count(), letter.matches(&whole).count(), "{}", letter);
    }
}

#[test]
fn attachments_follow_the_checklist() {
    let letter = written(
        &Payment::of("general"),
        Product::Digital,
        &BTreeMap::new(),
        &["uncategorized_file", "customer_communication", "receipt"],
    );
    let listed =
        "Attachment A: Receipt\nAttachment B: Communication with the customer\nAttachment C: Further evidence\n";
    assert!(letter.contains(listed), "{letter}");
}

#[test]
fn a_refund_is_named_with_its_own_amount() {
    let mut payment = Payment::of("credit_not_processed");
    payment.refunds = vec![super::refund("re_1", 2_500, "usd")];
    let letter = written(&payment, Product::Digital, &BTreeMap::new(), &[]);
    assert!(letter.contains("25.00 USD was refunded on 4 January 2026 (refund re_1,"), "{letter}");
    assert!(letter.contains("We contest this dispute of 100.00 USD"), "{letter}");
}

#[test]
fn facts_of_the_authorisation_are_those_that_passed() {
    let mut payment = Payment::of("fraudulent");
    let letter = written(&payment, Product::Digital, &BTreeMap::new(), &[]);
    for fact in ["(CVC) was checked and matched", "3-D Secure (ECI 05)", "street of the billing address"] {
        assert!(letter.contains(fact), "{letter}");
    }
    payment.charge["payment_method_details"]["card"]["checks"] = json!({ "cvc_check": "fail" });
    payment.charge["payment_method_details"]["card"]["three_d_secure"] = json!({ "result": "failed" });
    let letter = written(&payment, Product::Digital, &BTreeMap::new(), &[]);
    for fact in ["CVC", "3-D Secure", "AVS"] {
        assert!(!letter.contains(fact), "{letter}");
    }
}

#[test]
fn earlier_payments_are_those_of_the_card_that_nobody_disputed() {
    let mut payment = Payment::of("fraudulent");
    payment.others = ["ch_good", "ch_disputed", "ch_refunded", "ch_reported", "ch_other_card", "ch_later"]
        .map(|id| charge(id, 1_760_000_000))
        .into();
    payment.others[1]["disputed"] = json!(true);
    payment.others[2]["refunded"] = json!(true);
    payment.others[3]["fraud_details"] = json!({ "stripe_report": "fraudulent" });
    payment.others[4]["payment_method_details"]["card"]["fingerprint"] = json!("fp_2");
    payment.others[5]["created"] = json!(1_770_000_000);
    let letter = written(&payment, Product::Digital, &BTreeMap::new(), &[]);
    assert!(letter.contains("- 9 October 2025: 100.00 USD, charge ch_good\n"), "{letter}");
    for other in ["ch_disputed", "ch_refunded", "ch_reported", "ch_other_card", "ch_later"] {
        assert!(!letter.contains(other), "{letter}");
    }
}
