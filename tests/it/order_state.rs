//! Promise: order state is a function of the set of events, not of the way they arrived.
//!
//! `tests/proof` tries every order of every story in memory. Here, three orders of each run on the real service.

use std::num::NonZeroUsize;

use clawback::dev::stories::delivery::{Order, plan};
use clawback::dev::stories::{self, Cast};

use crate::harness::{Database, STATE, TestApp};
use crate::table::{self, Rows};

/// The reviewed end states.
const OUR_STORIES: &str = include_str!("../proof/snapshots/proof__stories__our_stories.snap");
/// When the stories on that page begin.
const START: i64 = 1_785_000_000;

const WARNINGS: &str = "select warning_id, payment_id, order_id, charge_id, fraud_type, actionable, created_at
    from clawback_v1.fraud_warnings order by warning_id";

#[tokio::test(flavor = "multi_thread")]
async fn every_story_ends_in_its_reviewed_state_in_whatever_order_it_arrives() {
    let in_order = TestApp::start().await;
    let reversed = TestApp::start().await;
    let shuffled = TestApp::start().await;
    let twice = NonZeroUsize::new(2).expect("two");
    let all: Vec<_> = stories::all().iter().flat_map(|story| story.tell(&Cast::new(story.name, START))).collect();
    for (app, order) in [(&in_order, Order::AsHappened), (&reversed, Order::Reversed), (&shuffled, Order::Shuffled(3))]
    {
        app.deliver_all(plan(all.len(), order, twice).into_iter().map(|place| &all[place])).await;
        app.db.settle().await;
    }
    for query in everything() {
        assert!(!in_order.db.rows(query).await.is_empty(), "nothing would be compared: {query}");
    }
    assert_alike("our stories", &in_order.db, [&reversed.db, &shuffled.db]).await;
    for story in stories::all() {
        let end = table::lines(rows(&in_order.db, &format!("order_id = '{}'", story.name)).await);
        assert_eq!(timeless(&end), timeless(of_story(OUR_STORIES, story.name)), "{}", story.name);
    }
}

/// The lines that do not depend on today's date: of a deadline's warnings only the last is always inserted.
pub fn timeless(lines: &str) -> Vec<&str> {
    lines.lines().filter(|line| !line.contains("warn_evidence_due") || line.contains("/24h/")).collect()
}

fn everything() -> impl Iterator<Item = &'static str> {
    STATE.into_iter().chain([WARNINGS])
}

/// Asserts that everything services may read is equal in these databases.
pub async fn assert_alike(what: &str, one: &Database, others: [&Database; 2]) {
    for query in everything() {
        let expected = one.rows(query).await;
        for (other, order) in others.into_iter().zip(["reversed", "shuffled"]) {
            assert_eq!(other.rows(query).await, expected, "{what} {order}: {query}");
        }
    }
}

/// The rows that meet a condition, in the format of the reviewed page.
pub async fn rows(db: &Database, condition: &str) -> Rows {
    let select = async |columns: &str| db.rows(&format!("select {columns} where {condition}")).await;
    let sums = "state, currency, amount_paid, amount_refunded, amount_disputed, amount_lost, hold";
    let created = "extract(epoch from created_at)::bigint as created";
    Rows {
        orders: select(&format!("order_id, {sums} from clawback_v1.orders")).await,
        payments: select(&format!("payment_id, order_id, {sums} from clawback_v1.payments")).await,
        refunds: select(&format!(
            "refund_id, amount, status, failure_reason, is_release, {created} from clawback_v1.refunds"
        ))
        .await,
        disputes: select(&format!(
            "dispute_id, amount, status, phase, outcome, amount_withdrawn, amount_reinstated, fee, {created}
             from clawback_v1.disputes"
        ))
        .await,
        warnings: select("fraud_type, actionable from clawback_v1.fraud_warnings").await,
        follow_ups: db
            .rows(&format!(
                "select kind, subject, round, payload, extract(epoch from due_at)::bigint as due_at
                 from clawback_v1.follow_ups where wanted and {condition}"
            ))
            .await,
    }
}

/// The lines of one story on the page, without its heading.
pub fn of_story<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{name}: ")).unwrap_or_else(|| panic!("{name} is not on the page"));
    let (_, rest) = rest.split_once('\n').expect("a heading ends");
    rest.split_once("\n\n").map_or(rest, |(lines, _)| &rest[..=lines.len()])
}
