//! Random activity in the double, for property tests: buyers pay, the merchant calls the API, banks decide, time passes.
//! Steps that Stripe would refuse are skipped. The same seed gives the same activity in the same world.

use serde::Deserialize;
use serde_json::json;

use super::life_disputes::{answer, decide, dispute};
use super::player::Player;
use super::world::World;
use crate::dev::model::objects::{Charge, Intent, Refund, Review, Session, Warning};

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

/// The steps to choose from; listed several times to be chosen more often.
const STEPS: [fn(&mut Player<'_>); 25] = [
    pay,
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
    answer,
    suspect,
    clear,
];

/// Everything that can happen to a refund.
const TURNS: [&str; 5] = ["refund_settles", "refund_fails", "refund_returns", "details_given", "reference_arrives"];

/// Generates the activity in all accounts of the world, from its present time on.
pub(super) fn play(world: &mut World, life: Life, wall: i64) {
    let mut player = Player::new(world, "life", life.seed);
    for _ in 0..life.steps {
        let account = player.below(player.world.books.len());
        player.account = player.world.books.keys()[account].clone();
        STEPS[player.below(STEPS.len())](&mut player);
        player.wait(life.pace, wall);
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
    // A release moved no money that could come back.
    let Some(refund) = player.any::<Refund>(|_, refund| !refund.is_release) else { return };
    let turn = player.below(TURNS.len() + 1);
    match TURNS.get(turn) {
        Some(turn) => player.happens(turn, refund.id.as_str(), json!({})),
        None => player.ask(&format!("/v1/refunds/{}/cancel", refund.id), &[]),
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
