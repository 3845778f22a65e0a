//! Self-checks: the events stored are those acknowledged, and orders are in the state that their events lead to.

use std::collections::{HashMap, HashSet};

use anyhow::ensure;

use crate::corpus::{Corpus, Life};
use crate::load::Answers;
use crate::world::Database;

/// Which of some ids the textbook handler stored.
pub const IN_TEXTBOOK: &str = "select id from stripe_events where id = any($1)";
/// Which of some ids the service stored.
pub const IN_LEDGER: &str = "select event_id from clawback.events where event_id = any($1)";

/// The events that were acknowledged, by their place in the corpus.
pub fn acknowledged(corpus: &Corpus, answers: &Answers) -> HashSet<usize> {
    answers.accepted().map(|answer| corpus.deliveries[answer.delivery].event).collect()
}

/// Of all that was sent, what was acknowledged is stored and nothing else. But an event that was refused with 503 may
/// have been stored: Stripe sends it again.
pub async fn stored(
    database: &mut Database,
    which: &'static str,
    corpus: &Corpus,
    answers: &Answers,
) -> anyhow::Result<()> {
    let sent: HashSet<usize> = answers.all.iter().map(|answer| corpus.deliveries[answer.delivery].event).collect();
    let ids: Vec<&str> = sent.iter().map(|event| corpus.event_id(*event)).collect();
    let stored: Vec<String> = sqlx::query_scalar(which).bind(ids).fetch_all(&mut database.conn).await?;
    let stored: HashSet<&str> = stored.iter().map(String::as_str).collect();
    let is_stored = |event: &&usize| stored.contains(corpus.event_id(**event));
    let acknowledged = acknowledged(corpus, answers);
    ensure!(!acknowledged.is_empty(), "no event was accepted");
    let unavailable: HashSet<usize> =
        answers.unavailable().map(|answer| corpus.deliveries[answer.delivery].event).collect();
    let lost = acknowledged.iter().filter(|event| !is_stored(event)).count();
    let refused = sent.iter().filter(|event| !acknowledged.contains(event) && !unavailable.contains(event));
    let surplus = refused.filter(is_stored).count();
    ensure!(lost == 0, "{lost} acknowledged events are not stored");
    ensure!(surplus == 0, "{surplus} refused events are stored");
    Ok(())
}

/// After all events are processed: none failed, and each order whose events were all acknowledged is in the state that
/// its life ends in. Returns how many orders that were.
pub async fn states(database: &mut Database, corpus: &Corpus, answers: &Answers) -> anyhow::Result<usize> {
    let unfinished = "select count(*) from clawback.events where state not in ('processed', 'ignored')";
    let unfinished = database.count(unfinished).await?;
    ensure!(unfinished == 0, "{unfinished} events are pending or failed");
    let mut seen = vec![0; corpus.lives.len()];
    acknowledged(corpus, answers).into_iter().for_each(|event| seen[corpus.life(event)] += 1);
    let lives: Vec<&Life> =
        corpus.lives.iter().zip(seen).filter(|(life, seen)| life.events == *seen).map(|(life, _)| life).collect();
    let ids: Vec<&str> = lives.iter().map(|life| life.order_id.as_str()).collect();
    let orders = "select order_id, state from clawback_v1.orders where order_id = any($1)";
    let orders: Vec<(String, String)> = sqlx::query_as(orders).bind(ids).fetch_all(&mut database.conn).await?;
    let orders: HashMap<String, String> = orders.into_iter().collect();
    let wrong = lives.iter().filter(|life| orders.get(&life.order_id).is_none_or(|state| state != life.state)).count();
    ensure!(wrong == 0, "{wrong} of {} orders are not in the state that their events lead to", lives.len());
    Ok(lives.len())
}
