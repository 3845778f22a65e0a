//! The proof on a real Postgres: two processes of the real binary take the events of many lives, mixed and
//! at once, one of them is killed in the middle, consumers work meanwhile, and the end state still equals the truth.
//!
//! Not here: trying many orders of one life, which `memory.rs` does in a thousandth of the time.

mod consistent;
mod consume;
mod deliver;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use crate::binary::Serving;
use crate::chance::{number, rng};
use crate::harness::{Database, until};
use crate::life::strategy::plans;
use crate::life::{Life, tag};
use crate::memory::{Count, WAYS, check};
use crate::truth::{differences, truth};
use consistent::{doctor, misfits};
use consume::{Consumers, Tally};
use deliver::Post;
use views::Shown;

/// The default of `LIVES_ON_POSTGRES`.
const LIVES: u64 = 100;
/// The maximum number of failed lives reported in full.
const TOLD: usize = 3;
/// What Postgres logs when a client is killed.
const LOST: &str = "connection to client lost";
/// Logs the address it listens on and warnings, and no line for each event.
const QUIET: (&str, &str) = ("RUST_LOG", "warn,clawback::app=info");
/// Every payment is rebuilt from the ledger, while events arrive and a process dies.
const REBUILD: &str = "insert into clawback.rebuilds (payment_id) select payment_id from clawback.payments
                       on conflict do nothing";
/// No event may be left over, or have said that something was wrong.
const UNPROCESSED: &str = "select * from clawback_v1.events where state <> 'processed' or last_error is not null";
/// The shortest stop time-out of an orchestrator.
const GRACE: Duration = Duration::from_secs(10);

/// `LIVES_ON_POSTGRES` is the number of lives, `SEED` selects them.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_the_truth_on_postgres_while_consumers_work_and_a_process_dies() {
    let seed = number("SEED", 1);
    let lives = draw(number("LIVES_ON_POSTGRES", LIVES), seed);
    let began = Instant::now();
    let mut db = Database::migrated().await;
    db.expect_errors(&[LOST]);
    let post = Post::of(&lives, seed);
    let tally = live_through(&db, &post, seed).await;

    let mut wrong = misfits(&db).await;
    wrong.extend(db.rows(UNPROCESSED).await.iter().map(|row| format!("WRONG: not processed: {row}")));
    wrong.extend(compare(&db, &lives).await);
    wrong.extend(kept(&db, &tally).await);
    wrong.extend(doctor(&db, &lives).await);
    println!(
        "on Postgres: lives {}, deliveries {}, events {}, follow-ups done {}, failed {}, let go {}, \
         seconds {:.1}, wrong: {}",
        lives.len(),
        post.deliveries(),
        post.events(),
        tally.done.len(),
        tally.failed,
        tally.let_go,
        began.elapsed().as_secs_f64(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(db.value("select count(*) from clawback_v1.events").await, post.events());
}

/// Lives of which an endpoint receives at least one event.
fn draw(lives: u64, seed: u64) -> Vec<Life> {
    let mut runner = TestRunner::new_with_rng(Config::default(), rng(seed * 1_000 + 999));
    let drawn = std::iter::repeat_with(|| Life::of(&plans().new_tree(&mut runner).expect("a plan").current()));
    let count = usize::try_from(lives).expect("as many as fit");
    drawn.filter(|life| life.visible().next().is_some()).take(count).collect()
}

/// Delivers everything, kills a process in the middle, and waits until all is processed.
async fn live_through(db: &Database, post: &Post, seed: u64) -> Tally {
    let [one, other] = [Serving::start(&db.url, &[QUIET]).await, Serving::start(&db.url, &[QUIET]).await];
    post.aim(0, Some(one.address));
    post.aim(1, Some(other.address));
    let consumers = Consumers::start(&db.url, seed);
    let senders = post.start();
    half_of_it(post).await;
    db.execute(REBUILD).await;
    post.aim(1, None);
    other.kill().await;
    let again = Serving::start(&db.url, &[QUIET]).await;
    post.aim(1, Some(again.address));
    senders.join_all().await;
    db.execute(REBUILD).await;
    settle(db).await;
    let tally = consumers.end().await;
    for serving in [one, again] {
        let ended = serving.terminate(GRACE).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    }
    tally
}

/// Waits until half is acknowledged, with a time limit for each step of progress.
async fn half_of_it(post: &Post) {
    for part in 1..=50 {
        until("more is acknowledged", async || post.acknowledged() * 100 >= post.deliveries() * part).await;
    }
}

/// Waits until nothing is pending, as long as the number falls.
async fn settle(db: &Database) {
    const PENDING: &str = "select count(*) from clawback.pending_events";
    while let Some(left @ 1..) = db.value(PENDING).await.as_u64() {
        db.until(&format!("select count(*) < {left} from clawback.pending_events")).await;
    }
    db.until("select count(*) = 0 from clawback.rebuilds").await;
}

/// The lives whose end state differs from the truth.
async fn compare(db: &Database, lives: &[Life]) -> Vec<String> {
    let mut shown = views::all(db).await;
    let mut wrong = Vec::new();
    for life in lives {
        let shown = shown.remove(&tag(life.plan.seed)).unwrap_or_default();
        let (truth, end) = shown.with_truth(truth(life), time::OffsetDateTime::now_utc().unix_timestamp());
        let lines = differences(&truth, &end);
        if !lines.is_empty() {
            let story = if wrong.len() < TOLD { told(db, life).await } else { String::new() };
            wrong.push(format!("{story}\n{}", lines.join("\n")));
        }
    }
    wrong.extend(shown.into_iter().map(|(tag, shown): (String, Shown)| format!("WRONG: of no life: {tag} {shown:?}")));
    wrong
}

/// A life, how it arrived, and whether it ends well in memory.
async fn told(db: &Database, life: &Life) -> String {
    let query = format!(
        "select v.event_id, v.processed_at from clawback_v1.events v join clawback.events e using (event_id)
         where v.event_id like '%{}' order by v.processed_at, e.seq",
        tag(life.plan.seed)
    );
    let mut batches: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in db.rows(&query).await {
        batches.entry(row["processed_at"].to_string()).or_default().push(row["event_id"].to_string());
    }
    let memory = if check(&life.plan, WAYS, &Count::default()).is_ok() { "right" } else { "wrong too" };
    format!("{}\ndelivered: {:?}\nin memory: {memory}", life.story(), batches.values().collect::<Vec<_>>())
}

/// Completed follow-ups stay done. Of two about payments that merged, one remains.
async fn kept(db: &Database, tally: &Tally) -> Vec<String> {
    let done = db.rows("select id from clawback_v1.follow_ups where state = 'done'").await;
    let done: BTreeSet<i64> = done.iter().filter_map(|row| row["id"].as_i64()).collect();
    let lost = tally.done.iter().filter(|(id, kind)| !done.contains(id) && kind != consume::OF_PAYMENTS);
    lost.map(|(id, kind)| format!("WRONG: {kind} {id} was completed and is not done")).collect()
}
