//! Delivers events as Stripe does: several at once, some twice, each again until it is acknowledged; and remembers how
//! every delivery was answered.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::chance::Dice;
use crate::harness::header;
use crate::replicas::{REPLICAS, Replicas, Target};

/// By when every delivery must have its answer, whatever happens.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(6);
/// How long the sender waits for one that is late.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(15);
/// How many deliveries are under way at once.
const AT_ONCE: usize = 256;
/// How long the first attempts are apart, at least; then twice as long each time, up to four times.
const RETRY: Duration = Duration::from_secs(1);

/// An event as it is delivered.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub body: String,
}

/// What became of all deliveries.
#[derive(Debug, Default)]
pub struct Tally {
    /// Attempts.
    pub deliveries: usize,
    /// Answers of replicas to which nothing happened that took long or did not come, with how long they took.
    pub late: Vec<(Duration, String)>,
    pub slowest: Duration,
    /// Answers other than 200 and 503.
    pub strange: Vec<String>,
    /// When each delivery that was acknowledged was sent, and when the answer came.
    pub acknowledged_at: Vec<(Instant, Instant)>,
}

/// The sender. A copy sends for the same tally.
#[derive(Clone)]
pub struct Post(Arc<Inner>);

struct Inner {
    replicas: Arc<Replicas>,
    kept: reqwest::Client,
    fresh: reqwest::Client,
    at_once: Semaphore,
    /// Every event that was sent, and when it was first acknowledged.
    events: Mutex<HashMap<String, (Event, Option<Instant>)>>,
    tally: Mutex<Tally>,
    sending: TaskTracker,
    /// A replica whose clock is off may refuse signatures.
    may_refuse: Option<usize>,
}

impl Post {
    pub fn new(replicas: Arc<Replicas>, may_refuse: Option<usize>) -> Self {
        let client = || reqwest::Client::builder().timeout(GIVEN_UP_AFTER);
        let [kept, fresh] = [client(), client().pool_max_idle_per_host(0)];
        Self(Arc::new(Inner {
            replicas,
            kept: kept.build().expect("a client"),
            fresh: fresh.build().expect("a client"),
            at_once: Semaphore::new(AT_ONCE),
            events: Mutex::default(),
            tally: Mutex::default(),
            sending: TaskTracker::new(),
            may_refuse,
        }))
    }

    /// Sends an event after some time, and again until it is acknowledged.
    pub fn send(&self, event: Event, after: Duration, mut dice: Dice) {
        let inner = Arc::clone(&self.0);
        inner.events().entry(event.id.clone()).or_insert_with(|| (event.clone(), None));
        self.0.sending.spawn(async move {
            sleep(after).await;
            let mut wait = RETRY;
            while !inner.attempt(&event, &mut dice).await {
                sleep(wait.mul_f64(1.0 + dice.roll(100) as f64 / 100.0)).await;
                wait = (wait * 2).min(RETRY * 4);
            }
        });
    }

    /// How many are on their way.
    pub fn under_way(&self) -> usize {
        self.0.sending.len()
    }

    /// The ids of all events that were sent.
    pub fn sent(&self) -> BTreeSet<String> {
        self.0.events().keys().cloned().collect()
    }

    /// The ids of the events that were acknowledged.
    pub fn acknowledged(&self) -> BTreeSet<String> {
        self.0.events().iter().filter(|(_, (_, at))| at.is_some()).map(|(id, _)| id.clone()).collect()
    }

    /// The events that were acknowledged since.
    pub fn acknowledged_since(&self, since: Instant) -> Vec<Event> {
        let events = self.0.events();
        let late = events.values().filter(|(_, at)| at.is_some_and(|at| at >= since));
        late.map(|(event, _)| event.clone()).collect()
    }

    /// When the first delivery was acknowledged that was sent after a moment.
    pub fn first_acknowledged(&self, after: Instant) -> Option<Instant> {
        let tally = self.tally();
        tally.acknowledged_at.iter().filter(|(sent, _)| *sent >= after).map(|(_, at)| *at).min()
    }

    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn events(&self) -> MutexGuard<'_, HashMap<String, (Event, Option<Instant>)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers once; whether it was acknowledged.
    async fn attempt(&self, event: &Event, dice: &mut Dice) -> bool {
        let _permit = self.at_once.acquire().await.expect("it is never closed");
        let Some(target) = self.replicas.target(dice.roll(REPLICAS)) else { return false };
        let is_fresh = dice.roll(2) == 0;
        let client = if is_fresh { &self.fresh } else { &self.kept };
        let request = client.post(format!("http://{}/webhooks/stripe", target.address)).body(event.body.clone());
        let sent = Instant::now();
        let answer = request.header("Stripe-Signature", header(&event.body)).send().await;
        let answer = answer.map(|answer| answer.status().as_u16());
        self.note(event, &target, is_fresh, sent, &answer);
        if answer.is_ok_and(|status| status == 200) {
            self.events().entry(event.id.clone()).and_modify(|(_, at)| *at = at.or(Some(Instant::now())));
            return true;
        }
        false
    }

    fn note(
        &self,
        event: &Event,
        target: &Target,
        is_fresh: bool,
        sent: Instant,
        answer: &Result<u16, reqwest::Error>,
    ) {
        let (now, took) = (Instant::now(), sent.elapsed());
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.deliveries += 1;
        match answer {
            Ok(200) => tally.acknowledged_at.push((sent, now)),
            Ok(503) => {}
            Ok(400) if self.may_refuse == Some(target.slot) => {}
            Ok(status) => tally.strange.push(format!("{status} to {}", event.id)),
            Err(_) => {}
        }
        if !self.replicas.is_untouched(target) {
            return;
        }
        // A server may close a connection that was idle, at the moment at which it is used again.
        let is_lost = answer.as_ref().is_err_and(|error| is_fresh || error.is_timeout());
        tally.slowest = tally.slowest.max(took);
        if took > ANSWERED_WITHIN || is_lost {
            let counted = if is_lost { Duration::MAX } else { took };
            tally.late.push((counted, format!("{} took {took:.1?}: {answer:?}", event.id)));
        }
    }
}
