//! Promise: events of every shape and API version that Stripe has sent are read, from the oldest sample
//! to the newest. The samples are not part of this repository: `CLAWBACK_FIXTURES` names their folder, and
//! without it these tests are skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clawback::stories::delivery::{Order, plan};
use serde_json::Value;

use crate::harness::{Database, STATE, TestApp};

/// Samples that lack what their object must have, and the field that is named.
const UNREADABLE: [(&str, &str); 5] = [
    ("dj-stripe/charge.updated.2020-08-27.json", "data.object.amount"),
    ("stripe-ruby-mock/charge.dispute.closed.unversioned.json", "data.object.id"),
    ("stripe-ruby-mock/charge.dispute.created.unversioned.old-dispute-evidence-string.json", "data.object.id"),
    ("stripe-ruby-mock/charge.dispute.created.unversioned.oldest.json", "data.object.id"),
    ("stripe-ruby-mock/charge.dispute.updated.unversioned.json", "data.object.id"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_accepted_and_read() {
    let Some(folder) = folder() else { return };
    let samples = samples(&folder, &folder);
    assert!(samples.len() > 100, "{} samples", samples.len());
    let app = TestApp::start().await;
    for (name, body) in &samples {
        // Some share an id.
        let mut event: Value = serde_json::from_str(body).expect(name);
        event["id"] = name.as_str().into();
        assert_eq!(app.deliver(&event.to_string()).await.status(), 200, "{name}");
    }
    app.db.settle().await;
    let events = app.db.rows("select event_id, state, last_error from clawback_v1.events").await;
    assert_eq!(events.len(), samples.len());
    for event in events {
        let name = event["event_id"].as_str().expect("an id");
        let error = event["last_error"].as_str().unwrap_or_default();
        match UNREADABLE.iter().find(|(unreadable, _)| *unreadable == name) {
            Some((_, field)) => assert!(event["state"] == "failed" && error.contains(field), "{event}"),
            None if name.starts_with("synth-thin/") => assert_eq!(event["state"], "ignored", "{event}"),
            None => assert!(event["state"] == "processed" || event["state"] == "ignored", "{event}"),
        }
    }
}

/// The stories share ids: each has databases of its own.
#[tokio::test(flavor = "multi_thread")]
async fn every_sample_story_ends_alike_in_whatever_order_it_arrives() {
    let Some(folder) = folder() else { return };
    let mut ends = Vec::new();
    for (name, events) in stories(&folder) {
        let (in_order, reversed, shuffled) = tokio::join!(
            live(&events, Order::AsHappened),
            live(&events, Order::Reversed),
            live(&events, Order::Shuffled(7)),
        );
        for query in STATE {
            let expected = in_order.rows(query).await;
            assert_eq!(reversed.rows(query).await, expected, "{name} reversed: {query}");
            assert_eq!(shuffled.rows(query).await, expected, "{name} shuffled: {query}");
        }
        ends.push(format!("{name}\n{}", end(&in_order).await));
    }
    insta::assert_snapshot!(ends.join("\n"));
}

async fn live(events: &[String], order: Order) -> Database {
    let mut app = TestApp::start().await;
    for place in plan(events.len(), order, std::num::NonZeroUsize::MIN) {
        assert_eq!(app.deliver(&events[place]).await.status(), 200);
    }
    app.db.settle().await;
    app.stop().await.expect("it drains");
    app.db
}

/// What it came to, for a person to read and agree with. What is not known is left out.
async fn end(db: &Database) -> String {
    let lines = db
        .rows(
            "with sums as (
                 select 'order' as what, order_id as id, state, amount_paid, amount_refunded, amount_disputed,
                        amount_lost, hold from clawback_v1.orders
                 union all
                 select 'payment', payment_id, state, amount_paid, amount_refunded, amount_disputed,
                        amount_lost, hold from clawback_v1.payments
             )
             select 1 as place, concat_ws(' ', what, id || ':', state || ',', 'paid ' || amount_paid || ',',
                 'refunded ' || amount_refunded || ',', 'disputed ' || amount_disputed || ',', 'lost ' || amount_lost,
                 case when hold then 'HOLD' end) as line from sums
             union all
             select 2, concat_ws(' ', 'refund', refund_id || ':', status || ',', amount, failure_reason)
             from clawback_v1.refunds
             union all
             select 3, concat_ws(' ', 'dispute', dispute_id || ':', status || ',', phase || ',', amount || ',',
                 'withdrawn ' || amount_withdrawn || ',', 'reinstated ' || amount_reinstated || ',', 'fee ' || fee)
             from clawback_v1.disputes
             union all
             select 4, concat_ws(' ', 'do', kind, subject, nullif(round, ''), 'by ' || (due_at at time zone 'UTC'))
             from clawback_v1.follow_ups where wanted
             order by place, line",
        )
        .await;
    lines.iter().map(|row| format!("  {}\n", row["line"].as_str().expect("text"))).collect()
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CLAWBACK_FIXTURES").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: CLAWBACK_FIXTURES names no folder of sample events");
    }
    folder
}

/// The samples below a folder: their paths from `root`, and their texts.
fn samples(root: &Path, folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("below it").to_str().expect("UTF-8").to_owned();
        if path.is_dir() {
            found.append(&mut samples(root, &path));
        } else if name.ends_with(".json") && name != "signature_vectors.json" {
            found.insert(name, fs::read_to_string(path).expect("UTF-8"));
        }
    }
    found
}

/// The events of each story, as they happened: files end with `.01.json`, `.02.json` and so on.
fn stories(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let mut stories = BTreeMap::new();
    let root = folder.join("synth-scenarios");
    for (name, body) in samples(&root, &root) {
        let (story, file) = name.split_once('/').expect("a folder for each story");
        let step: u32 = file.rsplit('.').nth(1).and_then(|step| step.parse().ok()).expect("a number");
        stories.entry(story.to_owned()).or_insert_with(BTreeMap::new).insert(step, body);
    }
    stories.into_iter().map(|(name, steps)| (name, steps.into_values().collect())).collect()
}
