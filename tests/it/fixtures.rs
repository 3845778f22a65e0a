//! Promise: events of every shape and API version that Stripe has sent are read, from the oldest sample
//! to the newest, and those with values that Stripe does not use yet.

use std::collections::BTreeMap;

use clawback::dev::stories::delivery::{Order, plan};
use serde_json::{Value, json};

use crate::bodies::{charge, dispute, event, event_with, refund};
use crate::harness::{Database, TestApp};
use crate::order_state::{assert_alike, of_story, rows, timeless};
use crate::{samples, table};

/// The reviewed results of each sample, and of each story of samples.
const OUTCOMES: &str = include_str!("../proof/snapshots/proof__vocabulary__outcomes.snap");
const SAMPLE_STORIES: &str = include_str!("../proof/snapshots/proof__stories__sample_stories.snap");

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_accepted_and_comes_to_what_a_person_expects() {
    let Some(folder) = samples::folder() else { return };
    let samples = samples::samples(&folder);
    let app = TestApp::start().await;
    for (name, body) in &samples {
        // Some share an id.
        let mut event: Value = serde_json::from_str(body).expect(name);
        event["id"] = name.as_str().into();
        assert_eq!(app.deliver(&event.to_string()).await.status(), 200, "{name}");
    }
    app.db.settle().await;
    let query = "select event_id, concat_ws(': ', event_id, state, last_error) as line from clawback_v1.events";
    let mut events = app.db.rows(query).await;
    events.sort_by_key(|event| event["event_id"].as_str().map(str::to_owned));
    let lines: Vec<&str> = events.iter().filter_map(|event| event["line"].as_str()).collect();
    let (_, expected) = OUTCOMES.rsplit_once("---\n").expect("a snapshot");
    assert_eq!(lines, expected.lines().collect::<Vec<_>>());
}

/// Not Stripe events: a project's own model with amounts as text, and disputes of before 2014 that have no id.
const UNREADABLE: [&str; 5] = [
    "dj-stripe/charge.updated.2020-08-27.json",
    "stripe-ruby-mock/charge.dispute.closed.unversioned.json",
    "stripe-ruby-mock/charge.dispute.created.unversioned.old-dispute-evidence-string.json",
    "stripe-ruby-mock/charge.dispute.created.unversioned.oldest.json",
    "stripe-ruby-mock/charge.dispute.updated.unversioned.json",
];

/// Notified twice would be: once by the refund's id, and once as part of its charge's total.
#[tokio::test(flavor = "multi_thread")]
async fn no_sample_fails_and_none_of_their_refunds_is_notified_twice_in_any_order() {
    let Some(folder) = samples::folder() else { return };
    let samples: Vec<Value> = samples::samples(&folder).iter().map(|(name, body)| in_its_world(name, body)).collect();
    let bodies: Vec<String> = samples.iter().map(Value::to_string).collect();
    let mut given_back = GivenBack::default();
    samples.iter().for_each(|sample| given_back.look(sample));
    for order in [Order::AsHappened, Order::Reversed, Order::Shuffled(11)] {
        let db = live(&bodies, order).await;
        let failed = db.rows("select event_id from clawback_v1.events where state = 'failed' order by 1").await;
        assert_eq!(failed.iter().map(|row| row["event_id"].clone()).collect::<Vec<_>>(), UNREADABLE);
        let told = "select payload->>'charge_id' as charge, sum((payload->>'amount')::bigint)::bigint as amount,
                           array_agg(subject || ' ' || round) as subjects
                    from clawback_v1.follow_ups where kind = 'notify_refund' and state <> 'cancelled' group by 1";
        let told = db.rows(told).await;
        assert!(told.len() > 3, "{told:#?}");
        for row in told {
            let most = given_back.of(row["charge"].as_str().unwrap_or_default());
            assert!(row["amount"].as_i64() <= Some(most), "{most} went back, but {row}");
        }
    }
}

/// The refunds of each charge, read from the samples independently of the service.
#[derive(Default)]
struct GivenBack {
    /// The largest total that a charge shows.
    shown: BTreeMap<String, i64>,
    /// Refunds by id, by their charge.
    refunds: BTreeMap<String, BTreeMap<String, i64>>,
}

impl GivenBack {
    fn look(&mut self, value: &Value) {
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        match (value["object"].as_str(), value["amount"].as_i64(), value["amount_refunded"].as_i64()) {
            (Some("charge"), _, Some(shown)) => {
                let most = self.shown.entry(text("id")).or_default();
                *most = shown.max(*most);
            }
            (Some("refund"), Some(amount), _) => {
                self.refunds.entry(text("charge")).or_default().insert(text("id"), amount);
            }
            _ => {}
        }
        let parts: Vec<&Value> = match value {
            Value::Object(fields) => fields.values().collect(),
            Value::Array(elements) => elements.iter().collect(),
            _ => Vec::new(),
        };
        parts.into_iter().for_each(|part| self.look(part));
    }

    fn of(&self, charge: &str) -> i64 {
        let refunds = self.refunds.get(charge).map_or(0, |refunds| refunds.values().sum());
        refunds.max(self.shown.get(charge).copied().unwrap_or(0))
    }
}

/// A sample with its own event id, and object ids of its story: stories share ids otherwise.
fn in_its_world(name: &str, body: &str) -> Value {
    let mut event: Value = serde_json::from_str(body).expect(name);
    if let Some((story, _)) = name.strip_prefix("synth-scenarios/").and_then(|name| name.split_once('/')) {
        with_own_ids(&mut event, story);
    }
    event["id"] = name.into();
    event
}

fn with_own_ids(value: &mut Value, story: &str) {
    match value {
        Value::String(text) if is_id(text) => text.push_str(story),
        Value::Object(fields) => fields.values_mut().for_each(|value| with_own_ids(value, story)),
        Value::Array(elements) => elements.iter_mut().for_each(|value| with_own_ids(value, story)),
        _ => {}
    }
}

fn is_id(text: &str) -> bool {
    ["ch_", "py_", "pi_", "re_", "pyr_", "dp_", "du_", "txn_"].iter().any(|prefix| text.starts_with(prefix))
}

/// The stories share ids, so each has its own databases.
#[tokio::test(flavor = "multi_thread")]
async fn every_sample_story_ends_alike_in_whatever_order_it_arrives() {
    let Some(folder) = samples::folder() else { return };
    for (name, events) in samples::stories(&folder) {
        let (in_order, reversed, shuffled) = tokio::join!(
            live(&events, Order::AsHappened),
            live(&events, Order::Reversed),
            live(&events, Order::Shuffled(7)),
        );
        assert_alike(&name, &in_order, [&reversed, &shuffled]).await;
        let end = table::lines(rows(&in_order, "true").await);
        assert_eq!(timeless(&end), timeless(of_story(SAMPLE_STORIES, &name)), "{name}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_in_an_unknown_status_counts_and_is_shown_and_notified_to_nobody() {
    let app = TestApp::start().await;
    let teleported = json!({ "charge": "ch_1", "status": "teleported", "amount": 2_500 });
    let later = charge("ch_1", json!({ "amount_refunded": 2_500 }));
    let bodies = [
        event("evt_1", 1, &charge("ch_1", json!({}))),
        event("evt_2", 2, &refund("re_1", teleported)),
        event("evt_3", 3, &later),
    ];
    app.see(&bodies).await;
    let payment = app.db.rows("select state, amount_refunded from clawback_v1.payments").await;
    assert_eq!(payment, [json!({ "state": "partially_refunded", "amount_refunded": 2_500 })]);
    assert_eq!(app.db.value("select status from clawback_v1.refunds").await, "teleported");
    assert_eq!(app.db.value("select count(*) from clawback_v1.follow_ups").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_in_an_unknown_status_holds_the_order_and_counts_in_no_amount() {
    let app = TestApp::start().await;
    let details = |case: &str| json!({ "card": { "case_type": case } });
    let cases = ["chargeback", "inquiry", "compliance", "block", "mediation"];
    let objects = cases.iter().flat_map(|kind| {
        let id = format!("ch_{kind}");
        let unheard = json!({ "charge": id, "status": "arbitration", "payment_method_details": details(kind) });
        [charge(&id, json!({})), dispute(&format!("dp_{kind}"), unheard)]
    });
    let events: Vec<String> = objects.zip(1..).map(|(o, n)| event(&format!("evt_{n:02}"), n, &o)).collect();
    app.see(&events).await;
    let phases = app.db.rows("select phase, status, outcome from clawback_v1.disputes order by dispute_id").await;
    let phases: Vec<&str> = phases
        .iter()
        .filter(|row| row["status"] == "arbitration" && row["outcome"].is_null())
        .filter_map(|row| row["phase"].as_str())
        .collect();
    assert_eq!(phases, ["prevention", "chargeback", "compliance", "inquiry", "chargeback"], "by case_type");
    let payments = app.db.rows("select state, hold, amount_disputed, amount_lost from clawback_v1.payments").await;
    assert_eq!(payments.len(), 5);
    for payment in payments {
        assert_eq!(payment, json!({ "state": "paid", "hold": true, "amount_disputed": 0, "amount_lost": 0 }));
    }
    let kinds = app.db.rows("select distinct kind from clawback_v1.follow_ups").await;
    assert_eq!(kinds, [json!({ "kind": "hold_fulfilment" })]);
}

/// An unknown status hides no known one of the same second.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_in_an_unknown_status_is_shown_and_gives_way_to_a_known_status() {
    let app = TestApp::start().await;
    let unheard = |id: &str| charge(id, json!({ "status": "teleporting", "captured": false, "amount_captured": 0 }));
    let of_an_unknown_type = json!({ "type": "charge.teleported" });
    app.see(&[
        event_with("evt_1", 1, &unheard("ch_1"), of_an_unknown_type.clone()),
        event("evt_3", 1, &charge("ch_2", json!({}))),
        event_with("evt_4", 1, &unheard("ch_2"), of_an_unknown_type),
    ])
    .await;
    let payments = app.db.rows("select payment_id, state, amount_paid from clawback_v1.payments order by 1").await;
    let expected = [
        json!({ "payment_id": "ch_1", "state": "pending", "amount_paid": 0 }),
        json!({ "payment_id": "ch_2", "state": "paid", "amount_paid": 10_000 }),
    ];
    assert_eq!(payments, expected);
}
