//! What must hold for every story.

mod reading;

use std::collections::HashSet;

use serde_json::Value;

use super::{Amount, Cast, Story, StoryEvent, all, find};

const START: i64 = 1_785_000_000;

fn cast() -> Cast {
    Cast::new("ord_7315", START)
}

fn parse(event: &StoryEvent) -> Value {
    serde_json::from_str(&event.body).expect("a body is JSON")
}

/// Every event of every story, with its story's name and its body parsed.
fn every_event() -> impl Iterator<Item = (&'static str, StoryEvent, Value)> {
    all().iter().flat_map(|story| {
        story.tell(&cast()).into_iter().map(|event| {
            let body = parse(&event);
            (story.name, event, body)
        })
    })
}

fn object(body: &Value) -> &Value {
    &body["data"]["object"]
}

#[test]
fn the_catalogue_has_the_promised_stories() {
    let promised = [
        "paid",
        "partial-refund",
        "full-refund",
        "refund-pending",
        "refund-fails-later",
        "refund-canceled",
        "chargeback-won",
        "chargeback-lost",
        "late-win",
        "lost-part-back",
        "inquiry-closed",
        "inquiry-escalated",
        "prevented",
        "unchallengeable",
        "two-disputes",
        "authorized",
        "void",
        "partial-capture",
        "payment-failed",
        "payment-pending",
        "chargeback-open",
        "dispute-under-review",
        "debit-disputed",
        "inquiry-answered-twice",
        "partial-dispute",
        "compliance-open",
        "compliance-lost",
        "appeal-won",
        "appeal-lost",
        "smart-dispute",
        "ach-disputed",
        "klarna-inquiry",
    ];
    for name in promised {
        assert!(find(name).is_some(), "{name}");
    }
    let names: HashSet<_> = all().iter().map(|story| story.name).collect();
    assert_eq!(names.len(), all().len(), "a name is used twice");
    assert!(find("no-such-story").is_none());
}

#[test]
fn an_event_says_in_its_body_what_it_is() {
    for (story, event, body) in every_event() {
        assert_eq!(body["id"], event.id, "{story}");
        assert_eq!(body["type"], event.r#type, "{story}");
        assert_eq!(body["created"], event.created, "{story}");
        assert_eq!(body["object"], "event", "{story}");
        assert_eq!(object(&body)["object"], object_of(&event.r#type), "{story} {}", event.r#type);
    }
}

fn object_of(kind: &str) -> &'static str {
    match kind {
        kind if kind.starts_with("charge.dispute.") => "dispute",
        kind if kind.starts_with("charge.refund.") || kind.starts_with("refund.") => "refund",
        kind if kind.starts_with("charge.") => "charge",
        kind if kind.starts_with("payment_intent.") => "payment_intent",
        kind if kind.starts_with("checkout.session.") => "checkout.session",
        kind if kind.starts_with("radar.early_fraud_warning.") => "radar.early_fraud_warning",
        kind if kind.starts_with("review.") => "review",
        kind => panic!("no object is known for {kind}"),
    }
}

#[test]
fn time_never_runs_backwards() {
    for story in all() {
        let events = story.tell(&cast());
        assert_eq!(events[0].created, START, "{}", story.name);
        assert!(events.is_sorted_by_key(|event| event.created), "{}", story.name);
        assert_eq!(story.span(&cast()), events[events.len() - 1].created - START, "{}", story.name);
    }
}

#[test]
fn an_object_is_never_newer_than_its_event() {
    // A checkout page is opened some minutes before the first event.
    let earliest = START - 180;
    for (story, event, body) in every_event() {
        let created = object(&body)["created"].as_i64().expect("objects have a time");
        assert!((earliest..=event.created).contains(&created), "{story} {}", event.r#type);
    }
}

#[test]
fn event_ids_are_unique_over_all_stories() {
    let ids: Vec<_> = every_event().map(|(_, event, _)| event.id).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
}

#[test]
fn one_cast_tells_the_same_bytes_every_time() {
    for story in all() {
        assert_eq!(story.tell(&cast()), story.tell(&cast()), "{}", story.name);
    }
}

#[test]
fn two_casts_share_no_id() {
    let casts = [
        cast(),
        Cast { seed: 1, ..cast() },
        Cast { order_id: "ord_7316".to_owned(), ..cast() },
        Cast { order_key: "order".to_owned(), ..cast() },
        Cast { start: START + 1, ..cast() },
        Cast { amount: Amount::try_from(12_001).expect("in range"), ..cast() },
        Cast { currency: "usd".to_owned(), ..cast() },
        Cast { livemode: true, ..cast() },
        Cast { account: Some(String::new()), ..cast() },
        Cast { account: Some("acct_1Pelican".to_owned()), ..cast() },
    ];
    let mut seen = HashSet::new();
    for cast in &casts {
        let ids: HashSet<_> = all().iter().flat_map(|story| ids_of(story, cast)).collect();
        for id in ids {
            assert!(seen.insert(id.clone()), "{id} of {cast:?} was told before");
        }
    }
}

/// The ids of the events and of everything in them.
fn ids_of(story: &Story, cast: &Cast) -> HashSet<String> {
    let mut ids = HashSet::new();
    for event in story.tell(cast) {
        walk(&parse(&event), &mut |key, value| {
            let names_an_object = ["id", "charge", "payment_intent", "customer", "source"];
            if let (true, Some(id)) = (names_an_object.contains(&key), value.as_str()) {
                ids.insert(id.to_owned());
            }
        });
    }
    ids
}

/// Shows every field of the JSON, however deep.
fn walk(value: &Value, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                see(key, value);
                walk(value, see);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn amounts_are_never_negative_but_for_withdrawals() {
    for amount in [Amount::MIN, 12_000, 99_999] {
        let cast = Cast { amount: Amount::try_from(amount).expect("in range"), ..cast() };
        for event in all().iter().flat_map(|story| story.tell(&cast)) {
            let mut object = object(&parse(&event)).clone();
            object["balance_transactions"].take();
            walk(&object, &mut |key, value| {
                if let (true, Some(sum)) = (key.contains("amount"), value.as_i64()) {
                    assert!(sum >= 0, "{} {key} {sum}", event.r#type);
                }
            });
            assert_ne!(object["amount"], 0, "{}", event.r#type);
        }
    }
}

#[test]
fn no_more_is_captured_or_refunded_than_was_charged() {
    for (story, event, body) in every_event().filter(|(.., body)| object(body)["object"] == "charge") {
        let sum = |field: &str| object(&body)[field].as_i64().expect("a sum");
        assert!(sum("amount_captured") <= sum("amount"), "{story} {}", event.r#type);
        assert!(sum("amount_refunded") <= sum("amount"), "{story} {}", event.r#type);
        assert_eq!(object(&body)["refunded"], sum("amount_refunded") == sum("amount"), "{story}");
    }
}

#[test]
fn every_status_is_a_word_of_stripes() {
    for (story, event, body) in every_event() {
        let kind = object_of(&event.r#type);
        if matches!(kind, "radar.early_fraud_warning" | "review") {
            continue; // These have none.
        }
        let status = object(&body)["status"].as_str().expect("a status");
        let words: &[&str] = match kind {
            "charge" => &["failed", "pending", "succeeded"],
            "refund" => &["canceled", "failed", "pending", "requires_action", "succeeded"],
            "checkout.session" => &["complete", "expired", "open"],
            "payment_intent" => &[
                "canceled",
                "processing",
                "requires_action",
                "requires_capture",
                "requires_confirmation",
                "requires_payment_method",
                "succeeded",
            ],
            _ => &[
                "appeal_needs_response",
                "appeal_under_review",
                "lost",
                "needs_response",
                "prevented",
                "under_review",
                "warning_closed",
                "warning_needs_response",
                "warning_under_review",
                "won",
            ],
        };
        assert!(words.contains(&status), "{story} {} {status}", event.r#type);
    }
}

#[test]
fn previous_attributes_name_what_the_object_no_longer_says() {
    for (story, event, body) in every_event() {
        if let Value::Object(previous) = &body["data"]["previous_attributes"] {
            assert!(!previous.is_empty(), "{story} {}", event.r#type);
            for (field, old) in previous {
                assert_ne!(&object(&body)[field], old, "{story} {} {field}", event.r#type);
            }
        }
    }
}

#[test]
fn a_partial_refund_shows_what_was_refunded_before() {
    let story = find("full-refund").expect("in the catalogue");
    let events = story.tell(&cast());
    let refunded = events.iter().filter(|event| event.r#type == "charge.refunded");
    let previous: Vec<_> = refunded.map(|event| parse(event)["data"]["previous_attributes"].to_string()).collect();
    assert_eq!(previous, [r#"{"amount_refunded":0}"#, r#"{"amount_refunded":3600,"refunded":false}"#]);
}

#[test]
fn an_open_dispute_can_still_be_answered_when_its_story_ends() {
    for name in ["chargeback-open", "inquiry-escalated", "two-disputes"] {
        let events = find(name).expect("in the catalogue").tell(&cast());
        let waiting = events.iter().map(parse).filter(|body| object(body)["status"] == "needs_response");
        let due_by = waiting.filter_map(|body| object(&body)["evidence_details"]["due_by"].as_i64());
        let last = events[events.len() - 1].created;
        assert!(due_by.max().is_some_and(|due_by| due_by > last + 7 * 86_400), "{name}");
    }
}

#[test]
fn the_order_is_named_on_intent_charge_and_session() {
    let cast = Cast { order_key: "shop_order".to_owned(), ..cast() };
    for event in all().iter().flat_map(|story| story.tell(&cast)) {
        let body = parse(&event);
        let names_it =
            ["payment_intent", "charge", "checkout.session"].iter().any(|name| object(&body)["object"] == *name);
        if names_it {
            assert_eq!(object(&body)["metadata"]["shop_order"], "ord_7315", "{}", event.r#type);
        }
    }
}

#[test]
fn mode_and_account_are_those_of_the_cast() {
    let live = Cast { livemode: true, account: Some("acct_1Pelican".to_owned()), ..cast() };
    let story = find("chargeback-won").expect("in the catalogue");
    for event in story.tell(&live) {
        let body = parse(&event);
        assert_eq!(body["livemode"], true);
        assert_eq!(body["account"], "acct_1Pelican");
    }
    assert!(story.tell(&cast()).iter().all(|event| parse(event).get("account").is_none()));
}

#[test]
fn bodies_are_of_the_size_of_stripes() {
    for (story, event, _) in every_event() {
        let size = event.body.len();
        assert!((500..6_000).contains(&size), "{story} {} has {size} bytes", event.r#type);
    }
}

#[test]
fn an_amount_outside_its_range_is_refused() {
    assert!(Amount::try_from(Amount::MIN).is_ok());
    assert!(Amount::try_from(Amount::MAX).is_ok());
    let refused = Amount::try_from(99).expect_err("too small");
    assert_eq!(refused.to_string(), "an amount is 100 to 99999999 minor units, not 99");
    assert!(Amount::try_from(Amount::MAX + 1).is_err());
}
