//! Random disputes in the double: they arrive, are answered or accepted, and banks decide. Steps that Stripe would refuse
//! are skipped.

use serde::Deserialize;
use serde_json::json;

use super::books::TOKENS;
use super::player::Player;
use super::world::World;
use crate::dev::model::Account;
use crate::dev::model::objects::{Charge, Dispute};

/// Payments that are disputed, to generate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disputes {
    /// The same seed gives the same disputes in the same world.
    pub seed: u64,
    /// The number of payments.
    pub count: usize,
    /// The most seconds that pass after each.
    #[serde(default = "a_minute")]
    pub pace: i64,
}

fn a_minute() -> i64 {
    60
}

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

/// Lets buyers pay and dispute it at once, in all accounts of the world. Nobody answers. Stripe refuses some: a card is
/// declined, or a kind does not fit the method.
pub(super) fn dispute_payments(world: &mut World, disputes: Disputes, wall: i64) {
    let mut player = Player::new(world, "disputes", disputes.seed);
    for _ in 0..disputes.count {
        let account = player.below(player.world.books.len());
        player.account = player.world.books.keys()[account].clone();
        let token = TOKENS[player.below(TOKENS.len())].0;
        let intent = player.start("automatic", token);
        if let Some(charge) = intent.as_ref().and_then(|intent| intent["latest_charge"].as_str()) {
            dispute_some(&mut player, charge);
        }
        player.wait(disputes.pace, wall);
    }
}

/// Disputes all or part of a payment that its test card did not dispute already.
fn dispute_some(player: &mut Player<'_>, charge: &str) {
    let account = &player.world.books[&player.account].account;
    let Some(charge) = account.find::<Charge>(charge).cloned() else { return };
    if charge.disputed || !charge.captured {
        return;
    }
    let kind = KINDS[player.below(KINDS.len())];
    let amount = if player.below(2) == 0 { charge.left() } else { player.amount(charge.left()) };
    let reason = REASONS[player.below(REASONS.len())];
    player.happens(kind, charge.id.as_str(), json!({ "amount": amount, "reason": reason }));
}

/// Never more is disputed than the disputes before and the refunds have left.
pub(super) fn dispute(player: &mut Player<'_>) {
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

pub(super) fn decide(player: &mut Player<'_>) {
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
pub(super) fn answer(player: &mut Player<'_>) {
    let Some(dispute) = player.any::<Dispute>(|_, dispute| dispute.awaits_evidence()) else { return };
    let path = format!("/v1/disputes/{}", dispute.id);
    let texts = ["We shipped it.", "winning_evidence", "losing_evidence"];
    if dispute.status == "appeal_needs_response" {
        player.ask(&path, &[("evidence[appeal][card][reason_for_filing]", "They wrote the truth.".to_owned())]);
        return;
    }
    let text = player.below(texts.len() + 1);
    let compliance = dispute.case_type == "compliance";
    match texts.get(text) {
        Some(text) if compliance => player.ask(&path, &acknowledged(text)),
        Some(text) => player.ask(&path, &[("evidence[uncategorized_text]", (*text).to_owned())]),
        None => player.ask(&format!("{path}/close"), &[]),
    };
}

/// Evidence of a compliance dispute, of either network.
fn acknowledged(text: &str) -> [(&'static str, String); 3] {
    [
        ("evidence[uncategorized_text]", text.to_owned()),
        ("evidence[enhanced_evidence][visa_compliance][fee_acknowledged]", "true".to_owned()),
        ("evidence[enhanced_evidence][mastercard_compliance][fee_acknowledged]", "true".to_owned()),
    ]
}
