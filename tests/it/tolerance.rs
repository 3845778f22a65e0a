//! Promise: an event fails only for a required field. Any other field that is missing or invalid is taken as absent,
//! and an invalid one is noted.

use clawback::domain::{Facts, derive};
use clawback::handlers::{HANDLERS, Reading, read};
use serde_json::{Value, json};

use crate::bodies::{DAY, T0, charge, dispute, event, refund};
use crate::harness::TestApp;

/// The value used for a field that is missing or invalid.
enum Field {
    /// None: the event fails, and names the field.
    Needed,
    /// Fails when invalid. When missing, this value.
    Money(&'static str),
    /// This value, whether it is missing or invalid.
    Stand(&'static str),
}
use Field::{Money, Needed, Stand};

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    /// Text or an integer.
    Reference,
    Flag,
    /// Not negative.
    Amount,
    Integer,
    Rate,
    Time,
    /// An id, or a whole object that is read.
    Link,
    /// An id, or an object whose id is read.
    Name,
    Object,
    List,
}
use Kind::{Amount, Flag, Integer, Link, List, Name, Object, Rate, Reference, Text, Time};

type Fields = &'static [(&'static str, Kind, Field)];

/// Every field read of each object, its type, and its substitute.
const FIELDS: &[(&str, Fields)] = &[
    (
        "event",
        &[
            ("created", Time, Needed),
            ("livemode", Flag, Money("a test event")),
            ("account", Text, Stand("the platform's own")),
            ("type", Text, Stand("one that says nothing")),
            ("api_version", Text, Stand("one before 2025-03-31.basil")),
        ],
    ),
    (
        "charge",
        &[
            ("id", Text, Needed),
            ("amount", Amount, Needed),
            ("currency", Text, Needed),
            ("status", Text, Money("before 2014: `paid` and `captured`")),
            ("amount_captured", Amount, Money("`amount`, if captured")),
            ("amount_refunded", Amount, Money("0")),
            ("captured", Flag, Stand("false; true for a paid charge without a status")),
            ("paid", Flag, Stand("`captured`")),
            ("refunded", Flag, Stand("false")),
            ("created", Time, Stand("the event's")),
            ("payment_intent", Link, Stand("no intent, or the one named before")),
            ("metadata", Object, Stand("no reference to an order")),
            ("metadata.order_id", Reference, Stand("no reference to an order")),
            ("refunds", List, Stand("none")),
            ("disputed", Flag, Stand("whether it names a dispute")),
            ("dispute", Link, Stand("none")),
            ("payment_method_details", Object, Stand("not known")),
            ("payment_method_details.type", Text, Stand("not known")),
            ("failure_code", Text, Stand("not known")),
            ("balance_transaction", Link, Stand("the charge's own amounts tell what a capture released")),
            ("customer", Name, Stand("not known")),
            ("billing_details", Object, Stand("not known")),
            ("billing_details.email", Text, Stand("`receipt_email`")),
            ("billing_details.name", Text, Stand("not known")),
            ("receipt_email", Text, Stand("not known")),
        ],
    ),
    (
        "payment_intent",
        &[
            ("id", Text, Needed),
            ("amount", Amount, Needed),
            ("currency", Text, Needed),
            ("status", Text, Needed),
            ("amount_received", Amount, Money("0")),
            ("last_payment_error", Object, Stand("no failed attempt")),
            ("latest_charge", Link, Stand("none")),
            ("charges", List, Stand("none")),
            ("metadata", Object, Stand("no reference to an order")),
            ("metadata.order_id", Reference, Stand("no reference to an order")),
            ("cancellation_reason", Text, Stand("not known")),
            ("customer", Name, Stand("not known")),
            ("receipt_email", Text, Stand("not known")),
        ],
    ),
    (
        "refund",
        &[
            ("id", Text, Needed),
            ("amount", Amount, Needed),
            ("currency", Text, Needed),
            ("status", Text, Money("succeeded in a charge, else a word not known yet")),
            ("reason", Text, Stand("none")),
            ("failure_reason", Text, Stand("none")),
            ("pending_reason", Text, Stand("none")),
            ("destination_details", Object, Stand("not known")),
            ("destination_details.type", Text, Stand("not known")),
            ("destination_details.card", Object, Stand("not known")),
            ("destination_details.card.reference", Text, Stand("not known")),
            ("destination_details.card.reference_status", Text, Stand("not known")),
            ("metadata", Object, Stand("none")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    (
        "dispute",
        &[
            ("id", Text, Needed),
            ("amount", Amount, Needed),
            ("currency", Text, Needed),
            ("status", Text, Needed),
            ("reason", Text, Stand("not known")),
            ("network_reason_code", Text, Stand("not known")),
            ("evidence_details", Object, Stand("fields of the dispute itself, as before 2014")),
            ("evidence_details.due_by", Time, Stand("`evidence_due_by`")),
            ("evidence_details.has_evidence", Flag, Stand("false")),
            ("evidence_details.past_due", Flag, Stand("false")),
            ("evidence_details.submission_count", Amount, Stand("what is known of the phase")),
            ("evidence_details.submission_method", Text, Stand("not known")),
            ("evidence_details.enhanced_eligibility", Object, Stand("not known")),
            ("evidence_due_by", Time, Stand("the deadline is not known")),
            ("payment_method_details", Object, Stand("the charge's, if known")),
            ("payment_method_details.type", Text, Stand("the charge's, if known")),
            ("payment_method_details.card", Object, Stand("not known")),
            ("payment_method_details.card.network_reason_code", Text, Stand("`network_reason_code`")),
            ("payment_method_details.card.case_type", Text, Stand("the phase is told by the status")),
            ("intended_submission_method", Text, Stand("not known")),
            ("is_charge_refundable", Flag, Stand("not known")),
            ("balance_transactions", List, Stand("none: nothing moved yet")),
            ("balance_transactions[0].id", Text, Stand("the entry is passed over")),
            ("balance_transactions[0].amount", Integer, Stand("the entry is passed over")),
            ("balance_transactions[0].currency", Text, Stand("the entry is passed over")),
            ("balance_transactions[0].fee", Integer, Stand("0")),
            ("balance_transactions[0].created", Time, Stand("not known: the same entry with a time wins")),
            ("balance_transactions[0].exchange_rate", Rate, Stand("not known: the share that stayed away counts")),
            ("balance_transaction", Link, Stand("none")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    (
        "checkout.session",
        &[
            ("id", Text, Needed),
            ("currency", Text, Stand("not known")),
            ("client_reference_id", Reference, Stand("no reference to an order")),
            ("payment_link", Name, Stand("none: the reference is the merchant's")),
            ("customer", Name, Stand("not known")),
            ("customer_details", Object, Stand("not known")),
            ("customer_details.email", Text, Stand("not known")),
            ("customer_details.name", Text, Stand("not known")),
            ("receipt_email", Text, Stand("not known, as ever yet")),
            ("metadata", Object, Stand("no reference to an order")),
            ("metadata.order_id", Reference, Stand("no reference to an order")),
            ("payment_intent", Link, Stand("none, or the one named before")),
            ("charge", Link, Stand("none, as ever yet")),
        ],
    ),
    (
        "radar.early_fraud_warning",
        &[
            ("id", Text, Needed),
            ("actionable", Flag, Stand("shown: it holds and asks for nothing")),
            ("fraud_type", Text, Stand("not known")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    (
        "issuer_fraud_record",
        &[
            ("id", Text, Needed),
            ("actionable", Flag, Stand("shown: it holds and asks for nothing")),
            ("fraud_type", Text, Stand("not known")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    (
        "review",
        &[
            ("id", Text, Needed),
            ("open", Flag, Needed),
            ("reason", Text, Stand("none")),
            ("opened_reason", Text, Stand("`reason` while it is open")),
            ("closed_reason", Text, Stand("`reason` once it is closed")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    ("clawback.link", &[("id", Text, Needed), ("order_id", Reference, Needed), ("microsecond", Amount, Needed)]),
    ("clawback.dismissal", &[("id", Text, Needed)]),
];

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
    assert_eq!((payment.state.as_str(), payment.balance.amount_paid), ("paid", Some(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processed_event_shows_which_fields_were_taken_as_absent() {
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
