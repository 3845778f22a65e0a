//! Webhooks: the endpoints of an event, and the deliveries that wait. Sends nothing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::thin;
use crate::dev::model::Event;
use crate::dev::stories::delivery::{Order, plan};

/// How often a delivery is tried again, as in Stripe's test mode.
const RETRIES: u32 = 3;

/// A registered endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    #[serde(default)]
    pub(super) id: String,
    pub(super) url: String,
    /// The signing secrets: two while a secret is rolled.
    #[serde(skip_serializing)]
    pub(super) secrets: Vec<String>,
    #[serde(default)]
    pub(super) scope: Scope,
    #[serde(default)]
    pub(super) payload: Payload,
    /// Types of events; all if it holds `*`.
    #[serde(default = "all_events")]
    pub(super) enabled_events: Vec<String>,
    /// The version that its events are said to be rendered in; the account's if none.
    pub(super) api_version: Option<String>,
    /// It is listed as disabled, and gets no events.
    #[serde(default)]
    pub(super) disabled: bool,
    #[serde(default)]
    pub(super) created: i64,
}

fn all_events() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Whose events an endpoint gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    /// The platform's own.
    #[default]
    Account,
    /// Those of connected accounts.
    Connect,
}

/// What an endpoint is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Payload {
    /// The event with its object.
    #[default]
    Snapshot,
    /// A notification that names the object.
    Thin,
}

/// How deliveries go wrong.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Behaviour {
    /// Deliveries wait until they are released.
    pub(super) hold: bool,
    /// How many of the next events are lost: they reach no endpoint.
    pub(super) lose: u32,
    /// All events are lost from now on.
    pub(super) lose_all: bool,
    /// How often each event is sent.
    pub(super) copies: u32,
    /// How long each delivery waits first, in seconds.
    pub(super) delay: i64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { hold: false, lose: 0, lose_all: false, copies: 1, delay: 0 }
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) event: String,
    pub(super) body: String,
    pub(super) endpoint: Endpoint,
    /// Not before this time of the wall clock.
    pub(super) due: i64,
    pub(super) attempts: u32,
}

/// Endpoints, and what is on its way to them.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) behaviour: Behaviour,
    waiting: Vec<Delivery>,
    /// Deliveries that were neither answered with 2xx nor given up, by event.
    undelivered: HashMap<String, u32>,
    /// Deliveries that are being made.
    under_way: usize,
}

impl Hooks {
    /// Takes in new events of an account.
    pub(super) fn enqueue(&mut self, account: &str, events: &[Event], wall: i64) {
        let scope = if account.is_empty() { Scope::Account } else { Scope::Connect };
        for event in events {
            let wants = |endpoint: &&Endpoint| {
                let types = &endpoint.enabled_events;
                !endpoint.disabled && endpoint.scope == scope && types.iter().any(|it| it == "*" || *it == event.r#type)
            };
            let endpoints: Vec<_> = self.endpoints.iter().filter(wants).cloned().collect();
            *self.undelivered.entry(event.id.clone()).or_default() += u32::try_from(endpoints.len()).unwrap_or(0);
            if self.behaviour.lose > 0 || self.behaviour.lose_all {
                self.behaviour.lose = self.behaviour.lose.saturating_sub(1);
                continue;
            }
            let due = wall + self.behaviour.delay;
            for endpoint in endpoints {
                let body = match endpoint.payload {
                    Payload::Snapshot => event.body.clone(),
                    Payload::Thin => thin::notification(event).to_string(),
                };
                let delivery = Delivery { event: event.id.clone(), body, endpoint, due, attempts: 0 };
                self.waiting.extend((0..self.behaviour.copies.max(1)).map(|_| delivery.clone()));
            }
        }
    }

    /// The deliveries to make now; none while they are held.
    pub(super) fn take_due(&mut self, wall: i64) -> Vec<Delivery> {
        if self.behaviour.hold {
            return Vec::new();
        }
        let (due, later) = self.waiting.drain(..).partition::<Vec<_>, _>(|delivery| delivery.due <= wall);
        self.waiting = later;
        self.under_way += due.len();
        due
    }

    /// Notes how a delivery ended, and plans another attempt after a failure.
    pub(super) fn finish(&mut self, mut delivery: Delivery, delivered: bool, wall: i64) {
        // A reset forgets the deliveries that are being made.
        self.under_way = self.under_way.saturating_sub(1);
        if delivered {
            if let Some(left) = self.undelivered.get_mut(&delivery.event) {
                *left = left.saturating_sub(1);
            }
        } else if delivery.attempts < RETRIES {
            delivery.due = wall + (1 << delivery.attempts);
            delivery.attempts += 1;
            self.waiting.push(delivery);
        }
    }

    /// Lets held deliveries go: in the order of this seed, or as they happened.
    pub(super) fn release(&mut self, shuffle: Option<u64>) {
        self.behaviour.hold = false;
        if let Some(seed) = shuffle {
            let order = plan(self.waiting.len(), Order::Shuffled(seed), std::num::NonZeroUsize::MIN);
            self.waiting = order.into_iter().map(|place| self.waiting[place].clone()).collect();
        }
    }

    /// Sends an event again to every endpoint, as the Dashboard does.
    pub(super) fn resend(&mut self, account: &str, event: &Event, wall: i64) {
        // Delivered once more is delivered.
        self.undelivered.remove(&event.id);
        let behaviour = std::mem::take(&mut self.behaviour);
        self.enqueue(account, std::slice::from_ref(event), wall);
        self.behaviour = behaviour;
    }

    /// Sends the events again that some endpoint has not got, and that are not on their way to it.
    pub(super) fn resend_lost(&mut self, account: &str, events: &[Event], wall: i64) {
        let waits = |event: &Event| self.waiting.iter().any(|delivery| delivery.event == event.id);
        let lost = events.iter().filter(|event| !self.is_delivered(&event.id) && !waits(event));
        for event in lost.collect::<Vec<_>>() {
            self.resend(account, event, wall);
        }
    }

    /// How many deliveries wait or are being made.
    pub(super) fn pending(&self) -> usize {
        self.waiting.len() + self.under_way
    }

    /// Whether every endpoint has the event.
    pub(super) fn is_delivered(&self, event: &str) -> bool {
        self.undelivered.get(event).is_none_or(|left| *left == 0)
    }
}
