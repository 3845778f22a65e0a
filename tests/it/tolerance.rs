//! Promise: an event fails only for a required field. Any other field that is missing or invalid is taken as absent,
//! and an invalid one is noted.

use clawback::domain::{Facts, State, derive};
use clawback::handlers::{HANDLERS, Reading, read};
use serde_json::{Value, json};

use crate::bodies::{DAY, T0, charge, dispute, event, refund};
use crate::fields::Field::{Money, Needed, Stand};
use crate::fields::Kind::{Flag, Integer, Link, List, Name, Object, Rate, Reference};
use crate::fields::{FIELDS, Kind};
use crate::harness::TestApp;

/// An event that shows the object with all required fields, and places for the others.
fn whole(object: &str) -> Value {
    let status = match object {
        "dispute" => "needs_response",
        "payment_intent" => "requires_payment_method",
        _ => "succeeded",
    };
    let mut whole = json!({
        "object": object, "id": "x_1", "amount": 1000, "currency": "eur", "status": status, "open": false,
        "order_id": "o", "client_reference_id": "o", "microsecond": 1, "created": 1_700_000_000, "metadata": {},
        "payment_method_details": { "card": {} }, "billing_details": {}, "customer_details": {},
        "destination_details": { "type": "card", "card": {} },
    });
    if object == "dispute" {
        whole["evidence_details"] = json!({});
        whole["balance_transactions"] = json!([{ "id": "txn_1", "amount": -1000, "currency": "eur" }]);
    }
    event("evt_1", 1, &whole).parse().expect("JSON")
}

/// The path of a field of the table in the event, as notes show it.
fn path_of(object: &str, field: &str) -> String {
    if object == "event" { field.to_owned() } else { format!("data.object.{field}") }
}

/// The event with this value in the field, or without the field.
fn changed(mut event: Value, path: &str, value: Option<&Value>) -> Value {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let steps = parent.split('.').filter(|step| !step.is_empty());
    let pointer: String = steps.map(|step| format!("/{}", step.replace("[0]", "/0"))).collect();
    let fields = event.pointer_mut(&pointer).and_then(Value::as_object_mut).expect("there is room");
    match value {
        Some(value) => fields.insert(name.to_owned(), value.clone()),
        None => fields.remove(name),
    };
    event
}

fn said(event: &Value) -> Result<(Facts, Vec<String>), String> {
    match read("evt_1", &event.to_string(), "order_id") {
        Ok(Reading::Facts(facts, _, notes)) => Ok((facts, notes.iter().map(ToString::to_string).collect())),
        Ok(Reading::Ignored(reason)) => Err(format!("ignored: {reason}")),
        Err(unreadable) => Err(unreadable.to_string()),
    }
}

/// Possible values, and the types that accept them.
fn values() -> [(Value, &'static [Kind]); 10] {
    [
        (json!([]), &[List]),
        (json!({}), &[Object, List]),
        (json!([{ "id": 7 }]), &[]),
        (json!([7]), &[]),
        (json!({ "id": "ch_1", "object": "charge" }), &[Object, Name]),
        (json!(true), &[Flag]),
        (json!(-1), &[Integer, Reference]),
        (json!(1.5), &[Rate]),
        (json!("\u{0}"), &[]),
        (json!("x".repeat(6000)), &[]),
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
fn an_event_fails_only_for_a_required_field_and_names_it() {
    for (object, fields) in FIELDS {
        let whole = whole(if *object == "event" { "charge" } else { object });
        assert_eq!(said(&whole).map(|(_, notes)| notes), Ok(Vec::new()), "{object}");
        for (field, kind, rule) in *fields {
            let path = path_of(object, field);
            let without = said(&changed(whole.clone(), &path, None));
            match rule {
                Needed => assert_eq!(without, Err(format!("{path}: is missing"))),
                Money(stand) | Stand(stand) => assert!(without.is_ok() && !stand.is_empty(), "{path}: {without:?}"),
            }
            for (value, _) in values().into_iter().filter(|(_, kinds)| !kinds.contains(kind)) {
                let strange = said(&changed(whole.clone(), &path, Some(&value)));
                let names = |said: &str| said.starts_with(&path);
                match (rule, &strange) {
                    (Needed | Money(_), Err(failure)) => assert!(names(failure), "{path} = {value}: {failure}"),
                    (Stand(_), Ok((facts, notes))) => {
                        assert!(notes.iter().any(|note| names(note)), "{path} = {value} is not noted: {notes:?}");
                        let is_link = *kind == Link && value.is_object();
                        assert!(
                            is_link || without.as_ref().is_ok_and(|(absent, _)| absent == facts),
                            "{path} = {value}"
                        );
                    }
                    _ => panic!("{object}: {path} = {value}: {strange:?}"),
                }
            }
        }
    }
}

/// Only a value that the field's type does not accept is invalid.
#[test]
fn valid_values_are_not_noted() {
    for (object, fields) in FIELDS {
        let whole = whole(if *object == "event" { "charge" } else { object });
        for (field, kind, _) in *fields {
            for (value, _) in values().into_iter().filter(|(_, kinds)| kinds.contains(kind)) {
                let path = path_of(object, field);
                let (_, notes) = said(&changed(whole.clone(), &path, Some(&value))).expect(&path);
                let noted = notes.iter().filter(|note| note.starts_with(&format!("{path}:"))).count();
                assert_eq!(noted, 0, "{path} = {value}: {notes:?}");
            }
        }
    }
}

#[test]
fn a_field_taken_as_absent_is_named_by_its_path() {
    let mut event = whole("dispute");
    let body = &mut event["data"]["object"];
    body["evidence_details"] = json!([]);
    body["created"] = json!("today");
    body["balance_transactions"] = json!([
        { "id": "txn_1", "amount": "much", "currency": "eur" }, 7, { "id": "txn_2", "amount": -5, "currency": "eur" },
    ]);
    let (facts, mut notes) = said(&event).expect("facts");
    notes.sort();
    assert_eq!(
        notes,
        [
            "data.object.balance_transactions[0].amount: is not a 64-bit integer",
            "data.object.balance_transactions[1]: is not an object",
            "data.object.created: is not a 64-bit integer",
            "data.object.evidence_details: is not an object",
        ]
    );
    assert_eq!(facts.disputes["x_1"].balance.keys().collect::<Vec<_>>(), ["txn_2"], "the others of the list are read");
}

#[test]
fn a_number_under_the_order_key_is_an_order_reference() {
    for (metadata, order) in [(json!({ "order_id": 25 }), Some("25")), (json!([]), None), (json!(""), None)] {
        let event = changed(whole("payment_intent"), "data.object.metadata", Some(&metadata));
        let (facts, _) = said(&event).expect("facts");
        assert_eq!(derive("x_1", &facts).payment.order_id.as_deref(), order);
    }
}

#[test]
fn the_id_of_an_unreadable_nested_object_is_still_a_link() {
    let charges = json!({ "data": [{ "id": "ch_1", "object": "charge" }] });
    let (facts, notes) = said(&changed(whole("payment_intent"), "data.object.charges", Some(&charges))).expect("facts");
    assert!(facts.charges["ch_1"].intent.is_some() && notes.len() == 1, "{notes:?}");
    let charge = json!({ "id": "ch_2", "object": "charge" });
    let (facts, _) = said(&changed(whole("refund"), "data.object.charge", Some(&charge))).expect("facts");
    assert_eq!(facts.refunds["x_1"].charge.as_ref().map(|link| link.value.as_str()), Some("ch_2"));
}

/// Its `created` may lie long after the event's, and it may name ids of another payment.
#[test]
fn a_refund_nested_in_a_charge_belongs_to_it_and_is_notified_once() {
    let nested = refund("re_1", json!({ "created": T0 + 9 * DAY, "charge": "ch_other", "payment_intent": "pi_other" }));
    let shown = json!({ "payment_intent": "pi_1", "amount_refunded": 1_000, "refunds": { "data": [nested] } });
    let event = event("evt_1", 1, &charge("ch_1", shown)).parse().expect("JSON");
    let (facts, _) = said(&event).expect("facts");
    let mut payments = facts.by_payment();
    assert_eq!(payments.keys().collect::<Vec<_>>(), ["pi_1"]);
    let derived = derive("pi_1", &payments.remove("pi_1").expect("a payment"));
    let told: Vec<_> = derived.desired.iter().map(|wanted| (wanted.kind, wanted.subject.as_str())).collect();
    assert_eq!((derived.payment.balance.amount_refunded, told), (1_000, vec![("notify_refund", "re_1")]));
}

#[test]
fn a_charge_of_2012_that_was_paid_is_captured() {
    let body = json!({ "object": "charge", "id": "ch_1", "amount": 1000, "currency": "usd", "paid": true });
    let (facts, _) = said(&event("evt_1", 1, &body).parse().expect("JSON")).expect("facts");
    let payment = derive("ch_1", &facts).payment;
    assert_eq!((payment.state, payment.balance.amount_paid), (State::Paid, Some(1000)));
}

#[test]
fn what_operators_read_quotes_names_of_types_and_no_other_value() {
    let (personal, odd) = ("ann@shop.example", json!("not an object"));
    let mut refund = whole("refund");
    for (name, quoted) in [("card", true), (personal, false), (&"x".repeat(65), false)] {
        refund["data"]["object"]["destination_details"] = json!({ "type": name, name: odd });
        let (_, notes) = said(&refund).expect("facts");
        assert_eq!(notes.iter().any(|note| note.contains(name)), quoted, "{notes:?}");
        let unknown = said(&whole(name)).map(|_| ()).expect_err("an unknown type");
        assert!(!unknown.contains(personal) && unknown.len() < 100, "{unknown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processed_event_shows_which_fields_were_taken_as_absent() {
    let app = TestApp::start().await;
    let entry =
        json!({ "id": "txn_1", "object": "balance_transaction", "amount": -10000, "fee": 1500, "currency": "eur" });
    let odd = json!({ "charge": "ch_1", "is_charge_refundable": "maybe", "balance_transactions": [entry] });
    app.see(&[event("evt_1", 1, &dispute("dp_1", odd))]).await;
    let row = app.db.rows("select state, last_error from clawback_v1.events").await.remove(0);
    let note = "taken as absent: data.object.is_charge_refundable: is neither true nor false";
    assert_eq!(row, json!({ "state": "processed", "last_error": note }));
    assert_eq!(
        app.db.value("select amount_withdrawn from clawback_v1.disputes").await,
        10000,
        "an entry without a time"
    );
}
