//! One payment: its sums, its flags, its state and its order.
//!
//! Refunds, disputes and follow-ups are derived beside it, in `derive.rs`.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::capture::{Capture, captures};
use super::facts::{DisputeFacts, Facts};
use super::money::sum;
use super::snapshot::{Charge, Intent, Scope};

/// The state of a payment or an order. The variants are tried in this order, and the first that fits applies.
/// See docs/SQL.md, "States".
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, EnumString, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// A chargeback is open.
    Disputed,
    /// An inquiry is open: no money has moved.
    Inquiry,
    /// Nothing is left, and some of it was lost in a dispute.
    ChargedBack,
    /// Part was lost in a dispute.
    PartiallyChargedBack,
    /// Fully refunded.
    Refunded,
    /// Partly refunded.
    PartiallyRefunded,
    /// Something was paid, not necessarily in full.
    Paid,
    /// Authorized, not captured.
    Authorized,
    /// Canceled before capture.
    Canceled,
    /// The last attempt failed and nothing is under way.
    Failed,
    /// Something is under way.
    Pending,
    /// Neither a charge nor an intent was seen.
    Unknown,
}

/// The sums and flags that decide the money states: of one payment, or added up over an order's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Null until a charge or an intent was seen.
    pub amount_paid: Option<i64>,
    /// Refunded, pending refunds included.
    pub amount_refunded: i64,
    /// In open chargebacks.
    pub amount_disputed: i64,
    /// Lost for good in disputes.
    pub amount_lost: i64,
    /// Disputes without an outcome.
    pub open_disputes: i32,
    /// Do not ship.
    pub hold: bool,
    /// The nearest deadline for evidence that is awaited, in unix seconds.
    pub evidence_due_by: Option<i64>,
}

impl Balance {
    /// Refunded and lost together use up what was paid. False while that is unknown.
    #[must_use]
    pub fn nothing_left(&self) -> bool {
        self.uses_up(self.returned())
    }

    /// Refunded and lost, at most what was paid: 0 while that is unknown.
    #[must_use]
    pub fn returned(&self) -> i64 {
        self.amount_refunded.saturating_add(self.amount_lost).min(self.amount_paid.unwrap_or(0))
    }

    fn uses_up(&self, returned: i64) -> bool {
        self.amount_paid.is_some_and(|paid| paid > 0 && returned >= paid)
    }

    /// Part of what was paid is still the merchant's. False while that is unknown.
    #[must_use]
    pub fn something_left(&self) -> bool {
        self.amount_paid.is_some_and(|paid| self.amount_refunded.saturating_add(self.amount_lost) < paid)
    }

    /// The first money state that fits, given the amount `returned`; none while nothing was paid, refunded or lost.
    pub(super) fn money_state(&self, returned: i64) -> Option<State> {
        let paid = self.amount_paid.unwrap_or(0);
        let nothing_left = self.uses_up(returned);
        if self.amount_lost > 0 {
            return Some(if nothing_left { State::ChargedBack } else { State::PartiallyChargedBack });
        }
        if self.amount_refunded > 0 {
            return Some(if nothing_left { State::Refunded } else { State::PartiallyRefunded });
        }
        (paid > 0).then_some(State::Paid)
    }
}

/// A payment as services see it. Amounts in minor units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The intent's id, else the charge's.
    pub payment_id: String,
    /// References no charge or payment intent.
    pub orphan: bool,
    /// The merchant's order; none while the payment is unlinked.
    pub order_id: Option<String>,
    /// Account and mode.
    #[serde(flatten)]
    pub scope: Scope,
    /// Lower-case ISO code, once known.
    pub currency: Option<String>,
    /// The captured, else the newest charge.
    pub charge_id: Option<String>,
    /// The amount requested.
    pub amount: Option<i64>,
    /// The sums.
    #[serde(flatten)]
    pub balance: Balance,
    /// The first state that fits.
    pub state: State,
    /// How it was paid, in Stripe's word.
    pub payment_method: Option<String>,
    /// Why its charge failed, in Stripe's word.
    pub failure_code: Option<String>,
    /// Why its intent was canceled, in Stripe's word.
    pub cancellation_reason: Option<String>,
    /// The captured money that can be refunded.
    pub captures: Vec<Capture>,
}

/// Derives the payment itself.
pub(super) fn payment(payment_id: &str, facts: &Facts) -> Payment {
    let balance = balance(facts);
    let disputed = facts.disputes.values().any(|d| d.seen().is_open_chargeback());
    let inquiry = facts.disputes.values().any(|d| d.seen().is_open_inquiry());
    let state = match (disputed, inquiry, balance.money_state(balance.returned())) {
        (true, _, _) => State::Disputed,
        (false, true, _) => State::Inquiry,
        (false, false, Some(state)) => state,
        (false, false, None) => attempt_state(facts),
    };
    let intent = facts.intents.values().next().map(|i| &i.best.value);
    let charge = facts.main_charge().map(|(_, charge)| charge);
    Payment {
        payment_id: payment_id.to_owned(),
        orphan: facts.is_orphan(),
        order_id: facts.order_id().filter(|_| !facts.is_orphan()).map(str::to_owned),
        scope: facts.scope(),
        currency: facts.currency().map(str::to_owned),
        charge_id: facts.charge_id().map(str::to_owned),
        amount: intent.map(|i| i.amount).or_else(|| charge.map(|c| c.amount)),
        payment_method: charge.and_then(|c| c.payment_method.clone()),
        failure_code: charge.and_then(|c| c.failure_code.clone()),
        cancellation_reason: intent.and_then(|i| i.cancellation_reason.clone()),
        captures: captures(facts),
        balance,
        state,
    }
}

fn balance(facts: &Facts) -> Balance {
    let disputes = || facts.disputes.values();
    let summed = || disputes().filter(|d| facts.counts(&d.seen().currency));
    Balance {
        amount_paid: facts.amount_paid(),
        amount_refunded: facts.amount_refunded(),
        amount_disputed: sum(summed().filter(|d| d.seen().is_open_chargeback()).map(|d| d.seen().amount)),
        amount_lost: facts.amount_lost(),
        open_disputes: i32::try_from(disputes().filter(|d| d.seen().outcome().is_none()).count()).unwrap_or(i32::MAX),
        hold: facts.is_held(),
        evidence_due_by: disputes().filter(|d| facts.awaits_evidence(d)).filter_map(DisputeFacts::due_by).min(),
    }
}

/// The state of a payment for which no money moved.
fn attempt_state(facts: &Facts) -> State {
    let intent = facts.intents.values().next().map(|i| &i.best);
    let status = intent.map(|i| i.value.status.as_str());
    let newest = facts.seen_charges().map(|(_, charge)| charge.created).max();
    // Several attempts can be of one second: it is enough that one of them shows it.
    let latest = || facts.seen_charges().filter(|(_, charge)| Some(charge.created) == newest);
    let void = latest().any(|(id, _)| facts.charges[id].is_void());
    let canceled = status == Some("canceled");
    let is_held = |charge: &Charge| charge.status == "succeeded" && charge.amount_captured == 0;
    let held = facts.seen_charges().any(|(id, charge)| is_held(charge) && !facts.charges[id].is_void());
    // An intent seen before the newest attempt does not reflect it.
    let recent = intent.filter(|i| newest.is_none_or(|newest| newest <= i.stamp.at)).map(|i| &i.value);
    let declined = latest().any(|(_, c)| c.status == "failed") && latest().all(|(_, c)| c.status != "pending");

    // A canceled intent has released its authorization, whether or not a snapshot of the charge shows it.
    if (held && !canceled) || (status == Some("requires_capture") && !void) {
        State::Authorized
    } else if canceled || void {
        State::Canceled
    } else if recent.is_some_and(Intent::is_under_way) {
        State::Pending
    } else if recent.is_some_and(|i| i.last_attempt_failed) || declined {
        State::Failed
    } else if intent.is_some() || newest.is_some() {
        State::Pending
    } else {
        State::Unknown
    }
}

impl Intent {
    /// An attempt is in progress. `requires_payment_method` waits for the next one.
    fn is_under_way(&self) -> bool {
        matches!(
            self.status.as_str(),
            "processing" | "requires_action" | "requires_confirmation" | "requires_source_action"
        )
    }
}

impl Facts {
    /// Do not ship: a dispute is open (one in an unknown status has no outcome, so it counts), a fraud warning is
    /// actionable, or a review is open.
    fn is_held(&self) -> bool {
        self.disputes.values().any(|d| d.seen().outcome().is_none())
            || self.warnings.keys().any(|id| self.is_actionable(id))
            || self.reviews.values().any(|r| r.best.value.open)
    }

    /// The order this payment is for, by precedence and not by arrival: an explicit link, else
    /// metadata of the intent, else of a charge (the captured, then the newest, then the largest id), else of
    /// the session, else the session's client reference.
    pub(super) fn order_id(&self) -> Option<&str> {
        let intent = self.intents.values().find_map(|i| i.order_ref.as_ref());
        let charge = (self.charges.iter())
            .filter(|(_, c)| c.order_ref.is_some())
            .max_by_key(|(id, c)| {
                (c.best.as_ref().map(|best| (best.value.amount_captured > 0, best.value.created)), *id)
            })
            .and_then(|(_, c)| c.order_ref.as_ref());
        let session = self.sessions.values().filter_map(|s| s.order_ref.as_ref()).max_by_key(|latest| &latest.stamp);
        let client = self.sessions.values().filter_map(|s| s.client_ref.as_ref()).max_by_key(|latest| &latest.stamp);
        let said = self.order_links.values().max_by_key(|latest| &latest.stamp);
        said.or(intent).or(charge).or(session).or(client).map(|latest| latest.value.as_str())
    }

    /// The main charge; while none was seen, the largest charge id named.
    fn charge_id(&self) -> Option<&str> {
        let named = self.refunds.values().filter_map(|r| r.charge.as_ref());
        let named = named.chain(self.disputes.values().filter_map(|d| d.child.charge.as_ref()));
        let named = named.chain(self.warnings.values().filter_map(|w| w.charge.as_ref()));
        let named = named.chain(self.reviews.values().filter_map(|r| r.charge.as_ref()));
        let named = named.map(|link| link.value.as_str()).chain(self.charges.keys().map(String::as_str));
        self.main_charge().map(|(id, _)| id).or_else(|| named.max())
    }

    /// Account and mode, from the object closest to the payment.
    fn scope(&self) -> Scope {
        let charge = self.main_charge().map(|(_, c)| &c.scope);
        let intents = self.intents.values().map(|i| &i.best.value.scope);
        let disputes = self.disputes.values().map(|d| &d.seen().scope);
        let refunds = self.refunds.values().map(|r| &r.best.value.scope);
        let sessions = self.sessions.values().map(|s| &s.child.best.value.scope);
        let warnings = self.warnings.values().map(|w| &w.best.value.scope);
        let reviews = self.reviews.values().map(|r| &r.best.value.scope);
        let children = disputes.chain(refunds).chain(sessions).chain(warnings).chain(reviews);
        charge.into_iter().chain(intents).chain(children).next().cloned().unwrap_or_default()
    }
}
