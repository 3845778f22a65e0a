//! Random activity in the double, for property tests: buyers pay, the merchant calls the API, banks decide, time passes.
//! Steps that Stripe would refuse are skipped. The same seed gives the same activity in the same world.

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::bank;
use super::books::TOKENS;
use super::params::Params;
use super::refusal::Answer;
use super::routes::{self, Operation};
use super::world::{Clock, World};
use crate::dev::model::objects::{Charge, Dispute, Intent, Refund, Review, Session, Warning};
use crate::dev::model::{Account, Ids, Object};

/// Random activity to generate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Life {
    /// The same seed gives the same activity in the same world.
    pub seed: u64,
    /// The number of steps.
    pub steps: usize,
    /// The most seconds that pass after a step.
    #[serde(default = "an_hour")]
    pub pace: i64,
}

fn an_hour() -> i64 {
    3_600
}

/// Payments that are disputed, to generate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disputes {
    /// The same seed gives the same disputes in the same world.
    pub seed: u64,
    /// The number of payments.
    pub count: usize,
    /// The most seconds that pass after each.
    #[serde(default = "an_hour")]
    pub pace: i64,
}

/// The steps to choose from; listed several times to be chosen more often.
const STEPS: [fn(&mut Player<'_>); 23] = [
    pay,
    pay,
    pay,
    pay,
    hold,
    hold,
    charge,
    check_out,
    capture,
    capture,
    cancel,
    refund,
    refund,
    refund,
    refund,
    go_on_with_refund,
    go_on_with_refund,
    dispute,
    decide,
    decide,
    answer,
    suspect,
    clear,
];

/// Everything that can happen to a dispute.
const DECISIONS: [&str; 9] =
    ["escalate", "win", "lose", "lose", "win_late", "appeal", "close_inquiry", "close_prevention", "reinstate"];
/// The kinds of disputes to choose from.
const KINDS: [&str; 8] =
    ["chargeback", "chargeback", "chargeback", "inquiry", "inquiry", "unchallengeable", "prevention", "compliance"];
/// The reasons to choose from.
const REASONS: [&str; 8] = [
    "credit_not_processed",
    "duplicate",
    "fraudulent",
    "general",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
];
/// Everything that can happen to a refund.
const TURNS: [&str; 5] = ["refund_settles", "refund_fails", "refund_returns", "details_given", "reference_arrives"];

/// Generates the activity in all accounts of the world, from its present time on.
pub(super) fn play(world: &mut World, life: Life, wall: i64) {
    let seed = Sha256::new().chain_update("life").chain_update(life.seed.to_be_bytes()).finalize().into();
    let mut player = Player { world, chance: Ids::new(seed), account: String::new() };
    for _ in 0..life.steps {
        let account = player.below(player.world.books.len());
        player.account = player.world.books.keys()[account].clone();
        STEPS[player.below(STEPS.len())](&mut player);
        player.wait(life.pace, wall);
    }
}

/// Lets buyers pay and dispute it at once, in all accounts of the world. Nobody answers. Stripe refuses some: a card is
/// declined, or a kind does not fit the method.
pub(super) fn dispute_payments(world: &mut World, disputes: Disputes, wall: i64) {
    let seed = Sha256::new().chain_update("disputes").chain_update(disputes.seed.to_be_bytes()).finalize().into();
    let mut player = Player { world, chance: Ids::new(seed), account: String::new() };
    for _ in 0..disputes.count {
        let account = player.below(player.world.books.len());
        player.account = player.world.books.keys()[account].clone();
        let token = TOKENS[player.below(TOKENS.len())].0;
        let intent = player.start("automatic", token);
        if let Some(charge) = intent.as_ref().and_then(|intent| intent["latest_charge"].as_str()) {
            player.dispute_some(charge);
        }
        player.wait(disputes.pace, wall);
    }
}

/// Who plays: chance, in one account at a time.
struct Player<'a> {
    world: &'a mut World,
    chance: Ids,
    account: String,
}

impl Player<'_> {
    /// Lets up to so many seconds pass.
    fn wait(&mut self, pace: i64, wall: i64) {
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

    /// Disputes all or part of a payment that its test card did not dispute already.
    fn dispute_some(&mut self, charge: &str) {
        let account = &self.world.books[&self.account].account;
        let Some(charge) = account.find::<Charge>(charge).cloned() else { return };
        if charge.disputed || !charge.captured {
            return;
        }
        let kind = KINDS[self.below(KINDS.len())];
        let amount = if self.below(2) == 0 { charge.left() } else { self.amount(charge.left()) };
        let reason = REASONS[self.below(REASONS.len())];
        self.happens(kind, charge.id.as_str(), json!({ "amount": amount, "reason": reason }));
    }

    /// A number below this one, which is at most 2^24.
    fn below(&mut self, bound: usize) -> usize {
        let number = (0..3).fold(0, |number, _| number * 256 + self.chance.below(256));
        number % bound.max(1)
    }

    /// An amount from 1 to this one.
    fn amount(&mut self, most: i64) -> i64 {
        1 + i64::try_from(self.below(usize::try_from(most).unwrap_or(0))).unwrap_or(0)
    }

    /// One of the objects of which this holds.
    fn any<T: Object>(&mut self, holds: impl Fn(&Account, &T) -> bool) -> Option<T> {
        let account = &self.world.books[&self.account].account;
        let all: Vec<T> = account.list::<T>().filter(|object| holds(account, object)).cloned().collect();
        let place = self.below(all.len());
        all.into_iter().nth(place)
    }

    /// The merchant asks the API.
    fn ask(&mut self, path: &str, form: &[(&str, String)]) -> Option<Value> {
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
    fn happens(&mut self, what: &str, id: &str, more: Value) -> Option<Value> {
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

    fn token(&mut self) -> &'static str {
        // Half of all pay by a plain card.
        match self.below(2) {
            0 => "pm_card_visa",
            _ => TOKENS[self.below(TOKENS.len())].0,
        }
    }

    /// A new intent; of two payments for one order now and then.
    fn start(&mut self, capture: &str, token: &str) -> Option<Value> {
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

fn pay(player: &mut Player<'_>) {
    let token = player.token();
    player.start("automatic", token);
}

fn hold(player: &mut Player<'_>) {
    let token = player.token();
    player.start("manual", token);
}

/// A charge without intent; an uncaptured one is captured at once, voided, or left to expire.
fn charge(player: &mut Player<'_>) {
    let (amount, order) = (player.amount(10_000), player.below(256));
    let form = [
        ("amount", amount.to_string()),
        ("currency", "eur".to_owned()),
        ("source", "tok_visa".to_owned()),
        ("capture", (player.below(2) == 0).to_string()),
        ("metadata[order_id]", format!("o_{order}")),
    ];
    let Some(charge) = player.ask("/v1/charges", &form) else { return };
    let id = charge["id"].as_str().unwrap_or_default();
    match player.below(3) {
        0 => drop(player.ask(&format!("/v1/charges/{id}/capture"), &[])),
        1 => drop(player.ask("/v1/refunds", &[("charge", id.to_owned())])),
        _ => {}
    }
}

/// A page is opened, and some page is paid on; now and then the buyer leaves.
fn check_out(player: &mut Player<'_>) {
    let (amount, order) = (player.amount(10_000), player.below(256));
    let form = [
        ("line_items[0][price_data][currency]", "eur".to_owned()),
        ("line_items[0][price_data][unit_amount]", amount.to_string()),
        ("metadata[order_id]", format!("o_{order}")),
    ];
    player.ask("/v1/checkout/sessions", &form);
    let Some(session) = player.any::<Session>(|_, session| session.status == "open") else { return };
    if player.below(4) == 0 {
        return;
    }
    let token = player.token();
    player.happens("session_paid", session.id.as_str(), json!({ "payment_method": token }));
}

fn held(player: &mut Player<'_>) -> Option<Intent> {
    player.any::<Intent>(|_, intent| intent.status == "requires_capture")
}

fn capture(player: &mut Player<'_>) {
    let Some(intent) = held(player) else { return };
    let all = intent.purchase.amount;
    let amount = if player.below(2) == 0 { all } else { player.amount(all) };
    player.ask(&format!("/v1/payment_intents/{}/capture", intent.id), &[("amount_to_capture", amount.to_string())]);
}

fn cancel(player: &mut Player<'_>) {
    let Some(Intent { id, latest_charge, .. }) = held(player) else { return };
    match latest_charge {
        Some(charge) if player.below(2) == 0 => drop(player.happens("expiry", charge.as_str(), json!({}))),
        Some(_) | None => drop(player.ask(&format!("/v1/payment_intents/{id}/cancel"), &[])),
    }
}

fn refund(player: &mut Player<'_>) {
    let Some(charge) = player.any::<Charge>(|_, charge| charge.captured && charge.left() > 0) else { return };
    let left = charge.left();
    let amount = if player.below(3) == 0 { left } else { player.amount(left) };
    let mut form = vec![("charge", charge.id.to_string()), ("amount", amount.to_string())];
    if player.below(8) == 0 {
        form.push(("reason", "fraudulent".to_owned()));
    }
    if charge.transfer.is_some() {
        form.extend([("reverse_transfer", "true".to_owned()), ("refund_application_fee", "true".to_owned())]);
    }
    player.ask("/v1/refunds", &form);
}

fn go_on_with_refund(player: &mut Player<'_>) {
    // What stands for a release moved no money that could come back.
    let live = |it: &Refund| it.status != "succeeded" || it.balance_transaction.is_some();
    let Some(refund) = player.any::<Refund>(|_, refund| live(refund)) else { return };
    let turn = player.below(TURNS.len() + 1);
    match TURNS.get(turn) {
        Some(turn) => player.happens(turn, refund.id.as_str(), json!({})),
        None => player.ask(&format!("/v1/refunds/{}/cancel", refund.id), &[]),
    };
}

/// Never more is disputed than the disputes before and the refunds have left.
fn dispute(player: &mut Player<'_>) {
    let Some(charge) = player.any::<Charge>(|account, charge| charge.captured && undisputed(account, charge) > 0)
    else {
        return;
    };
    let left = undisputed(&player.world.books[&player.account].account, &charge);
    let amount = if player.below(2) == 0 { left } else { player.amount(left) };
    let kind = KINDS[player.below(KINDS.len())];
    let reason = REASONS[player.below(REASONS.len())];
    player.happens(kind, charge.id.as_str(), json!({ "amount": amount, "reason": reason }));
}

fn undisputed(account: &Account, charge: &Charge) -> i64 {
    let disputed = account.list::<Dispute>().filter(|dispute| dispute.charge == charge.id);
    charge.left() - disputed.map(|dispute| dispute.amount).sum::<i64>()
}

fn decide(player: &mut Player<'_>) {
    let Some(dispute) = player.any::<Dispute>(|_, _| true) else { return };
    let decision = DECISIONS[player.below(DECISIONS.len())];
    // Of what was refunded meanwhile nothing more is withdrawn.
    let left = player.world.books[&player.account].account.get(&dispute.charge).left();
    if decision == "escalate" && dispute.amount > left {
        return;
    }
    // A part of what was lost comes back once, in full by a late win.
    let back = if decision == "reinstate" { player.amount(dispute.amount) } else { dispute.amount };
    if ["reinstate", "win_late", "appeal"].contains(&decision)
        && (dispute.status != "lost" || dispute.entries.len() != 1)
    {
        return;
    }
    player.happens(decision, dispute.id.as_str(), json!({ "amount": back }));
}

/// The merchant answers or accepts the dispute.
fn answer(player: &mut Player<'_>) {
    let Some(dispute) = player.any::<Dispute>(|_, dispute| dispute.awaits_evidence()) else { return };
    let path = format!("/v1/disputes/{}", dispute.id);
    let texts = ["We shipped it.", "winning_evidence", "losing_evidence"];
    if dispute.status == "appeal_needs_response" {
        player.ask(&path, &[("evidence[appeal][card][reason_for_filing]", "They wrote the truth.".to_owned())]);
        return;
    }
    let text = player.below(texts.len() + 1);
    match texts.get(text) {
        Some(text) => player.ask(&path, &[("evidence[uncategorized_text]", (*text).to_owned())]),
        None => player.ask(&format!("{path}/close"), &[]),
    };
}

fn suspect(player: &mut Player<'_>) {
    let Some(charge) = player.any::<Charge>(|_, charge| !charge.disputed) else { return };
    let what = ["fraud_warning", "review"][player.below(2)];
    player.happens(what, charge.id.as_str(), json!({}));
}

fn clear(player: &mut Player<'_>) {
    if player.below(3) == 0 {
        let Some(warning) = player.any::<Warning>(|_, warning| warning.actionable) else { return };
        player.happens("settle_warning", warning.id.as_str(), json!({}));
        return;
    }
    let Some(review) = player.any::<Review>(|_, review| review.closed_reason.is_none()) else { return };
    let reason = ["approved", "acknowledged", "redacted"][player.below(3)];
    player.happens("review_closes", review.id.as_str(), json!({ "reason": reason }));
}
