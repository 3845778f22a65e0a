//! Which objects to read from Stripe, given what is known: those of which snapshots contradict each other, and those that
//! are missing.
//!
//! Pure. Not here: making the calls ([`crate::executor`]).

use std::collections::BTreeSet;
use std::str::FromStr;

use super::facts::{Child, Facts};
use super::snapshot::{Latest, Scope, Stamp};

/// How long a contradiction waits, in seconds, so that the answer is later than both snapshots.
const AFTER_CONTRADICTION: i32 = 5;
/// How long a missing object waits, in seconds: its own event is often on its way.
const AFTER_GAP: i32 = 10;
/// The round of a read of a charge for its balance transaction.
const BALANCE: &str = "balance_transaction";

/// What is read. Its text is the `kind` of a row of `api_calls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadKind {
    /// A charge, with its balance transaction.
    Charge,
    /// A payment intent.
    PaymentIntent,
    /// A refund.
    Refund,
    /// A dispute.
    Dispute,
    /// The disputes of a charge.
    DisputesOfCharge,
    /// A charge, and all its refunds.
    RefundsOfCharge,
    /// The object that a thin event names; the round is the event's id.
    Related,
}

impl ReadKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Charge,
        Self::PaymentIntent,
        Self::Refund,
        Self::Dispute,
        Self::DisputesOfCharge,
        Self::RefundsOfCharge,
        Self::Related,
    ];

    /// The kind of the call.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "read_charge",
            Self::PaymentIntent => "read_payment_intent",
            Self::Refund => "read_refund",
            Self::Dispute => "read_dispute",
            Self::DisputesOfCharge => "read_disputes_of_charge",
            Self::RefundsOfCharge => "read_refunds_of_charge",
            Self::Related => "read_related",
        }
    }
}

impl FromStr for ReadKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// A read of Stripe that is wanted, once for each kind, object and round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What is read.
    pub kind: ReadKind,
    /// The id of the object, or of the charge whose disputes or refunds are listed.
    pub object: String,
    /// Distinguishes several reads of one object.
    pub round: String,
    /// Where the object is.
    pub scope: Scope,
    /// The earliest time of the read, in seconds from now.
    pub after: i32,
}

impl Facts {
    /// The objects of which an event's facts `seen` contradict what is known: another value at the same time and stage,
    /// or a step backwards in the lifecycle. One read for each stamp that wins.
    #[must_use]
    pub fn contradicted_by(&self, seen: &Self) -> Vec<Read> {
        let mut reads = Vec::new();
        for (id, charge) in &seen.charges {
            let known = self.charges.get(id).and_then(|known| known.best.as_ref());
            let both = known.zip(charge.best.as_ref());
            reads.extend(both.and_then(|(a, b)| reread(ReadKind::Charge, id, a, b, &a.value.scope)));
        }
        for (id, intent) in &seen.intents {
            let both = self.intents.get(id).map(|known| (&known.best, &intent.best));
            reads.extend(both.and_then(|(a, b)| reread(ReadKind::PaymentIntent, id, a, b, &a.value.scope)));
        }
        for (id, refund) in &seen.refunds {
            let both = self.refunds.get(id).map(|known| (&known.best, &refund.best));
            reads.extend(both.and_then(|(a, b)| reread(ReadKind::Refund, id, a, b, &a.value.scope)));
        }
        for (id, dispute) in &seen.disputes {
            let both = self.disputes.get(id).map(|known| (&known.child.best, &dispute.child.best));
            reads.extend(both.and_then(|(a, b)| reread(ReadKind::Dispute, id, a, b, &a.value.scope)));
        }
        reads
    }

    /// What is missing from a payment's facts that the objects `seen` in an event call for.
    #[must_use]
    pub fn missing_for(&self, seen: &BTreeSet<String>) -> Vec<Read> {
        let of_charges = self.missing_disputes().chain(self.missing_balances());
        let of_charges = of_charges.filter(|read| seen.contains(&read.object));
        of_charges.chain(self.missing_parents(seen)).chain(self.returned_refunds(seen)).collect()
    }

    /// Whether a read is still of use: what was missing may have come by webhook.
    #[must_use]
    pub fn still_calls_for(&self, kind: ReadKind, object: &str, round: &str) -> bool {
        let is_latest = |stamp: Option<&Stamp>| stamp.is_none_or(|stamp| round_of(stamp) == round);
        match kind {
            ReadKind::Charge => match self.charges.get(object) {
                Some(charge) if round == BALANCE => charge.settled.is_none(),
                Some(charge) => is_latest(charge.best.as_ref().map(|best| &best.stamp)),
                None => true,
            },
            ReadKind::PaymentIntent => is_latest(self.intents.get(object).map(|intent| &intent.best.stamp)),
            ReadKind::Refund => is_latest(self.refunds.get(object).map(|refund| &refund.best.stamp)),
            ReadKind::Dispute => is_latest(self.disputes.get(object).map(|dispute| &dispute.child.best.stamp)),
            ReadKind::DisputesOfCharge => self.charges_that_miss_a_dispute().any(|charge| charge == object),
            ReadKind::RefundsOfCharge | ReadKind::Related => true,
        }
    }

    fn missing_disputes(&self) -> impl Iterator<Item = Read> {
        self.charges_that_miss_a_dispute().filter_map(|id| {
            let best = self.charges.get(id)?.best.as_ref()?;
            let round = round_of(&best.stamp);
            let (kind, scope) = (ReadKind::DisputesOfCharge, best.value.scope.clone());
            Some(Read { kind, object: id.to_owned(), round, scope, after: AFTER_GAP })
        })
    }

    /// The balance transactions of charges captured in part whose rest nothing but an API version tells about.
    fn missing_balances(&self) -> impl Iterator<Item = Read> {
        self.rests_by_version().map(|(id, charge)| Read {
            kind: ReadKind::Charge,
            object: id.to_owned(),
            round: BALANCE.to_owned(),
            scope: charge.scope.clone(),
            after: AFTER_GAP,
        })
    }

    /// The charges and intents, never seen themselves, of refunds, disputes, warnings and reviews: of those seen, and of
    /// those whose charge was, since it may tell the intent.
    fn missing_parents(&self, seen: &BTreeSet<String>) -> impl Iterator<Item = Read> {
        let refunds = self.refunds.iter().map(|(id, child)| (id, self.parents(child), &child.best.value.scope));
        let disputes = self.disputes.iter().map(|(id, dispute)| (id, &dispute.child));
        let disputes = disputes.map(|(id, child)| (id, self.parents(child), &child.best.value.scope));
        let warnings = self.warnings.iter().map(|(id, child)| (id, self.parents(child), &child.best.value.scope));
        let reviews = self.reviews.iter().map(|(id, child)| (id, self.parents(child), &child.best.value.scope));
        let children = refunds.chain(disputes).chain(warnings).chain(reviews);
        let is_seen = |id: &String| seen.contains(id);
        let concerned = children.filter(move |(id, parents, _)| is_seen(id) || parents.charge.is_some_and(is_seen));
        concerned.flat_map(|(_, parents, scope)| {
            let charge = parents.charge.map(|id| (ReadKind::Charge, id));
            let named = charge.into_iter().chain(parents.intent.map(|id| (ReadKind::PaymentIntent, id)));
            named.filter(|(_, id)| !self.shows(id)).map(|(kind, id)| Read {
                kind,
                object: id.clone(),
                round: String::new(),
                scope: scope.clone(),
                after: AFTER_GAP,
            })
        })
    }

    fn parents<'a, T>(&'a self, child: &'a Child<T>) -> Parents<'a> {
        let charge = child.charge.as_ref().map(|link| &link.value);
        let of_charge = charge.and_then(|id| self.charges.get(id)?.intent.as_ref());
        Parents { charge, intent: child.intent.as_ref().or(of_charge).map(|link| &link.value) }
    }

    fn shows(&self, id: &str) -> bool {
        self.intents.contains_key(id) || self.charges.get(id).is_some_and(|charge| charge.best.is_some())
    }

    /// The charges of refunds that came back: what the charge shows as refunded falls without an event of its own.
    fn returned_refunds(&self, seen: &BTreeSet<String>) -> impl Iterator<Item = Read> {
        let returned = self.refunds.iter().filter(|(id, refund)| {
            seen.contains(*id) && matches!(refund.best.value.status.as_str(), "failed" | "canceled")
        });
        returned.filter_map(|(id, refund)| {
            let named = refund.charge.as_ref().map(|link| &link.value);
            let object = named.or_else(|| self.only_charge())?.clone();
            let Latest { value, .. } = &refund.best;
            let round = format!("{id} {}", value.status);
            let (kind, scope) = (ReadKind::RefundsOfCharge, value.scope.clone());
            Some(Read { kind, object, round, scope, after: AFTER_CONTRADICTION })
        })
    }

    fn only_charge(&self) -> Option<&String> {
        let mut charges = self.charges.keys();
        charges.next().filter(|_| charges.next().is_none())
    }
}

/// The charge that a child names, and the intent that it or this charge names.
struct Parents<'a> {
    charge: Option<&'a String>,
    intent: Option<&'a String>,
}

/// The read of an object of which two snapshots contradict each other.
fn reread<T: PartialEq>(kind: ReadKind, id: &str, a: &Latest<T>, b: &Latest<T>, scope: &Scope) -> Option<Read> {
    contradict(a, b).then(|| Read {
        kind,
        object: id.to_owned(),
        round: round_of((&a.stamp).max(&b.stamp)),
        scope: scope.clone(),
        after: AFTER_CONTRADICTION,
    })
}

fn contradict<T: PartialEq>(a: &Latest<T>, b: &Latest<T>) -> bool {
    let (earlier, later) = if a.stamp.at <= b.stamp.at { (a, b) } else { (b, a) };
    let is_same_time = earlier.stamp.at == later.stamp.at;
    let is_tie = is_same_time && earlier.stamp.rank == later.stamp.rank && earlier.value != later.value;
    let is_backwards = !is_same_time && later.stamp.rank < earlier.stamp.rank;
    // One event is read twice when it is replayed.
    a.stamp.event_id != b.stamp.event_id && (is_tie || is_backwards)
}

fn round_of(Stamp { at, rank, .. }: &Stamp) -> String {
    format!("{at}-{rank}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn merged(mut base: Value, change: &Value) -> Value {
        for (field, value) in change.as_object().expect("an object") {
            base[field] = value.clone();
        }
        base
    }

    fn latest(at: i64, rank: u8, value: &Value) -> Value {
        let stamp = json!({ "at": at, "rank": rank, "amount": 0, "event_id": format!("evt_{at}_{value}") });
        json!({ "stamp": stamp, "value": value })
    }

    fn facts(json: Value) -> Facts {
        serde_json::from_value(json).expect("facts")
    }

    fn charge(at: i64, rank: u8, change: &Value) -> Value {
        let base = json!({ "scope": { "account": "acct_1", "livemode": true }, "amount": 1000, "amount_captured": 1000,
            "amount_refunded": 0, "refunded": false, "currency": "eur", "status": "succeeded", "created": 1 });
        let charge = merged(base, change);
        let shown = json!([[charge["amount_captured"].to_string(), { "since": at, "least": charge["amount_refunded"],
            "least_at": at, "all_of_less": false }]]);
        let shown: serde_json::Map<_, _> =
            serde_json::from_value::<Vec<(String, Value)>>(shown).expect("pairs").into_iter().collect();
        json!({ "best": latest(at, rank, &charge), "shown": shown })
    }

    fn refund(at: i64, rank: u8, status: &str) -> Value {
        let refund =
            json!({ "scope": { "livemode": true }, "amount": 500, "currency": "eur", "status": status, "created": 1 });
        json!({ "best": latest(at, rank, &refund), "charge": latest(at, rank, &json!("ch_1")),
            "intent": latest(at, rank, &json!("pi_1")) })
    }

    fn with_refund(at: i64, rank: u8, status: &str) -> Facts {
        facts(json!({ "refunds": { "re_1": refund(at, rank, status) } }))
    }

    fn seen(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    fn named(reads: &[Read]) -> Vec<(&str, &str, &str)> {
        reads.iter().map(|read| (read.kind.as_str(), read.object.as_str(), read.round.as_str())).collect()
    }

    #[test]
    fn two_values_of_one_second_and_stage_are_read_again_once_for_the_stamp() {
        let (one, other) = (with_refund(10, 4, "failed"), with_refund(10, 4, "canceled"));
        let expected = vec![("read_refund", "re_1", "10-4")];
        assert_eq!(named(&one.contradicted_by(&other)), expected);
        assert_eq!(named(&other.contradicted_by(&one)), expected, "in either order");
        assert_eq!(one.contradicted_by(&one), [], "the same event again");
        assert_eq!(one.contradicted_by(&with_refund(11, 4, "canceled")), [], "the later one wins");
        assert_eq!(one.contradicted_by(&with_refund(10, 3, "succeeded")), [], "the later stage wins");
    }

    #[test]
    fn a_step_backwards_is_read_again_and_a_late_event_is_not() {
        let (lost, open) = (with_refund(10, 4, "failed"), with_refund(20, 2, "pending"));
        let expected = vec![("read_refund", "re_1", "20-2")];
        assert_eq!(named(&lost.contradicted_by(&open)), expected);
        assert_eq!(named(&open.contradicted_by(&lost)), expected, "in either order");
        assert_eq!(lost.contradicted_by(&with_refund(5, 2, "pending")), []);
        let charges = |at, rank| facts(json!({ "charges": { "ch_1": charge(at, rank, &json!({})) } }));
        let reads = charges(1, 4).contradicted_by(&charges(2, 3));
        assert_eq!(named(&reads), [("read_charge", "ch_1", "2-3")]);
        assert_eq!((reads[0].scope.account.as_deref(), reads[0].scope.livemode), (Some("acct_1"), true));
    }

    #[test]
    fn charge_and_intent_of_a_child_are_read_where_they_were_never_seen() {
        let mut payment = with_refund(10, 3, "succeeded");
        let expected = vec![("read_charge", "ch_1", ""), ("read_payment_intent", "pi_1", "")];
        assert_eq!(named(&payment.missing_for(&seen(&["re_1"]))), expected);
        assert_eq!(payment.missing_for(&seen(&["re_2"])), [], "only what the event is about");
        payment.join(facts(json!({ "charges": { "ch_1": { "intent": latest(10, 3, &json!("pi_1")) } } })));
        assert_eq!(named(&payment.missing_for(&seen(&["re_1"]))), expected, "a link is no sight of it");
        assert!(payment.still_calls_for(ReadKind::Charge, "ch_1", ""));
        payment.join(facts(json!({ "charges": { "ch_1": charge(9, 4, &json!({})) } })));
        assert_eq!(named(&payment.missing_for(&seen(&["re_1"]))), [("read_payment_intent", "pi_1", "")]);
        assert!(!payment.still_calls_for(ReadKind::Charge, "ch_1", ""));
    }

    #[test]
    fn a_charge_that_is_seen_after_its_child_tells_which_intent_to_read() {
        let mut payment = with_refund(10, 3, "succeeded");
        payment.refunds.get_mut("re_1").expect("the refund").intent = None;
        let charge_seen = seen(&["ch_1"]);
        assert_eq!(named(&payment.missing_for(&charge_seen)), [("read_charge", "ch_1", "")]);
        let mut shown = charge(11, 4, &json!({}));
        shown["intent"] = latest(11, 4, &json!("pi_1"));
        payment.join(facts(json!({ "charges": { "ch_1": shown } })));
        assert_eq!(named(&payment.missing_for(&charge_seen)), [("read_payment_intent", "pi_1", "")]);
    }

    #[test]
    fn a_disputed_charge_without_dispute_asks_for_its_disputes() {
        let payment = facts(json!({ "charges": { "ch_1": charge(7, 4, &json!({ "disputed": true })) } }));
        assert_eq!(named(&payment.missing_for(&seen(&["ch_1"]))), [("read_disputes_of_charge", "ch_1", "7-4")]);
        assert!(payment.still_calls_for(ReadKind::DisputesOfCharge, "ch_1", "7-4"));
        let undisputed = facts(json!({ "charges": { "ch_1": charge(7, 4, &json!({})) } }));
        assert_eq!(undisputed.missing_for(&seen(&["ch_1"])), []);
        assert!(!undisputed.still_calls_for(ReadKind::DisputesOfCharge, "ch_1", "7-4"));
    }

    #[test]
    fn a_refund_that_came_back_asks_for_its_charge_with_all_refunds() {
        let mut payment = with_refund(10, 4, "failed");
        payment.join(facts(json!({ "charges": { "ch_1": charge(9, 4, &json!({})) } })));
        let reads = payment.missing_for(&seen(&["re_1"]));
        assert!(named(&reads).contains(&("read_refunds_of_charge", "ch_1", "re_1 failed")), "{reads:?}");
    }

    #[test]
    fn a_released_rest_that_only_the_api_version_tells_about_asks_for_the_balance_transaction() {
        let payment = |refunded| {
            let charge = charge(7, 4, &json!({ "amount_captured": 600, "amount_refunded": refunded }));
            facts(json!({ "charges": { "ch_1": charge } }))
        };
        let wanted = [("read_charge", "ch_1", "balance_transaction")];
        assert_eq!(named(&payment(500).missing_for(&seen(&["ch_1"]))), wanted);
        assert!(payment(500).still_calls_for(ReadKind::Charge, "ch_1", BALANCE));
        assert_eq!(payment(400).missing_for(&seen(&["ch_1"])), [], "exactly the rest: the old rendering");
        assert_eq!(payment(0).missing_for(&seen(&["ch_1"])), [], "less than the rest: the new one");
    }

    #[test]
    fn every_kind_is_found_by_its_text() {
        assert!(ReadKind::ALL.into_iter().all(|kind| kind.as_str().parse() == Ok(kind)));
        assert_eq!("refund".parse::<ReadKind>(), Err(()));
    }
}
