//! The events that are sent: payments from the stories of `clawback simulate`, interleaved, as HTTP requests that are
//! built and signed beforehand, so that the load generator uses little CPU.

use std::time::{SystemTime, UNIX_EPOCH};

use clawback::dev::stories::{Cast, find};
use clawback::stripe::signature::{Secret, sign};

/// What the receivers verify signatures with.
pub const SECRET: &str = "whsec_of_the_benchmark";

/// The mix of payments: how many of a hundred, the story, and the final state of the order.
const MIX: [(usize, &str, &str); 7] = [
    (70, "paid", "paid"),
    (10, "partial-refund", "partially_refunded"),
    (8, "full-refund", "refunded"),
    (3, "refund-pending", "refunded"),
    (3, "chargeback-open", "disputed"),
    (3, "chargeback-won", "paid"),
    (3, "chargeback-lost", "charged_back"),
];

/// Payments with more to tell began up to this many days ago: refunds and disputes come late, for payments whose rows
/// are no longer in memory.
const DAYS_BACK: usize = 120;
/// Payments in progress at a time, unless there are few events: about the number of other events between two events of
/// one payment.
const LIVES_AT_ONCE: usize = 100;
/// One repeat of an earlier event for this many events.
pub const REPEAT_EVERY: usize = 50;
/// Number of events between an event and its repeat.
const REPEAT_LAG: usize = 200;
/// One event signed with another secret for this many events.
pub const FORGERY_EVERY: usize = 100;
/// Length of a signature header: fixed, so that a request can be signed again in place.
const SIGNATURE_LENGTH: usize = "t=1700000000,v1=".len() + 64;

/// The order that every heavy payment belongs to.
const HEAVY: &str = "order_heavy";
/// Start of the payment with many events, in unix seconds. Part of its ids, hence a constant.
const HEAVY_SINCE: i64 = 1_780_000_000;

/// The events of a run, in the order in which they are sent.
#[derive(Default)]
pub struct Corpus {
    /// The payments.
    pub lives: Vec<Life>,
    /// The requests to send, in order.
    pub deliveries: Vec<Delivery>,
    /// Genuine events first, forged ones after them.
    requests: Vec<Request>,
}

/// A payment from its first event to its last.
pub struct Life {
    /// The order's id.
    pub order_id: String,
    /// The order's state after its last event.
    pub state: &'static str,
    /// How many events it has.
    pub events: usize,
}

/// One request to send.
#[derive(Clone, Copy)]
pub struct Delivery {
    /// Which event.
    pub event: usize,
    /// How it must be answered.
    pub kind: Kind,
}

/// How a receiver must treat a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Store it.
    New,
    /// Acknowledge it, since it was sent before.
    Repeat,
    /// Refuse it.
    Forged,
}

/// A whole HTTP request.
struct Request {
    event_id: String,
    /// Its index in `lives`.
    life: usize,
    bytes: Vec<u8>,
    /// Where the signature begins, and where the body does.
    signature_at: usize,
    body_at: usize,
}

impl Corpus {
    /// Makes this many events; the last payments may be incomplete. The same arguments give the same events, apart from
    /// their times. With `heavy`, one payment in that number belongs to one large order, and brings one more event of
    /// one large payment.
    pub fn tell(events: usize, seed: u64, heavy: Option<usize>) -> Self {
        let (now, at_once) = (unix_now(), LIVES_AT_ONCE.min(events / 20 + 1));
        let mut corpus = Self { lives: Vec::new(), deliveries: Vec::new(), requests: Vec::with_capacity(events) };
        let mut open: Vec<Vec<Request>> = Vec::new();
        while corpus.requests.len() < events {
            let slot = corpus.requests.len() % at_once;
            if open.get(slot).is_none_or(Vec::is_empty) {
                let life = match heavy {
                    Some(one_in) if corpus.lives.len().is_multiple_of(one_in) => corpus.begin_heavy(seed, now),
                    _ => corpus.begin(seed, now),
                };
                if slot < open.len() { open[slot] = life } else { open.push(life) }
            }
            corpus.requests.extend(open[slot].pop());
        }
        corpus.plan(seed, now);
        corpus
    }

    /// The events of the next payment, in reverse.
    fn begin(&mut self, seed: u64, now: i64) -> Vec<Request> {
        let number = self.lives.len();
        let (story, state) = story(number);
        let order_id = format!("order_{seed}_{number}");
        let since = if story == "paid" { now } else { now - (number % DAYS_BACK) as i64 * 86_400 };
        let requests = requests(story, &order_id, number, seed, since);
        self.lives.push(Life { order_id, state, events: requests.len() });
        requests
    }

    /// The events of the next payment of the large order, and one more event of the large payment, in reverse.
    fn begin_heavy(&mut self, seed: u64, now: i64) -> Vec<Request> {
        let number = self.lives.len();
        // Payments of one order differ by their seed.
        let mut requests = requests("paid", HEAVY, number, seed * 1_000_000 + number as u64, now);
        let charge = find("paid").expect("a story").tell(&Cast::new(format!("{HEAVY}_payment"), HEAVY_SINCE));
        let charge = charge.iter().find(|event| event.r#type == "charge.succeeded").expect("it is paid");
        let event_id = format!("evt_heavy_{seed}_{number}");
        requests.push(Request::new(event_id.clone(), number, &charge.body.replacen(&charge.id, &event_id, 1)));
        self.lives.push(Life { order_id: HEAVY.to_owned(), state: "paid", events: requests.len() });
        requests
    }

    /// Decides the order of sending, with repeats and forgeries between the events.
    fn plan(&mut self, seed: u64, now: i64) {
        let events = self.requests.len();
        let mut forged: Vec<Request> = Vec::new();
        for event in 0..events {
            self.deliveries.push(Delivery { event, kind: Kind::New });
            if event % REPEAT_EVERY == 0 && event >= REPEAT_LAG {
                self.deliveries.push(Delivery { event: event - REPEAT_LAG, kind: Kind::Repeat });
            }
            if event % FORGERY_EVERY == 0 {
                if forged.is_empty() {
                    forged = requests("paid", &format!("forged_{seed}_{event}"), usize::MAX, seed, now);
                }
                self.deliveries.push(Delivery { event: self.requests.len(), kind: Kind::Forged });
                self.requests.extend(forged.pop());
            }
        }
    }

    /// Signs every request with the current time: receivers refuse old signatures.
    pub fn sign(&mut self) {
        let (now, events) = (unix_now(), self.events());
        let (genuine, forged) = self.requests.split_at_mut(events);
        let half = genuine.len().div_ceil(2);
        std::thread::scope(|scope| {
            for part in genuine.chunks_mut(half) {
                scope.spawn(move || part.iter_mut().for_each(|request| request.sign(SECRET, now)));
            }
        });
        forged.iter_mut().for_each(|request| request.sign("whsec_of_somebody_else", now));
    }

    /// How many genuine events there are.
    pub fn events(&self) -> usize {
        self.deliveries.iter().filter(|delivery| delivery.kind == Kind::New).count()
    }

    /// The bytes to send.
    pub fn request(&self, delivery: Delivery) -> &[u8] {
        &self.requests[delivery.event].bytes
    }

    /// Stripe's id of an event.
    pub fn event_id(&self, event: usize) -> &str {
        &self.requests[event].event_id
    }

    /// The index in `lives` of an event's payment.
    pub fn life(&self, event: usize) -> usize {
        self.requests[event].life
    }

    /// Smallest, median and largest body, in bytes.
    pub fn body_sizes(&self) -> (usize, usize, usize) {
        let mut sizes: Vec<_> = self.requests.iter().map(|request| request.bytes.len() - request.body_at).collect();
        sizes.sort_unstable();
        (sizes[0], sizes[sizes.len() / 2], sizes[sizes.len() - 1])
    }
}

impl Request {
    fn new(event_id: String, life: usize, body: &str) -> Self {
        let head = format!(
            "POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\n\
             User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\nAccept: */*; q=0.5, application/xml\r\n\
             Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\nStripe-Signature: ",
            body.len()
        );
        let signature_at = head.len();
        let head = format!("{head}{}\r\n\r\n", " ".repeat(SIGNATURE_LENGTH));
        Self { event_id, life, body_at: head.len(), signature_at, bytes: (head + body).into_bytes() }
    }

    fn sign(&mut self, secret: &str, now: i64) {
        let signature = sign(&Secret::from_key(secret), now, &self.bytes[self.body_at..]);
        self.bytes[self.signature_at..][..SIGNATURE_LENGTH].copy_from_slice(signature.as_bytes());
    }
}

/// The story and final state of a payment. 37 and 100 have no common divisor, so the mix is spread evenly.
fn story(number: usize) -> (&'static str, &'static str) {
    let mut place = number * 37 % 100;
    for (share, story, state) in MIX {
        if place < share {
            return (story, state);
        }
        place -= share;
    }
    unreachable!("the shares add up to 100")
}

fn requests(story: &str, order_id: &str, life: usize, seed: u64, now: i64) -> Vec<Request> {
    let story = find(story).expect("a story of the catalogue");
    let cast = Cast { seed, ..Cast::new(order_id, now) };
    let events = story.tell(&cast);
    events.into_iter().rev().map(|event| Request::new(event.id, life, &event.body)).collect()
}

fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(now.as_secs()).expect("a time within 64 bits")
}
