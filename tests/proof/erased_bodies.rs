//! Promise: a body without personal data says the same of money, and names nobody.
//!
//! What may stay is taken from the list of what readers read (`tests/it/fields.rs`), not from the code under test.

use std::collections::{BTreeMap, BTreeSet};

use clawback::dev::stories::{Cast, all};
use clawback::domain::{Erasure, Replace};
use clawback::handlers::{self, Reading, erased};
use clawback::stripe::object::FieldError;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::chance::rng;
use crate::fields::FIELDS;
use crate::life::Life;
use crate::life::strategy::plans;
use crate::samples;

/// What is put into every text that no reader reads.
const SECRET: &str = "Ada Lovelace <ada@example.com>";
/// The payer is read, and must not stay.
const PAYER: [&str; 5] = ["customer", "billing_details", "customer_details", "receipt_email", "email"];

fn erasure() -> Erasure {
    Erasure { order_key: "order_id".to_owned(), replace: None }
}

/// The names of fields whose text may stay.
fn kept() -> BTreeSet<&'static str> {
    let names = FIELDS.iter().flat_map(|(_, fields)| fields.iter()).filter_map(|(path, ..)| {
        let is_payer = path.split('.').any(|part| PAYER.contains(&part));
        path.rsplit('.').next().filter(|_| !is_payer)
    });
    // Of envelopes, thin events, disputes before 2014 and in the words of `enhanced_eligibility`.
    let others = ["object", "thin_type", "context", "url", "submission_method", "due_by", "required_actions"];
    names.chain(others).collect()
}

/// Fields that are read somewhere and are not read here.
const NOT_HERE: [&str; 3] = ["evidence", "billing_details", "customer_details"];

/// Puts the secret into every text that may not stay, and the same into names.
fn plant(value: &mut Value, name: &str, is_kept: bool, kept: &BTreeSet<&str>) {
    match value {
        Value::String(text) if !(is_kept && kept.contains(name)) => SECRET.clone_into(text),
        Value::Object(fields) => {
            let below = is_kept && !NOT_HERE.contains(&name);
            for (name, value) in fields.iter_mut() {
                plant(value, name, below && is_read_below(name), kept);
            }
            if name == "metadata" {
                fields.insert(SECRET.to_owned(), SECRET.into());
                fields.insert("id".to_owned(), SECRET.into());
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| plant(element, name, is_kept, kept)),
        _ => {}
    }
}

/// Of what these hold nothing is read, whatever their fields are called.
fn is_read_below(name: &str) -> bool {
    !matches!(
        name,
        "previous_attributes"
            | "outcome"
            | "source"
            | "shipping"
            | "payment_method_options"
            | "next_action"
            | "customer"
            | "automatic_payment_methods"
            | "last_payment_error"
            | "evidence"
    )
}

fn read(body: &str) -> Result<Reading, FieldError> {
    handlers::read("evt_1", body, "order_id")
}

/// Compares what is read of a body before and after. Returns the body without personal data.
fn check(body: &str, what: &str) -> String {
    let (before, after) = (read(body), erased(body, &erasure()));
    match (before, read(&after)) {
        (Ok(Reading::Facts(mut facts, _, notes)), Ok(Reading::Facts(kept, payers, kept_notes))) => {
            facts.erase(&erasure());
            assert_eq!(kept, facts, "{what}\n{body}\n{after}");
            assert_eq!(payers, [], "{what}\n{after}");
            let new: Vec<_> = kept_notes.iter().filter(|note| !notes.contains(note)).collect();
            assert!(new.is_empty(), "{what}: {new:?}\n{body}\n{after}");
        }
        (before, after_) => assert_eq!(after_, before, "{what}\n{body}\n{after}"),
    }
    assert_eq!(erased(&after, &erasure()), after, "{what}: erased twice");
    after
}

fn check_planted(body: &str, what: &str, kept: &BTreeSet<&str>) {
    check(body, what);
    let mut planted: Value = serde_json::from_str(body).expect(what);
    plant(&mut planted, "", true, kept);
    let after = check(&planted.to_string(), what);
    assert!(!after.contains("Ada") && !after.contains("@example.com"), "{what}\n{after}");
}

#[test]
fn every_sample_says_the_same_without_personal_data() {
    let Some(folder) = samples::folder() else { return };
    let kept = kept();
    for (name, body) in samples::samples(&folder) {
        check_planted(&body, &name, &kept);
    }
}

#[test]
fn every_story_says_the_same_without_personal_data() {
    let (kept, mut seen) = (kept(), 0);
    for story in all() {
        for event in story.tell(&Cast::new("o-1", 1_750_000_000)) {
            check_planted(&event.body, story.name, &kept);
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} events");
}

#[test]
fn every_generated_life_says_the_same_without_personal_data() {
    let mut runner = TestRunner::new_with_rng(Config::default(), rng(14));
    let (kept, mut seen) = (kept(), 0);
    for _ in 0..300 {
        let life = Life::of(&plans().new_tree(&mut runner).expect("a plan").current());
        for moment in &life.moments {
            check_planted(&moment.event.body, &moment.event.kind, &kept);
            seen += 1;
        }
    }
    assert!(seen > 1_000, "{seen} events");
}

/// One sample of each object, each of its values in turn replaced by one of every kind.
#[test]
fn whatever_is_unreadable_stays_as_unreadable_as_it_was() {
    let mut first: BTreeMap<String, Value> = BTreeMap::new();
    let events = all().iter().flat_map(|story| story.tell(&Cast::new("o-1", 1_750_000_000)));
    for event in events {
        let event: Value = serde_json::from_str(&event.body).expect("JSON");
        let key = format!("{} {}", event["data"]["object"]["object"], event["data"]["object"]["refunds"].is_object());
        first.entry(key).or_insert(event);
    }
    assert!(first.len() > 5, "{:?}", first.keys());
    let long = "a".repeat(6_000);
    let odd = [
        json!(null),
        json!("x"),
        json!(long),
        json!("a\0"),
        json!(7),
        json!(-1.5),
        json!(true),
        json!({}),
        json!([{ "id": 1 }]),
    ];
    for (name, event) in &first {
        for path in paths(event, String::new()) {
            for value in &odd {
                let mut changed = event.clone();
                *changed.pointer_mut(&path).expect("a value") = value.clone();
                check(&changed.to_string(), &format!("{name} {path}"));
            }
        }
    }
}

fn paths(value: &Value, path: String) -> Vec<String> {
    let below: Vec<String> = match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| paths(value, format!("{path}/{name}"))).collect()
        }
        Value::Array(elements) => {
            elements.iter().enumerate().flat_map(|(at, value)| paths(value, format!("{path}/{at}"))).collect()
        }
        _ => Vec::new(),
    };
    if path.is_empty() { below } else { [path].into_iter().chain(below).collect() }
}

#[test]
fn a_reference_that_is_replaced_is_nowhere_in_the_body() {
    let replace = Replace { from: "ada@example.com".to_owned(), to: "o-7".to_owned() };
    let erasure = Erasure { replace: Some(replace), ..erasure() };
    let refund = json!({ "id": "re_1", "object": "refund", "amount": 5, "currency": "eur",
        "metadata": { "order_id": "ada@example.com", "clawback_request": "r", "note": "x" } });
    let charge = json!({ "id": "ch_1", "object": "charge", "amount": 5, "currency": "eur", "refunds": [refund],
        "metadata": { "order_id": "ada@example.com" } });
    let session = json!({ "id": "cs_1", "object": "checkout.session", "client_reference_id": "ada@example.com" });
    let link = json!({ "id": "pi_1", "object": "clawback.link", "order_id": "ada@example.com", "microsecond": 1 });
    for object in [refund.clone(), charge, session, link] {
        let body = json!({ "id": "evt_1", "type": "x", "created": 1, "data": { "object": object } }).to_string();
        let after = erased(&body, &erasure);
        assert!(!after.contains("ada@") && after.contains("o-7"), "{after}");
        let (Ok(Reading::Facts(mut before, ..)), Ok(Reading::Facts(kept, ..))) = (read(&body), read(&after)) else {
            panic!("{after}")
        };
        before.erase(&erasure);
        assert_eq!(kept, before);
    }
}
