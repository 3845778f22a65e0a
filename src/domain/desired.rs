//! The follow-ups that a payment's facts require.
//!
//! Pure: what is desired now, not what to insert. `reconcile.rs` brings the queue in line with it (insert, cancel,
//! revive). "Now" is a variant here, not a time.
//!
//! A new follow-up is one entry in `FOLLOW_UP_RULES`.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::facts::{DisputeFacts, Facts};
use super::marks::Marks;
use super::money::Unexplained;
use super::payment::Payment;
use super::phase::Outcome;
use super::snapshot::{Latest, Refund, Review};

/// When the work may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunAt {
    /// When it is inserted.
    Now,
    /// This many seconds after it is inserted.
    After(i64),
    /// At this unix second.
    At(i64),
}

/// One desired follow-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The kind of work.
    pub kind: &'static str,
    /// The id of what it is about.
    pub subject: String,
    /// Distinguishes several follow-ups of one kind and subject; empty where there is only one.
    pub round: String,
    /// What a consumer needs to know, amounts in minor units.
    pub payload: Value,
    /// When the work may begin.
    pub run_at: RunAt,
    /// When it must be done, in unix seconds.
    pub due_at: Option<i64>,
    /// Obsolete from this unix second on, when a later follow-up replaces it.
    pub until: Option<i64>,
    /// When its cause happened, in unix seconds, to distinguish history from news; none: it is open now, however old.
    pub cause: Option<i64>,
    /// However old its cause, it is not history before this unix second.
    pub news_until: Option<i64>,
}

/// How long the refund's own event may arrive after `charge.refunded`, in seconds.
const OVERTAKE: i64 = 60;
/// How long after opening an inquiry that takes no evidence becomes a chargeback, in seconds
/// (docs.stripe.com/payments/klarna/disputes).
const ESCALATION: i64 = 21 * 86_400;
/// How long after a refund failed it still needs somebody to act, in seconds.
const FAILED_LATELY: i64 = 30 * 86_400;

/// What a rule looks at.
struct Case<'a> {
    payment: &'a Payment,
    facts: &'a Facts,
    marks: &'a Marks,
}

type Rule = fn(&Case) -> Vec<Desired>;

const FOLLOW_UP_RULES: &[(&str, Rule)] = &[
    ("notify_refund", notify_refund),
    ("notify_refund", notify_unexplained_refund),
    ("resolve_failed_refund", resolve_failed_refund),
    ("cancel_fulfilment", cancel_fulfilment),
    ("hold_fulfilment", hold_fulfilment),
    ("release_fulfilment", release_fulfilment),
    ("decide_fulfilment", decide_fulfilment),
    ("collect_evidence", collect_evidence),
    ("warn_evidence_due", warn_evidence_due),
    ("record_dispute_won", record_dispute_won),
    ("record_dispute_lost", record_dispute_lost),
    ("consider_refund", consider_refund),
    ("consider_refund", consider_refund_of_inquiry),
];

/// Kinds whose subject is the payment: it changes when the payment becomes part of another.
const ABOUT_PAYMENT: &[&str] = &["cancel_fulfilment"];

/// Whether the subject of this kind is the payment itself.
pub(super) fn is_about_payment(kind: &str) -> bool {
    ABOUT_PAYMENT.contains(&kind)
}

/// Kinds that follow from a refusal of Stripe's and not from the state of a payment; see `follow_ups.from_refusal`.
pub const REFUSALS: [&str; 2] = ["resolve_refused_request", "mend_evidence"];

/// Every kind of follow-up: those that can be desired in the order of the rules, then those of refusals.
#[must_use]
pub fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<_> = FOLLOW_UP_RULES.iter().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    kinds.extend(REFUSALS);
    kinds
}

/// All follow-ups desired for this payment.
pub(super) fn desired(payment: &Payment, facts: &Facts, marks: &Marks) -> Vec<Desired> {
    let case = Case { payment, facts, marks };
    let asked = |(kind, rule): &(&'static str, Rule)| {
        let kind = *kind;
        rule(&case).into_iter().map(move |wanted| Desired { kind, ..wanted })
    };
    FOLLOW_UP_RULES.iter().flat_map(asked).collect()
}

/// A follow-up on a subject, due now, without a deadline. `desired` fills in the kind.
fn now(subject: &str, round: &str, payload: Value) -> Desired {
    let (subject, round) = (subject.to_owned(), round.to_owned());
    Desired {
        kind: "",
        subject,
        round,
        payload,
        run_at: RunAt::Now,
        due_at: None,
        until: None,
        cause: None,
        news_until: None,
    }
}

/// These follow-ups once their cause has happened; none before.
fn since(cause: Option<i64>, wanted: Vec<Desired>) -> Vec<Desired> {
    wanted.into_iter().map(|wanted| Desired { cause, ..wanted }).collect()
}

fn notify_refund(&Case { facts, .. }: &Case) -> Vec<Desired> {
    refunds(facts, |status| status == "succeeded")
        .map(|(refund, wanted)| Desired { cause: Some(refund.value.created), ..wanted })
        .collect()
}

fn notify_unexplained_refund(&Case { payment, facts, .. }: &Case) -> Vec<Desired> {
    let unexplained = facts.unexplained().into_iter();
    unexplained
        .map(|Unexplained { charge_id, charge, amount, shown }| {
            let payload = json!({
                "charge_id": charge_id, "amount": amount, "amount_refunded": shown,
                "amount_paid": payment.balance.amount_paid, "currency": charge.currency,
            });
            let cause = facts.shown_at(charge_id);
            Desired { run_at: RunAt::After(OVERTAKE), cause, ..now(charge_id, &shown.to_string(), payload) }
        })
        .collect()
}

fn resolve_failed_refund(&Case { facts, .. }: &Case) -> Vec<Desired> {
    refunds(facts, |status| matches!(status, "failed" | "canceled"))
        .map(|(refund, wanted)| {
            // Stripe does not report when a refund failed.
            let seen = refund.stamp.at;
            Desired { cause: Some(seen), news_until: Some(seen.saturating_add(FAILED_LATELY)), ..wanted }
        })
        .collect()
}

/// A follow-up for each refund whose status `is_due`, with the refund. A release returned no money.
fn refunds(facts: &Facts, is_due: impl Fn(&str) -> bool) -> impl Iterator<Item = (&Latest<Refund>, Desired)> {
    let releases = facts.releases();
    let refunds = facts.refunds.iter().filter(move |(id, _)| !releases.contains(id.as_str()));
    let due = refunds.filter(move |(_, refund)| is_due(&refund.best.value.status));
    due.map(|(id, refund)| (&refund.best, now(id, "", refund_payload(id, facts))))
}

fn refund_payload(id: &str, facts: &Facts) -> Value {
    let refund = &facts.refunds[id].best.value;
    json!({
        "refund_id": id, "charge_id": facts.charge_of_refund(id), "amount": refund.amount, "currency": refund.currency,
        "status": refund.status, "reason": refund.reason, "failure_reason": refund.failure_reason,
    })
}

fn cancel_fulfilment(&Case { payment, facts, .. }: &Case) -> Vec<Desired> {
    let balance = &payment.balance;
    let payload = || {
        json!({
            "amount_paid": balance.amount_paid, "amount_refunded": balance.amount_refunded,
            "amount_lost": balance.amount_lost, "currency": payment.currency,
        })
    };
    let wanted = balance.nothing_left().then(|| now(&payment.payment_id, "", payload()));
    since(facts.went_back_at(), wanted.into_iter().collect())
}

fn hold_fulfilment(&Case { facts, .. }: &Case) -> Vec<Desired> {
    let mut hold = disputes(facts, |dispute| dispute.seen().outcome().is_none());
    hold.extend(warnings(facts, |id| facts.is_actionable(id)));
    hold.extend(reviews(facts, |review| review.open));
    hold
}

fn release_fulfilment(&Case { payment, facts, .. }: &Case) -> Vec<Desired> {
    if may_ship(payment, facts) { since(facts.last_reason_at(), ended_well(facts)) } else { Vec::new() }
}

/// No hold, something left, and no lost dispute.
pub(super) fn may_ship(payment: &Payment, facts: &Facts) -> bool {
    let balance = &payment.balance;
    // An endpoint that receives only disputes never learns what was paid.
    let left = balance.amount_paid.is_none() || balance.something_left();
    !balance.hold && left && !any_ended_badly(facts)
}

/// No hold and something left, but not all of it: a person must decide whether it ships.
fn decide_fulfilment(&Case { payment, facts, .. }: &Case) -> Vec<Desired> {
    if payment.balance.hold || !payment.balance.something_left() {
        return Vec::new();
    }
    let mut decide = disputes(facts, |dispute| dispute.seen().ended_badly());
    decide.extend(reviews(facts, |review| !review.open && !review.ended_well()));
    if any_ended_badly(facts) {
        decide.extend(ended_well(facts));
    }
    decide
}

fn any_ended_badly(facts: &Facts) -> bool {
    facts.disputes.values().any(|dispute| dispute.seen().ended_badly())
}

/// Every reason to hold that ended well. A warning that was never actionable held nothing.
fn ended_well(facts: &Facts) -> Vec<Desired> {
    let mut over = disputes(facts, |dispute| dispute.seen().ended_well());
    let told = |id: &str| facts.warnings[id].best.value.actionable.is_some();
    over.extend(warnings(facts, |id| told(id) && !facts.is_actionable(id)));
    over.extend(reviews(facts, |review| !review.open && review.ended_well()));
    over
}

impl Review {
    /// Somebody approved it, or the reviewed data was redacted. An unknown reason does not count.
    fn ended_well(&self) -> bool {
        matches!(self.closed_reason.as_deref(), Some("approved" | "acknowledged" | "redacted"))
    }
}

fn collect_evidence(&Case { facts, .. }: &Case) -> Vec<Desired> {
    disputes(facts, |dispute| facts.awaits_evidence(dispute))
        .into_iter()
        .map(|wanted| Desired { due_at: facts.disputes[&wanted.subject].due_by(), ..wanted })
        .collect()
}

fn warn_evidence_due(case: &Case) -> Vec<Desired> {
    let awaited = collect_evidence(case).into_iter();
    awaited
        .filter_map(|wanted| Some((wanted.due_at?, wanted)))
        .flat_map(|(due, wanted)| warnings_of(due, &wanted, case.marks))
        .collect()
}

/// A warning at each mark. Each is obsolete once the next mark is reached.
fn warnings_of(due: i64, wanted: &Desired, marks: &Marks) -> Vec<Desired> {
    let Ok(date) = OffsetDateTime::from_unix_timestamp(due).map(OffsetDateTime::date) else { return Vec::new() };
    let warning = |(mark, at, until)| {
        let round = format!("{}/{mark}/{date}", wanted.round);
        Desired { round, run_at: RunAt::At(at), until, ..wanted.clone() }
    };
    marks.before(due).map(warning).collect()
}

fn record_dispute_won(&Case { facts, .. }: &Case) -> Vec<Desired> {
    record_dispute(facts, Outcome::Won)
}

fn record_dispute_lost(&Case { facts, .. }: &Case) -> Vec<Desired> {
    record_dispute(facts, Outcome::Lost)
}

fn record_dispute(facts: &Facts, outcome: Outcome) -> Vec<Desired> {
    let ended = disputes(facts, |dispute| dispute.seen().outcome() == Some(outcome)).into_iter();
    ended
        .map(|wanted| {
            let cause = Some(facts.disputes[&wanted.subject].child.best.stamp.at);
            Desired { round: String::new(), cause, ..wanted }
        })
        .collect()
}

fn consider_refund(&Case { facts, .. }: &Case) -> Vec<Desired> {
    warnings(facts, |id| facts.is_actionable(id))
}

/// An inquiry that takes no evidence is ended by refunding the disputed amount.
fn consider_refund_of_inquiry(&Case { facts, .. }: &Case) -> Vec<Desired> {
    disputes(facts, |dispute| dispute.seen().is_open_inquiry() && !facts.takes_evidence(dispute))
        .into_iter()
        .map(|wanted| {
            let dispute = &facts.disputes[&wanted.subject];
            let due_at = dispute.due_by().or(Some(dispute.seen().created + ESCALATION));
            Desired { due_at, ..wanted }
        })
        .collect()
}

/// A follow-up for each early fraud warning that `is_due`.
fn warnings(facts: &Facts, is_due: impl Fn(&str) -> bool) -> Vec<Desired> {
    let due = facts.warnings.iter().filter(|(id, _)| is_due(id));
    due.map(|(id, facts)| {
        let warning = &facts.best.value;
        let charge = facts.charge.as_ref().map(|link| &link.value);
        now(id, "", json!({ "warning_id": id, "charge_id": charge, "fraud_type": warning.fraud_type }))
    })
    .collect()
}

/// A follow-up for each Radar review that `is_due`.
fn reviews(facts: &Facts, is_due: impl Fn(&Review) -> bool) -> Vec<Desired> {
    let due = facts.reviews.iter().filter(|(_, review)| is_due(&review.best.value));
    due.map(|(id, review)| now(id, "", json!({ "review_id": id, "reason": reason(&review.best.value) }))).collect()
}

/// The most informative reason: why it was closed, else why it was opened.
fn reason(review: &Review) -> Option<&str> {
    review.closed_reason.as_deref().or(review.opened_reason.as_deref())
}

/// A follow-up for each dispute that `is_due`, with a round for each phase.
fn disputes(facts: &Facts, is_due: impl Fn(&DisputeFacts) -> bool) -> Vec<Desired> {
    let losses = facts.losses();
    let due = facts.disputes.iter().filter(|(_, dispute)| is_due(dispute));
    due.map(|(id, dispute)| now(id, dispute.seen().phase().into(), dispute_payload(id, dispute, losses[id.as_str()])))
        .collect()
}

fn dispute_payload(id: &str, facts: &DisputeFacts, amount_lost: i64) -> Value {
    let dispute = facts.seen();
    let settlement = facts.settlement();
    json!({
        "dispute_id": id, "charge_id": facts.child.charge.as_ref().map(|link| &link.value), "amount": dispute.amount,
        "currency": dispute.currency, "reason": dispute.reason, "network_reason_code": dispute.network_reason_code,
        "status": dispute.status, "phase": dispute.phase(), "outcome": dispute.outcome(),
        "amount_lost": amount_lost, "amount_withdrawn": settlement.withdrawn,
        "amount_reinstated": settlement.reinstated, "settlement_currency": settlement.currency,
    })
}
