//! Delivers the events of many lives as Stripe might: out of order, some twice, those of several lives
//! mixed, over several connections, and each again until it is acknowledged.
//!
//! Which process is where is told from outside.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::chance::Dice;
use crate::harness::{PATIENCE, client, header};
use crate::life::{Event, Life};

const CONNECTIONS: usize = 16;
/// The events of so many lives are under way at a time, more or less.
const MIXED: usize = 12;

/// One event on its way to one of two processes.
struct Delivery {
    event: usize,
    to: usize,
}

/// Everything that is to be delivered, and how far it has come.
#[derive(Clone)]
pub struct Post(Arc<Inner>);

struct Inner {
    events: Vec<Event>,
    deliveries: Vec<Delivery>,
    taken: AtomicUsize,
    acknowledged: AtomicUsize,
    targets: Mutex<[Option<SocketAddr>; 2]>,
    client: reqwest::Client,
}

impl Post {
    /// All that the endpoints of these lives see, shuffled.
    pub fn of(lives: &[Life], seed: u64) -> Self {
        let mut dice = Dice(seed);
        let (mut events, mut deliveries) = (Vec::new(), Vec::new());
        for (number, life) in lives.iter().enumerate() {
            // Some arrive in one go and some drop by drop, so that their events meet in one batch or in none.
            let spread = 1 + dice.roll(100 * MIXED);
            for event in life.visible_events() {
                for _ in 0..1 + usize::from(dice.roll(3) == 0) + usize::from(dice.roll(9) == 0) {
                    let moment = (number * 100 + dice.roll(spread), dice.roll(1 << 30));
                    deliveries.push((moment, Delivery { event: events.len(), to: dice.roll(2) }));
                }
                events.push(event);
            }
        }
        deliveries.sort_by_key(|(moment, _)| *moment);
        Self(Arc::new(Inner {
            events,
            deliveries: deliveries.into_iter().map(|(_, delivery)| delivery).collect(),
            taken: AtomicUsize::new(0),
            acknowledged: AtomicUsize::new(0),
            targets: Mutex::new([None; 2]),
            client: client(),
        }))
    }

    pub fn events(&self) -> usize {
        self.0.events.len()
    }

    pub fn deliveries(&self) -> usize {
        self.0.deliveries.len()
    }

    pub fn acknowledged(&self) -> usize {
        self.0.acknowledged.load(Ordering::Relaxed)
    }

    /// Says where a process is; none while there is none.
    pub fn aim(&self, process: usize, target: Option<SocketAddr>) {
        self.0.targets.lock().unwrap_or_else(PoisonError::into_inner)[process] = target;
    }

    /// Begins; ends when everything is acknowledged.
    pub fn start(&self) -> JoinSet<()> {
        (0..CONNECTIONS).map(|_| Arc::clone(&self.0).deliver_all()).collect()
    }
}

impl Inner {
    async fn deliver_all(self: Arc<Self>) {
        while let Some(delivery) = self.deliveries.get(self.taken.fetch_add(1, Ordering::Relaxed)) {
            let mut again = interval(Duration::from_millis(10));
            let delivering = async {
                while !self.deliver(delivery).await {
                    again.tick().await;
                }
            };
            timeout(PATIENCE, delivering).await.expect("every event is acknowledged in time");
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Delivers once. Only a process that was killed does not answer.
    async fn deliver(&self, delivery: &Delivery) -> bool {
        let Some(address) = self.target(delivery.to).or_else(|| self.target(1 - delivery.to)) else { return false };
        let Event { id, kind, body, .. } = &self.events[delivery.event];
        let request = self.client.post(format!("http://{address}/webhooks/stripe"));
        match request.header("Stripe-Signature", header(body)).body(body.clone()).send().await {
            Ok(answer) => assert_eq!(answer.status(), 200, "{kind} {id}"),
            Err(error) => {
                assert!(![0, 1].map(|n| self.target(n)).contains(&Some(address)), "no answer to {id}: {error}");
                return false;
            }
        }
        true
    }

    fn target(&self, process: usize) -> Option<SocketAddr> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)[process]
    }
}
