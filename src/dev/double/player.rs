//! Chance, as it acts in one account at a time: as the merchant by the API, as buyers, and as banks.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::bank;
use super::books::TOKENS;
use super::params::Params;
use super::refusal::Answer;
use super::routes::{self, Operation};
use super::world::{Clock, World};
use crate::dev::model::{Account, Ids, Object};

/// Who plays: chance, in one account at a time.
pub(super) struct Player<'a> {
    pub(super) world: &'a mut World,
    chance: Ids,
    pub(super) account: String,
}

impl<'a> Player<'a> {
    /// The same seed of the same use gives the same chances.
    pub(super) fn new(world: &'a mut World, whose: &str, seed: u64) -> Self {
        let seed = Sha256::new().chain_update(whose).chain_update(seed.to_be_bytes()).finalize().into();
        Self { world, chance: Ids::new(seed, 0), account: String::new() }
    }
}

impl Player<'_> {
    /// Lets up to this many seconds pass.
    pub(super) fn wait(&mut self, pace: i64, wall: i64) {
        let passed = i64::try_from(self.below(usize::try_from(pace.max(0)).unwrap_or(0) + 1)).unwrap_or(0);
        self.pass(passed, wall);
    }

    fn pass(&mut self, seconds: i64, wall: i64) {
        self.world.clock = match self.world.clock {
            Clock::Ahead(ahead) => Clock::Ahead(ahead + seconds),
            Clock::Stopped(at) => Clock::Stopped(at + seconds),
        };
        self.world.advance(wall);
    }

    /// A number below this one, which is at most 2^24.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let number = (0..3).fold(0, |number, _| number * 256 + self.chance.below(256));
        number % bound.max(1)
    }

    /// An amount from 1 to this one.
    pub(super) fn amount(&mut self, most: i64) -> i64 {
        1 + i64::try_from(self.below(usize::try_from(most).unwrap_or(0))).unwrap_or(0)
    }

    /// One of the objects of which this holds.
    pub(super) fn any<T: Object>(&mut self, holds: impl Fn(&Account, &T) -> bool) -> Option<T> {
        let account = &self.world.books[&self.account].account;
        let all: Vec<T> = account.list::<T>().filter(|object| holds(account, object)).cloned().collect();
        let place = self.below(all.len());
        all.into_iter().nth(place)
    }

    /// The merchant asks the API.
    pub(super) fn ask(&mut self, path: &str, form: &[(&str, String)]) -> Option<Value> {
        let pairs: Vec<_> = form.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let version = (self.below(4) == 0).then_some("2024-06-20");
        let cause = self.world.books[&self.account].account.request();
        let (account, params) = (self.account.clone(), Params::read(&pairs));
        let account = account.as_str();
        let operation = Operation { method: "POST", path, account, cause, version, params, upload: None };
        let answer = routes::run(self.world, operation);
        self.outcome(path, answer)
    }

    /// Something happens at a bank or at Stripe.
    pub(super) fn happens(&mut self, what: &str, id: &str, more: Value) -> Option<Value> {
        let mut given = json!({ "happens": what, "id": id });
        if let (Value::Object(given), Value::Object(more)) = (&mut given, more) {
            given.extend(more);
        }
        let happening = bank::read(given).ok()?;
        let answer = bank::happen(&mut self.world.books[&self.account], &happening);
        self.outcome(what, answer)
    }

    fn outcome(&self, what: &str, answer: Answer) -> Option<Value> {
        answer.inspect_err(|refusal| tracing::debug!(account.id = self.account, "{what}: {}", refusal.message)).ok()
    }

    pub(super) fn token(&mut self) -> &'static str {
        // Half of all pay by a plain card.
        match self.below(2) {
            0 => "pm_card_visa",
            _ => TOKENS[self.below(TOKENS.len())].0,
        }
    }

    /// A new intent; of two payments for one order now and then.
    pub(super) fn start(&mut self, capture: &str, token: &str) -> Option<Value> {
        let amount = self.amount(10_000);
        let order = self.below(256);
        let mut form = vec![
            ("amount", amount.to_string()),
            ("currency", "eur".to_owned()),
            ("confirm", "true".to_owned()),
            ("payment_method", token.to_owned()),
            ("capture_method", capture.to_owned()),
            ("metadata[order_id]", format!("o_{order}")),
        ];
        if self.account.is_empty() && self.below(5) == 0 {
            form.push(("transfer_data[destination]", "acct_life".to_owned()));
            form.push(("application_fee_amount", (1 + amount / 10).to_string()));
        }
        self.ask("/v1/payment_intents", &form)
    }
}
