//! The control API below `/_double`: clock, accounts, keys, faults, webhooks, banks, the log of requests, and a reset.
//!
//! It needs no key: the double listens on loopback.

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::bank;
use super::events;
use super::faults::Fault;
use super::keys::Standing;
use super::life;
use super::life_disputes;
use super::requests::rates;
use super::responses;
use super::truth;
use super::webhooks::{Behaviour, Endpoint};
use super::world::{Clock, World};
use crate::dev::model::FirstStatus;
use crate::dev::model::objects::Refund;

/// The list of operations, returned by `GET /_double`.
const USAGE: [&str; 18] = [
    "GET /_double/clock",
    "POST /_double/clock {advance: SECONDS} or {stop_at: UNIX}",
    "POST /_double/accounts {id}",
    "POST /_double/keys {key, standing: expired or unrestricted} or {key, standing: restricted, permissions: [...]}",
    "POST /_double/settings {list_lag: SECONDS, rate_limit: PER_SECOND, new_refunds, smart_disputes, api_version}",
    "POST /_double/faults {path, kind, method, count, skip, seconds, millis, should_retry, retry_after, status, code}",
    "GET and DELETE /_double/faults",
    "GET /_double/webhooks",
    "POST /_double/webhooks {url, secrets, scope, payload, enabled_events, api_version, disabled}",
    "POST /_double/webhooks/behaviour {hold, lose, lose_all, copies, delay}",
    "POST /_double/webhooks/release {shuffle: SEED}",
    "POST /_double/webhooks/resend {event, account} or {} for all that no endpoint has",
    "POST /_double/bank {happens, id, amount, reason, payment_method, account}",
    "GET /_double/requests?method=&path= and DELETE /_double/requests",
    "GET /_double/rates and GET /_double/effects",
    "POST /_double/live {seed, steps, pace: SECONDS} and GET /_double/truth",
    "GET /_double/disputes and POST /_double/disputes {seed, count, pace: SECONDS}",
    "POST /_double/reset {seed, livemode}",
];

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SetClock {
    Advance(i64),
    StopAt(i64),
}

#[derive(Deserialize)]
struct SetKey {
    key: String,
    #[serde(flatten)]
    standing: Standing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    seed: u64,
    #[serde(default)]
    livemode: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenAccount {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    list_lag: Option<i64>,
    /// 0: none.
    rate_limit: Option<usize>,
    new_refunds: Option<NewRefunds>,
    smart_disputes: Option<bool>,
    api_version: Option<String>,
}

/// How far new refunds of all accounts get at once.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NewRefunds {
    /// As the payment method says.
    ByMethod,
    Pending,
    /// Pending, since the balance is too low.
    InsufficientFunds,
    RequiresAction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    shuffle: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resend {
    event: Option<String>,
    #[serde(default)]
    account: String,
}

/// A status and a body. `path` is what follows `/_double`.
pub(super) fn answer(
    world: &mut World,
    method: &str,
    path: &str,
    query: &str,
    body: &[u8],
    wall: i64,
) -> (u16, String) {
    let given = if body.is_empty() { Ok(json!({})) } else { serde_json::from_slice(body) };
    let result = match given {
        Err(error) => Err(format!("the body is not JSON: {error}")),
        Ok(_) if method == "GET" => look(world, path, query, wall).ok_or_else(unknown),
        Ok(given) => act(world, method, path, given, wall),
    };
    world.hand_over(wall);
    match result {
        Ok(value) => (200, format!("{value:#}")),
        Err(message) => (400, format!("{:#}", json!({ "error": message, "usage": USAGE }))),
    }
}

fn unknown() -> String {
    "there is no such operation".to_owned()
}

fn look(world: &World, path: &str, query: &str, wall: i64) -> Option<Value> {
    match path {
        "" | "/" => Some(json!({ "usage": USAGE })),
        "/clock" => Some(json!({ "now": world.clock.now(wall) })),
        "/faults" => Some(json!(world.faults)),
        "/webhooks" => Some(json!({
            "behaviour": world.hooks.behaviour,
            "endpoints": world.hooks.endpoints,
            "pending": world.hooks.pending(),
        })),
        "/requests" => Some(requests(world, query)),
        "/disputes" => Some(json!(responses::all(world))),
        "/truth" => Some(json!(truth::all(world))),
        "/rates" => Some(json!(rates(&world.requests))),
        "/effects" => Some(effects(world)),
        _ => None,
    }
}

fn act(world: &mut World, method: &str, path: &str, given: Value, wall: i64) -> Result<Value, String> {
    match (method, path) {
        ("POST", "/clock") => Ok(set_clock(world, read(given)?, wall)),
        ("POST", "/accounts") => {
            let OpenAccount { id } = read(given)?;
            world.open(&id);
            world.advance(wall);
            Ok(json!({ "id": id }))
        }
        ("POST", "/keys") => {
            let SetKey { key, standing } = read(given)?;
            world.keys.set(key, standing);
            Ok(json!({}))
        }
        ("POST", "/settings") => {
            set(world, read(given)?);
            Ok(json!({}))
        }
        ("POST", "/faults") => {
            let now = world.clock.now(wall);
            world.faults.push(read::<Fault>(given)?.starting(now));
            Ok(json!(world.faults))
        }
        ("DELETE", "/faults") => {
            world.faults.clear();
            Ok(json!([]))
        }
        ("POST", "/live") => {
            life::play(world, read(given)?, wall);
            Ok(json!({ "now": world.clock.now(wall) }))
        }
        ("POST", "/disputes") => {
            life_disputes::dispute_payments(world, read(given)?, wall);
            Ok(json!(responses::all(world)))
        }
        ("DELETE", "/requests") => {
            world.requests.clear();
            Ok(json!([]))
        }
        ("POST", "/bank") => happen(world, given),
        ("POST", "/reset") => {
            let Reset { seed, livemode } = read(given)?;
            *world = World::new(seed, livemode);
            world.advance(wall);
            Ok(json!({}))
        }
        ("POST", _) if path.starts_with("/webhooks") => webhooks(world, path, given, wall),
        _ => Err(unknown()),
    }
}

fn set(world: &mut World, settings: Settings) {
    let Settings { list_lag, rate_limit, new_refunds, smart_disputes, api_version } = settings;
    world.list_lag = list_lag.unwrap_or(world.list_lag);
    world.rate_limit = rate_limit.map_or(world.rate_limit, |limit| (limit > 0).then_some(limit));
    for books in world.books.values_mut() {
        if let Some(new_refunds) = &new_refunds {
            books.new_refunds = match new_refunds {
                NewRefunds::ByMethod => None,
                NewRefunds::Pending => Some(FirstStatus::Pending("processing")),
                NewRefunds::InsufficientFunds => Some(FirstStatus::Pending("insufficient_funds")),
                NewRefunds::RequiresAction => Some(FirstStatus::RequiresAction),
            };
        }
        books.smart_disputes = smart_disputes.unwrap_or(books.smart_disputes);
        books.version = api_version.clone().unwrap_or_else(|| books.version.clone());
    }
}

fn set_clock(world: &mut World, set: SetClock, wall: i64) -> Value {
    world.clock = match (set, world.clock) {
        (SetClock::Advance(seconds), Clock::Ahead(ahead)) => Clock::Ahead(ahead + seconds),
        (SetClock::Advance(seconds), Clock::Stopped(at)) => Clock::Stopped(at + seconds),
        (SetClock::StopAt(at), _) => Clock::Stopped(at),
    };
    world.advance(wall);
    json!({ "now": world.clock.now(wall) })
}

fn webhooks(world: &mut World, path: &str, given: Value, wall: i64) -> Result<Value, String> {
    match path {
        "/webhooks" => add_endpoint(world, given, wall),
        "/webhooks/behaviour" => {
            world.hooks.behaviour = read::<Behaviour>(given)?;
            Ok(json!(world.hooks.behaviour))
        }
        "/webhooks/release" => {
            world.hooks.release(read::<Release>(given)?.shuffle);
            Ok(json!({ "pending": world.hooks.pending() }))
        }
        "/webhooks/resend" => {
            let Resend { event, account } = read(given)?;
            let books = world.books.get(&account).ok_or("there is no such account")?;
            match event {
                Some(event) => {
                    let found = events::find(books, &event).ok_or("there is no such event")?;
                    world.hooks.resend(&account, found, wall);
                }
                None => world.hooks.resend_lost(&account, books.account.events(), wall),
            }
            Ok(json!({ "pending": world.hooks.pending() }))
        }
        _ => Err(unknown()),
    }
}

/// Registers an endpoint of the shape of [`Endpoint`], and answers with it.
pub(super) fn add_endpoint(world: &mut World, given: Value, wall: i64) -> Result<Value, String> {
    let mut endpoint: Endpoint = read(given)?;
    endpoint.id = world.ids.mint("we_1");
    endpoint.created = world.clock.now(wall);
    let shown = json!(endpoint);
    world.hooks.endpoints.push(endpoint);
    Ok(shown)
}

fn happen(world: &mut World, given: Value) -> Result<Value, String> {
    let happening = bank::read(given)?;
    let books = world.books.get_mut(&happening.account).ok_or("there is no such account")?;
    bank::happen(books, &happening).map_err(|refusal| refusal.message)
}

fn read<T: DeserializeOwned>(given: Value) -> Result<T, String> {
    serde_json::from_value(given).map_err(|error| error.to_string())
}

/// The log, of one method or path if the query names such.
fn requests(world: &World, query: &str) -> Value {
    let wanted: IndexMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let fits = |name: &str, value: &str| wanted.get(name).is_none_or(|wanted| wanted == value);
    let found = world.requests.iter().filter(|it| fits("method", &it.method) && fits("path", &it.path));
    json!(found.collect::<Vec<_>>())
}

/// The refunds that exist, by charge: how many, and how much of them is live.
fn effects(world: &World) -> Value {
    let mut charges: IndexMap<&str, (usize, i64)> = IndexMap::new();
    for refund in world.books.values().flat_map(|books| books.account.list::<Refund>()) {
        let (count, live) = charges.entry(refund.charge.as_str()).or_default();
        *count += 1;
        *live += if ["failed", "canceled"].contains(&refund.status) { 0 } else { refund.amount };
    }
    let shown = charges
        .into_iter()
        .map(|(charge, (count, live))| (charge.to_owned(), json!({ "refunds": count, "live_amount": live })));
    Value::Object(shown.collect())
}
