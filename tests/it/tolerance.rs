//! Promise: an event fails only for what money cannot do without. All else that is missing or odd is taken as absent,
//! and what was odd is noted.

use clawback::domain::derive;
use clawback::handlers::{HANDLERS, Reading, read};
use serde_json::{Value, json};

use crate::bodies::{dispute, event};
use crate::harness::TestApp;

/// What stands in for a field that is missing or odd.
enum Field {
    /// Nothing: the event fails, and names it.
    Needed,
    /// Nothing when it is odd. When it is missing, this.
    Money(&'static str),
    /// This, whether it is missing or odd.
    Stand(&'static str),
}
use Field::{Money, Needed, Stand};

/// Every field that is read of each object, and what stands in for it.
const FIELDS: &[(&str, &[(&str, Field)])] = &[
    (
        "charge",
        &[
            ("id", Needed),
            ("amount", Needed),
            ("currency", Needed),
            ("status", Money("before 2014: `paid` and `captured`")),
            ("amount_captured", Money("`amount`, if captured")),
            ("amount_refunded", Money("0")),
            ("captured", Stand("false; true for a paid charge without a status")),
            ("paid", Stand("`captured`")),
            ("refunded", Stand("false")),
            ("created", Stand("the event's")),
            ("payment_intent", Stand("no intent, or the one named before")),
            ("metadata", Stand("no reference to an order")),
            ("refunds", Stand("none")),
            ("dispute", Stand("none")),
            ("payment_method_details", Stand("not known")),
            ("failure_code", Stand("not known")),
        ],
    ),
    (
        "payment_intent",
        &[
            ("id", Needed),
            ("amount", Needed),
            ("currency", Needed),
            ("status", Needed),
            ("amount_received", Money("0")),
            ("last_payment_error", Stand("no failed attempt")),
            ("latest_charge", Stand("none")),
            ("charges", Stand("none")),
            ("metadata", Stand("no reference to an order")),
            ("cancellation_reason", Stand("not known")),
        ],
    ),
    (
        "refund",
        &[
            ("id", Needed),
            ("amount", Needed),
            ("currency", Needed),
            ("status", Money("succeeded in a charge, else a word not known yet")),
            ("reason", Stand("none")),
            ("failure_reason", Stand("none")),
            ("created", Stand("the event's")),
            ("charge", Stand("none, or the one named before")),
            ("payment_intent", Stand("none, or the one named before")),
        ],
    ),
    (
        "dispute",
        &[
            ("id", Needed),
            ("amount", Needed),
            ("currency", Needed),
            ("status", Needed),
            ("reason", Stand("not known")),
            ("network_reason_code", Stand("not known")),
            ("evidence_details", Stand("fields of the dispute itself, as before 2014")),
            ("payment_method_details", Stand("not known")),
            ("intended_submission_method", Stand("not known")),
            ("is_charge_refundable", Stand("not known")),
            ("balance_transactions", Stand("none: nothing moved yet")),
            ("balance_transaction", Stand("none")),
            ("created", Stand("the event's")),
            ("charge", Stand("none, or the one named before")),
            ("payment_intent", Stand("none, or the one named before")),
        ],
    ),
    (
        "checkout.session",
        &[
            ("id", Needed),
            ("currency", Stand("not known")),
            ("client_reference_id", Stand("no reference to an order")),
            ("payment_link", Stand("none: the reference is the merchant's")),
            ("metadata", Stand("no reference to an order")),
            ("payment_intent", Stand("none, or the one named before")),
        ],
    ),
    (
        "radar.early_fraud_warning",
        &[
            ("id", Needed),
            ("actionable", Stand("shown: it holds and asks for nothing")),
            ("fraud_type", Stand("not known")),
            ("created", Stand("the event's")),
            ("charge", Stand("none, or the one named before")),
            ("payment_intent", Stand("none, or the one named before")),
        ],
    ),
    (
        "issuer_fraud_record",
        &[
            ("id", Needed),
            ("fraud_type", Stand("not known")),
            ("created", Stand("the event's")),
            ("charge", Stand("none, or the one named before")),
        ],
    ),
    (
        "review",
        &[
            ("id", Needed),
            ("open", Needed),
            ("reason", Stand("none")),
            ("opened_reason", Stand("`reason` while it is open")),
            ("closed_reason", Stand("`reason` once it is closed")),
            ("created", Stand("the event's")),
            ("charge", Stand("none, or the one named before")),
            ("payment_intent", Stand("none, or the one named before")),
        ],
    ),
    ("clawback.link", &[("id", Needed), ("order_id", Needed), ("microsecond", Needed)]),
    ("clawback.dismissal", &[("id", Needed)]),
];

fn whole(object: &str) -> Value {
    let mut whole = json!({
        "object": object, "id": "x_1", "amount": 1000, "currency": "eur", "status": "needs_response", "open": false,
        "order_id": "o", "microsecond": 1, "created": 1_700_000_000,
    });
    if object == "charge" || object == "refund" {
        whole["status"] = "succeeded".into();
    }
    whole
}

fn said(object: &Value) -> Result<(clawback::domain::Facts, Vec<String>), String> {
    match read("evt_1", &event("evt_1", 1, object), "order_id") {
        Ok(Reading::Facts(facts, _, notes)) => Ok((facts, notes.iter().map(ToString::to_string).collect())),
        Ok(Reading::Ignored(reason)) => Err(format!("ignored: {reason}")),
        Err(unreadable) => Err(unreadable.to_string()),
    }
}

fn odd() -> [Value; 9] {
    [
        json!([]),
        json!({}),
        json!([{ "id": 7 }]),
        json!({ "id": "ch_1", "object": "charge" }),
        json!(true),
        json!(-1),
        json!(1.5),
        json!("\u{0}"),
        json!("x".repeat(6000)),
    ]
}

#[test]
fn every_object_that_is_read_has_its_fields_in_the_table() {
    let objects: Vec<&str> = HANDLERS.iter().map(|handler| handler.object).collect();
    let listed: Vec<&str> = FIELDS.iter().map(|(object, _)| *object).collect();
    for object in objects {
        assert!(listed.contains(&object), "{object} is not in the table");
    }
}

#[test]
fn an_event_fails_only_for_what_money_cannot_do_without() {
    for (object, fields) in FIELDS {
        assert_eq!(said(&whole(object)).map(|(_, notes)| notes), Ok(Vec::new()), "{object}");
        for (field, rule) in *fields {
            let mut without = whole(object);
            without.as_object_mut().expect("an object").remove(*field);
            match rule {
                Needed => assert_eq!(said(&without), Err(format!("data.object.{field}: is missing"))),
                Money(stand) | Stand(stand) => assert!(said(&without).is_ok() && !stand.is_empty(), "{object}.{field}"),
            }
            for value in odd() {
                let mut strange = whole(object);
                strange[*field] = value.clone();
                let fails = said(&strange).is_err();
                assert!(!fails || !matches!(rule, Stand(_)), "{object}.{field} = {value}: {:?}", said(&strange));
            }
        }
    }
}

#[test]
fn what_was_passed_over_is_named_by_its_path() {
    let mut body = whole("dispute");
    body["evidence_details"] = json!([]);
    body["created"] = json!("today");
    body["balance_transactions"] = json!([{ "id": "txn_1", "amount": "much", "currency": "eur" }]);
    let (_, mut notes) = said(&body).expect("facts");
    notes.sort();
    assert_eq!(
        notes,
        [
            "data.object.balance_transactions[0].amount: is not a whole number of 64 bits",
            "data.object.created: is not a whole number of 64 bits",
            "data.object.evidence_details: is not an object",
        ]
    );
}

#[test]
fn a_number_under_the_order_key_is_a_reference() {
    for (metadata, order) in [(json!({ "order_id": 25 }), Some("25")), (json!([]), None), (json!(""), None)] {
        let mut body = whole("payment_intent");
        body["status"] = "succeeded".into();
        body["metadata"] = metadata;
        let (facts, _) = said(&body).expect("facts");
        assert_eq!(derive("x_1", &facts).payment.order_id.as_deref(), order);
    }
}

#[test]
fn of_a_nested_object_that_cannot_be_read_the_id_is_a_link() {
    let mut body = whole("payment_intent");
    body["charges"] = json!({ "data": [{ "id": "ch_1", "object": "charge" }] });
    let (facts, notes) = said(&body).expect("facts");
    assert!(facts.charges["ch_1"].intent.is_some() && notes.len() == 1, "{notes:?}");
    let mut body = whole("refund");
    body["charge"] = json!({ "id": "ch_2", "object": "charge" });
    let (facts, _) = said(&body).expect("facts");
    assert_eq!(facts.refunds["x_1"].charge.as_ref().map(|link| link.value.as_str()), Some("ch_2"));
}

#[test]
fn a_charge_of_2012_that_was_paid_is_captured() {
    let body = json!({ "object": "charge", "id": "ch_1", "amount": 1000, "currency": "usd", "paid": true });
    let (facts, _) = said(&body).expect("facts");
    let payment = derive("ch_1", &facts).payment;
    assert_eq!((payment.state.as_str(), payment.balance.amount_paid), ("paid", Some(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processed_event_tells_what_of_it_was_passed_over() {
    let app = TestApp::start().await;
    let entry =
        json!({ "id": "txn_1", "object": "balance_transaction", "amount": -10000, "fee": 1500, "currency": "eur" });
    let odd = json!({ "charge": "ch_1", "is_charge_refundable": "maybe", "balance_transactions": [entry] });
    app.see(&[event("evt_1", 1, &dispute("dp_1", odd))]).await;
    let row = app.db.rows("select state, last_error from clawback_v1.events").await.remove(0);
    let note = "passed over: data.object.is_charge_refundable: is neither true nor false";
    assert_eq!(row, json!({ "state": "processed", "last_error": note }));
    assert_eq!(
        app.db.value("select amount_withdrawn from clawback_v1.disputes").await,
        10000,
        "an entry without a time"
    );
}
