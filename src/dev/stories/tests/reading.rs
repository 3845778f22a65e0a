//! The stories as a person reads them: one page of all, and one body of each kind of object. A
//! change of either shows here for review.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::{StoryEvent, all, find};
use super::{START, cast, object, parse};

#[test]
fn the_stories_as_a_person_reads_them() {
    let mut page = String::new();
    for story in all() {
        let _ = writeln!(page, "{}: {}", story.name, story.about);
        for event in story.tell(&cast()) {
            let _ = writeln!(page, "  {}", line(&event));
        }
        page.push('\n');
    }
    insta::assert_snapshot!(page);
}

#[test]
fn one_body_of_each_kind_of_object() {
    let samples = [
        ("paid", "checkout.session.completed"),
        ("paid-second-try", "payment_intent.payment_failed"),
        ("partial-refund", "charge.refunded"),
        ("full-refund", "refund.updated"),
        ("chargeback-lost", "charge.dispute.updated"),
    ];
    for (story, kind) in samples {
        let events = find(story).expect("in the catalogue").tell(&cast());
        let event = events.into_iter().find(|event| event.r#type == kind).expect("told");
        insta::assert_snapshot!(kind, event.body);
    }
}

/// One event on one line: when, what, and the fields that matter for its object.
fn line(event: &StoryEvent) -> String {
    let seconds = event.created - START;
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute) = (second / 3_600, second % 3_600 / 60);
    let fields = telling_fields(object(&parse(event)));
    let clock = format!("{hour:02}:{minute:02}:{:02}", second % 60);
    format!("day {day:<3} {clock}  {:<41} {fields}", event.r#type)
}

fn telling_fields(object: &Value) -> String {
    let sums: i64 = object["balance_transactions"]
        .as_array()
        .map_or(0, |entries| entries.iter().filter_map(|entry| entry["net"].as_i64()).sum());
    let status = object["status"].as_str().unwrap_or("-");
    let show = |field: &str| object[field].to_string().replace('"', "");
    match object["object"].as_str() {
        Some("charge") => {
            format!("{status}, captured {}, refunded {}", show("amount_captured"), show("amount_refunded"))
        }
        Some("payment_intent") => format!("{status}, received {}", show("amount_received")),
        Some("checkout.session") => format!("{status}, {}", show("payment_status")),
        Some("dispute") => format!("{status}, {} of {}, net {sums}", show("amount"), show("reason")),
        _ => format!("{status}, {}", show("amount")),
    }
}
