//! The rules of Visa Compelling Evidence 3.0 (docs.stripe.com/disputes/api/visa-ce3).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::ce3::{Pair, Why, pair};
use super::super::{Policy, Product};
use super::{Payment, address, charge};

const DAY: i64 = 86_400;
const DISPUTED: i64 = 1_767_312_000;

fn policy() -> Policy {
    Policy::parse(
        r#"{ "visa_ce3": { "customer_purchase_ip": "ip", "customer_device_id": "device", "customer_account_id": "login" } }"#,
    )
    .expect("a policy")
}

/// An earlier charge of the same card with this metadata and no more than that in common.
fn earlier(id: &str, days: i64, metadata: &Value) -> Value {
    let mut charge = charge(id, DISPUTED - days * DAY);
    charge["metadata"] = metadata.clone();
    charge["billing_details"]["email"] = json!(format!("{id}@example.com"));
    charge["shipping"] = json!(null);
    charge
}

fn payment(metadata: &Value, others: Vec<Value>) -> Payment {
    let mut payment = Payment::of("fraudulent");
    for charge in [&mut payment.first, &mut payment.charge] {
        charge["metadata"] = metadata.clone();
    }
    payment.intent = json!({});
    payment.others = others;
    payment
}

fn found(payment: &Payment) -> Result<Pair, Why> {
    pair(&payment.sources(), &policy(), Product::Physical)
}

fn charges(payment: &Payment) -> [String; 2] {
    found(payment).expect("a pair").charges
}

/// The fields without the prefix that all have.
fn fields(payment: &Payment) -> BTreeMap<String, String> {
    let prefix = "enhanced_evidence.visa_compelling_evidence_3.";
    let fields = found(payment).expect("a pair").fields.into_iter();
    fields.map(|f| (f.field.strip_prefix(prefix).expect("the prefix").to_owned(), f.value)).collect()
}

fn two_main() -> Value {
    json!({ "ip": "203.0.113.7", "device": "device-0123456789" })
}

#[test]
fn two_main_elements_qualify_and_only_what_is_equal_is_sent() {
    let others = vec![earlier("ch_a", 200, &two_main()), earlier("ch_b", 130, &two_main())];
    let fields = fields(&payment(&two_main(), others));
    let sent: Vec<_> = fields.iter().map(|(field, value)| format!("{field}={value}")).collect();
    assert_eq!(
        sent,
        [
            "disputed_transaction.customer_device_id=device-0123456789",
            "disputed_transaction.customer_purchase_ip=203.0.113.7",
            "disputed_transaction.merchandise_or_services=merchandise",
            "disputed_transaction.product_description=Blue shirt",
            "prior_undisputed_transactions[0].charge=ch_b",
            "prior_undisputed_transactions[0].customer_device_id=device-0123456789",
            "prior_undisputed_transactions[0].customer_purchase_ip=203.0.113.7",
            "prior_undisputed_transactions[0].product_description=Blue shirt",
            "prior_undisputed_transactions[1].charge=ch_a",
            "prior_undisputed_transactions[1].customer_device_id=device-0123456789",
            "prior_undisputed_transactions[1].customer_purchase_ip=203.0.113.7",
            "prior_undisputed_transactions[1].product_description=Blue shirt",
        ]
    );
}

#[test]
fn a_main_element_needs_another_beside_it() {
    let ip = json!({ "ip": "203.0.113.7" });
    let alone = || payment(&ip, vec![earlier("ch_a", 200, &ip), earlier("ch_b", 130, &ip)]);
    let error = found(&alone()).expect_err("no pair").to_string();
    assert!(error.contains("equal is the IP address"), "{error}");
    let mut with_email = alone();
    for other in &mut with_email.others {
        other["billing_details"]["email"] = json!("Jane@Example.com ");
    }
    assert!(found(&with_email).is_ok());
    let mut with_address = alone();
    for other in &mut with_address.others {
        other["shipping"] = json!({ "address": address("2 side  street") });
    }
    assert_eq!(fields(&with_address)["prior_undisputed_transactions[1].shipping_address.city"], "Berlin");
    with_address.others[0]["shipping"]["address"]["line2"] = json!("Flat 2");
    assert!(found(&with_address).is_err());
    let login = json!({ "ip": "203.0.113.7", "login": "jane" });
    let mut other_login = payment(&login, vec![earlier("ch_a", 200, &login), earlier("ch_b", 130, &login)]);
    assert!(found(&other_login).is_ok());
    other_login.others[1]["metadata"]["login"] = json!("Jane");
    assert!(found(&other_login).is_err());
}

#[test]
fn secondary_elements_alone_do_not_qualify() {
    let login = json!({ "login": "jane" });
    let mut payment = payment(&login, vec![earlier("ch_a", 200, &login), earlier("ch_b", 130, &login)]);
    for other in &mut payment.others {
        other["billing_details"]["email"] = json!("jane@example.com");
    }
    assert!(matches!(found(&payment), Err(Why::NoMatch(_))));
    let error = pair(&payment.sources(), &Policy::default(), Product::Physical).expect_err("no pair").to_string();
    assert!(error.contains("name the keys in visa_ce3.customer_purchase_ip"), "{error}");
}

#[test]
fn earlier_payments_are_120_to_364_days_older() {
    let with = |days: i64, seconds: i64| {
        let mut edge = earlier("ch_edge", days, &two_main());
        edge["created"] = json!(DISPUTED - days * DAY - seconds);
        payment(&two_main(), vec![earlier("ch_a", 200, &two_main()), edge])
    };
    for (days, seconds, is_old_enough) in [(120, 0, true), (120, -1, false), (364, 0, true), (364, 1, false)] {
        assert_eq!(found(&with(days, seconds)).is_ok(), is_old_enough, "{days} days and {seconds} s");
    }
    assert_eq!(found(&with(119, 0)), Err(Why::TooFew(1)));
}

#[test]
fn earlier_payments_are_of_the_card_and_without_complaint() {
    type Change = fn(&mut Value);
    let changes: [Change; 7] = [
        |charge| charge["payment_method_details"]["card"]["fingerprint"] = json!("fp_2"),
        |charge| charge["status"] = json!("failed"),
        |charge| charge["captured"] = json!(false),
        |charge| charge["amount_captured"] = json!(0),
        |charge| charge["disputed"] = json!(true),
        |charge| charge["refunded"] = json!(true),
        |charge| charge["fraud_details"] = json!({ "user_report": "fraudulent" }),
    ];
    for (place, change) in changes.iter().enumerate() {
        let mut other = earlier("ch_b", 130, &two_main());
        change(&mut other);
        let payment = payment(&two_main(), vec![earlier("ch_a", 200, &two_main()), other]);
        assert_eq!(found(&payment), Err(Why::TooFew(1)), "change {place}");
    }
}

#[test]
fn a_charge_with_a_fraud_warning_is_not_used() {
    let payment = payment(&two_main(), vec![earlier("ch_a", 200, &two_main()), earlier("ch_b", 130, &two_main())]);
    let text = |value: &Value| value.to_string();
    let (dispute, charge) = (text(&payment.dispute), text(&payment.charge));
    let others: Vec<_> = payment.others.iter().map(text).collect();
    let sources = super::Sources::read(&super::Bodies {
        dispute: &dispute,
        charge: Some(&charge),
        warnings: vec![r#"{"object":"radar.early_fraud_warning","charge":"ch_b"}"#],
        others: others.iter().map(String::as_str).collect(),
        ..super::Bodies::default()
    })
    .expect("a dispute");
    assert_eq!(pair(&sources, &policy(), Product::Physical), Err(Why::TooFew(1)));
}

#[test]
fn the_pair_with_most_in_common_is_chosen_then_the_newest() {
    let mut all = two_main();
    all["login"] = json!("jane");
    let others = vec![
        earlier("ch_newest", 121, &two_main()),
        earlier("ch_old", 300, &all),
        earlier("ch_older", 310, &all),
        earlier("ch_new", 125, &two_main()),
    ];
    assert_eq!(charges(&payment(&all, others.clone())), ["ch_old", "ch_older"]);
    assert_eq!(charges(&payment(&two_main(), others)), ["ch_newest", "ch_new"]);
}

#[test]
fn what_stripe_filled_in_stays() {
    let mut payment = payment(&two_main(), vec![earlier("ch_a", 200, &two_main()), earlier("ch_b", 130, &two_main())]);
    let held =
        |charge| json!({ "charge": charge, "product_description": "By Stripe", "customer_purchase_ip": "203.0.113.7" });
    payment.dispute["evidence"] = json!({ "enhanced_evidence": { "visa_compelling_evidence_3": {
        "disputed_transaction": { "customer_purchase_ip": "203.0.113.7", "product_description": "By Stripe" },
        "prior_undisputed_transactions": [held("ch_a"), held("ch_b")]
    } } });
    let added = fields(&payment);
    assert_eq!(added.get("disputed_transaction.product_description"), None);
    assert_eq!(added["disputed_transaction.customer_device_id"], "device-0123456789");
    assert_eq!(added["prior_undisputed_transactions[0].charge"], "ch_a");
    assert_eq!(added["prior_undisputed_transactions[0].product_description"], "By Stripe");
    assert_eq!(added["prior_undisputed_transactions[0].customer_device_id"], "device-0123456789");
    // Nothing is sent of a list that is whole.
    payment.others.clear();
    let added: Vec<_> = fields(&payment).into_keys().collect();
    assert_eq!(added, ["disputed_transaction.merchandise_or_services"]);
}

#[test]
fn other_disputes_are_not_for_it() {
    let mut payment = payment(&two_main(), Vec::new());
    payment.dispute["payment_method_details"]["card"]["network_reason_code"] = json!("10.5");
    assert_eq!(found(&payment), Err(Why::OtherReason("visa, 10.5".to_owned())));
    payment.dispute["enhanced_eligibility_types"] = json!(["visa_compelling_evidence_3"]);
    assert_eq!(found(&payment), Err(Why::TooFew(0)));
    payment.charge["payment_method_details"]["card"]["fingerprint"] = json!(null);
    assert_eq!(found(&payment), Err(Why::NoFingerprint));
}

#[test]
fn what_a_field_cannot_hold_and_a_missing_description_are_told() {
    let short = json!({ "ip": "203.0.113.7", "device": "short" });
    let mut payment = payment(&short, vec![earlier("ch_a", 200, &short), earlier("ch_b", 130, &short)]);
    assert!(found(&payment).expect_err("no pair").to_string().contains("at least 15 characters"));
    for charge in [&mut payment.first, &mut payment.charge].into_iter().chain(&mut payment.others) {
        charge["metadata"] = two_main();
    }
    payment.others[0]["description"] = json!(null);
    let notes = found(&payment).expect("a pair").notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("ch_a has no product_description"), "{notes:?}");
}
