//! What must hold after a trial: what was acknowledged is stored, state is the truth, nothing was lost or done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clawback::dev::model::objects::Submitter;
use serde_json::Value;
use tokio::time::{Instant, interval};

use crate::acting::{finish, refunds_by_request};
use crate::consistent::misfits;
use crate::double_world::{expected, shown};
use crate::life::{Life, tag};
use crate::trial::Trial;
use crate::truth::{differences, truth};
use crate::views;

/// How long deliveries may go on failing after the last fault has ended.
const SETTLES_WITHIN: Duration = Duration::from_secs(90);

/// What was found, each with its ids.
#[derive(Debug, Default)]
pub struct Findings {
    pub lost: Vec<String>,
    pub doubled: Vec<String>,
    pub wrong: Vec<String>,
}

/// Ends what goes on, and waits until everything is acknowledged, processed and sent.
///
/// # Errors
/// With the number of deliveries that are still refused.
pub async fn settle(trial: &mut Trial) -> Result<(), String> {
    trial.shops.end().await;
    trial.world.end_faults().await;
    arrive(trial).await?;
    trial.consumers.end().await;
    // Stored failures are repeated until Stripe forgets the key.
    trial.world.advance(25 * 3_600).await;
    finish(&trial.db).await;
    arrive(trial).await?;
    finish(&trial.db).await;
    Ok(())
}

/// What is lost, doubled or wrong in the end.
pub async fn examine(trial: &Trial, lives: &[Life]) -> Findings {
    let mut found = Findings { wrong: misfits(&trial.db).await, ..Findings::default() };
    ledger(trial, &mut found).await;
    compare_lives(trial, lives, &mut found).await;
    follow_ups(trial, &mut found).await;
    money(trial, &mut found).await;
    refunds(trial, &mut found).await;
    evidence(trial, &mut found).await;
    found
}

/// Waits until everything that was sent is acknowledged.
async fn arrive(trial: &Trial) -> Result<(), String> {
    let (began, mut ticks) = (Instant::now(), interval(Duration::from_millis(50)));
    while trial.post.under_way() > 0 || trial.world.look("webhooks").await["pending"] != 0 {
        ticks.tick().await;
        if began.elapsed() > SETTLES_WITHIN {
            return Err(format!("{} deliveries are not acknowledged in the end", trial.post.under_way()));
        }
    }
    Ok(())
}

/// Acknowledged is stored; nothing else is; nothing failed.
async fn ledger(trial: &Trial, found: &mut Findings) {
    let rows = trial.db.rows("select event_id, type, state from clawback_v1.events").await;
    let text = |row: &Value, column: &str| row[column].as_str().unwrap_or_default().to_owned();
    let stored: BTreeSet<String> = rows.iter().map(|row| text(row, "event_id")).collect();
    let sent = trial.post.sent();
    found.lost.extend(trial.post.acknowledged().difference(&stored).map(|id| format!("event {id}")));
    let own = |row: &&Value| !text(row, "type").starts_with("clawback.");
    let strange = rows.iter().filter(own).filter(|row| !sent.contains(&text(row, "event_id")));
    found.wrong.extend(strange.map(|row| format!("stored, but never sent: {row}")));
    let ends = ["processed", "ignored"];
    let unfinished = rows.iter().filter(|row| !ends.contains(&text(row, "state").as_str()));
    found.wrong.extend(unfinished.map(|row| format!("not processed: {row}")));
}

/// Orders, payments, refunds, disputes, warnings and wanted follow-ups of the generated lives.
async fn compare_lives(trial: &Trial, lives: &[Life], found: &mut Findings) {
    let mut all = views::all(&trial.db).await;
    for life in lives {
        let shown = all.remove(&tag(life.plan.seed)).unwrap_or_default();
        let (truth, end) = shown.with_truth(truth(life), time::OffsetDateTime::now_utc().unix_timestamp());
        let lines = differences(&truth, &end);
        if !lines.is_empty() {
            found.wrong.push(format!("{}\n{}", life.story(), lines.join("\n")));
        }
    }
}

/// What consumers completed is done, and nothing was handed out twice within a lease.
async fn follow_ups(trial: &Trial, found: &mut Findings) {
    let done = trial.db.rows("select id from clawback_v1.follow_ups where state = 'done'").await;
    let done: BTreeSet<i64> = done.iter().filter_map(|row| row["id"].as_i64()).collect();
    let book = trial.consumers.book();
    found.lost.extend(book.done().difference(&done).map(|id| format!("follow-up {id} was completed and is not done")));
    found.doubled.extend(book.twice.iter().cloned());
}

/// The sums of the payments at the double.
async fn money(trial: &Trial, found: &mut Findings) {
    let shown = shown(&trial.db).await;
    for (id, truth) in trial.world.double.truth() {
        if shown.get(&id) != Some(&expected(&truth)) {
            found.wrong.push(format!("payment {id}: {truth:?}, shown {:?}", shown.get(&id)));
        }
    }
}

/// Each request has one refund at the double, and keeps its id.
async fn refunds(trial: &Trial, found: &mut Findings) {
    let made = refunds_by_request(&trial.world).await;
    let rows = trial.db.rows("select id, state, refund_id from clawback_v1.refund_requests").await;
    let rows: BTreeMap<String, Value> =
        rows.into_iter().map(|row| (row["id"].as_str().unwrap_or_default().to_owned(), row)).collect();
    found.doubled.extend(
        made.iter().filter(|(_, refunds)| refunds.len() > 1).map(|(id, refunds)| format!("request {id}: {refunds:?}")),
    );
    for (id, row) in &rows {
        let refund = made.get(id).and_then(|refunds| refunds.first());
        let is_right = match row["state"].as_str() {
            Some("succeeded") => refund == Some(&row["refund_id"]),
            // Refused for good: a dispute came first.
            Some("failed") => refund.is_none(),
            _ => false,
        };
        if !is_right {
            found.wrong.push(format!("refund request {row}: at the double {refund:?}"));
        }
    }
    let orders = trial.shops.orders.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, (ids, ..)) in &orders.refunds {
        if ids.iter().any(|id| id != &ids[0]) {
            found.doubled.push(format!("key {key} has two requests: {ids:?}"));
        }
        found.lost.extend(ids.iter().filter(|id| !rows.contains_key(*id)).map(|id| format!("refund request {id}")));
    }
    found
        .wrong
        .extend(made.keys().filter(|id| !rows.contains_key(*id)).map(|id| format!("a refund of no request: {id}")));
}

/// Each response that is submitted was submitted once, and nothing else was.
async fn evidence(trial: &Trial, found: &mut Findings) {
    let rows = trial.db.rows("select dispute_id, phase, state, error from clawback_v1.dispute_responses").await;
    let states: BTreeMap<&str, &Value> =
        rows.iter().filter_map(|row| Some((row["dispute_id"].as_str()?, row))).collect();
    let is_restored = trial.is_restored.load(Ordering::Relaxed);
    for (id, dispute) in trial.world.double.disputes() {
        let by_us = dispute.submissions.iter().filter(|submission| submission.by == Submitter::Api).count();
        let state = states.get(id.as_str()).map_or("", |row| row["state"].as_str().unwrap_or_default());
        if by_us > 1 {
            found.doubled.push(format!("dispute {id} was submitted {by_us} times"));
        }
        let is_right = match state {
            // What was sent in the time that the database lost is over, and is not sent again.
            "" | "rejected" | "submitted_elsewhere" if is_restored => by_us <= 1,
            "submitted" => by_us == 1,
            "accepted" => dispute.closed_by_us && by_us == 0,
            "draft" | "" => by_us == 0 && !dispute.closed_by_us,
            _ => false,
        };
        if !is_right {
            found.wrong.push(format!(
                "dispute {id}: {state}, {by_us} submissions, {}, {:?}",
                dispute.status,
                states.get(id.as_str())
            ));
        }
    }
}
