//! The service's tables, simulated: what a batch loads and what it stores.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clawback::apply::working_set::{LoadedPayment, Stored, WorkingSet};
use clawback::domain::history::{Change, PaymentStanding, Standing, Subject};
use clawback::domain::{
    Derived, Desired, DisputeState, Facts, Marks, Order, OrderKey, Payment, RefundState, RunAt, Tally, WarningState,
    derive,
};
use clawback::handlers::{Reading, read};

use crate::chance::Dice;
use crate::life::Event;
use crate::queue::Queue;
use crate::truth::{DisputeTruth, OrderTruthKey, PaymentTruth, RefundTruth, Sums, Truth, WantedTruth, WarningTruth};

/// The sums of a payment or of an order.
macro_rules! sums {
    ($row:expr) => {
        Sums {
            state: <&str>::from($row.state).to_owned(),
            paid: $row.balance.amount_paid,
            refunded: $row.balance.amount_refunded,
            disputed: $row.balance.amount_disputed,
            lost: $row.balance.amount_lost,
            hold: $row.balance.hold,
            open_disputes: usize::try_from($row.balance.open_disputes).expect("a count"),
            evidence_due_by: $row.balance.evidence_due_by,
        }
    };
}

/// Rows by their keys. Facts are kept as the text that a database would keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    facts: BTreeMap<String, String>,
    pub payments: BTreeMap<String, Payment>,
    pub orders: BTreeMap<OrderKey, Order>,
    pub refunds: BTreeMap<String, RefundState>,
    pub disputes: BTreeMap<String, DisputeState>,
    pub warnings: BTreeMap<String, WarningState>,
    owners: HashMap<String, String>,
    pub wanted: BTreeMap<String, Vec<Desired>>,
    /// A mirror kept by reading the history.
    mirror: BTreeMap<Subject, Standing>,
}

/// An event as the reader understood it.
pub struct ReadEvent {
    pub id: String,
    object: Option<String>,
    facts: Facts,
}

impl ReadEvent {
    /// Reads an event; every event of a life is one that the service reads.
    pub fn of(event: &Event) -> Result<Self, String> {
        match read(&event.id, &event.body, "order_id") {
            Ok(Reading::Facts(facts, ..)) => Ok(Self { id: event.id.clone(), object: object_id(&event.body), facts }),
            Ok(Reading::Ignored(reason)) => Err(format!("{} was ignored: {reason}", event.body)),
            Err(unreadable) => Err(format!("{} was not read: {unreadable}", event.body)),
        }
    }
}

impl Tables {
    /// The tables after these batches, with consumers at work in between.
    pub fn after(batches: &[Vec<&ReadEvent>], dice: &mut Dice) -> Result<Truth, String> {
        let (mut tables, mut queue) = (Self::default(), Queue::default());
        for batch in batches {
            let working_set = tables.fold(batch)?;
            queue.reconcile(&working_set, |payment_id| tables.facts.contains_key(payment_id));
            tables.save(&working_set);
            queue.consume(dice);
        }
        tables.check()?;
        queue.check(tables.asked())?;
        Ok(tables.end())
    }

    /// The tables after one more batch.
    pub fn with(&self, batch: &[&ReadEvent]) -> Result<Self, String> {
        let mut tables = self.clone();
        let working_set = tables.fold(batch)?;
        tables.save(&working_set);
        tables.check()?;
        Ok(tables)
    }

    fn fold(&mut self, events: &[&ReadEvent]) -> Result<WorkingSet, String> {
        let mut working_set = self.load(events);
        for event in events {
            for change in working_set.fold(event.object.as_deref(), event.facts.clone()).changes {
                self.reflect(change)?;
            }
        }
        Ok(working_set)
    }

    /// A row of the history starts where the previous one ended, and records a change.
    fn reflect(&mut self, Change { subject, from, to }: Change) -> Result<(), String> {
        let known = self.mirror.remove(&subject);
        if known != from || from == to {
            return Err(format!("WRONG: {subject:?} was {known:?}, but the history goes from {from:?} to {to:?}"));
        }
        self.mirror.extend(to.map(|to| (subject, to)));
        Ok(())
    }

    /// The payments that the events touch, and the sums of all others of their orders.
    fn load(&self, events: &[&ReadEvent]) -> WorkingSet {
        let named: BTreeSet<&str> = events.iter().flat_map(|event| event.facts.ids()).collect();
        let owners: HashMap<String, String> =
            named.iter().filter_map(|id| Some(((*id).to_owned(), self.owners.get(*id)?.clone()))).collect();
        let affected = events.iter().flat_map(|event| WorkingSet::affected(&event.facts, &owners));
        let stored: BTreeMap<String, Facts> =
            affected.filter_map(|id| Some((id.to_owned(), self.stored(id)?))).collect();
        let standing = |id: &str| PaymentStanding::from(&self.payments[id]);
        let rows: Vec<PaymentStanding> = stored.keys().map(|id| standing(id)).collect();
        let refs: BTreeSet<&str> = events
            .iter()
            .map(|event| &event.facts)
            .chain(stored.values())
            .flat_map(Facts::order_refs)
            .chain(rows.iter().filter_map(|row| row.order_id.as_deref()))
            .collect();
        let mut others: BTreeMap<OrderKey, Tally> = BTreeMap::new();
        for payment in self.payments.values().filter(|payment| !stored.contains_key(&payment.payment_id)) {
            let Some(key) = payment.order_key().filter(|key| refs.contains(key.order_id.as_str())) else { continue };
            let tally = others.remove(&key).into_iter().chain([Tally::of(payment)]).reduce(Tally::plus);
            others.extend(tally.map(|tally| (key, tally)));
        }
        let orders = self.orders.values().filter(|order| refs.contains(order.key.order_id.as_str())).cloned().collect();
        let payments = stored.into_iter().map(|(payment_id, facts)| LoadedPayment {
            row: standing(&payment_id),
            payment_id,
            facts,
            rebuilt: false,
        });
        WorkingSet::new(Stored { payments: payments.collect(), owners, orders, others, marks: Marks::default() })
    }

    fn stored(&self, payment_id: &str) -> Option<Facts> {
        self.facts.get(payment_id).map(|text| serde_json::from_str(text).expect("facts come back as they went"))
    }

    fn save(&mut self, working_set: &WorkingSet) {
        for (facts, derived) in working_set.payments() {
            let id = &derived.payment.payment_id;
            let text = serde_json::to_string(facts).expect("facts can be written");
            self.facts.insert(id.clone(), text);
            self.payments.insert(id.clone(), derived.payment.clone());
            self.owners.extend(facts.held_ids().map(|object| (object.clone(), id.clone())));
            self.refunds.extend(derived.refunds.iter().map(|refund| (refund.refund_id.clone(), refund.clone())));
            self.disputes.extend(derived.disputes.iter().map(|d| (d.dispute_id.clone(), d.clone())));
            self.warnings.extend(derived.warnings.iter().map(|w| (w.warning_id.clone(), w.clone())));
            self.wanted.insert(id.clone(), derived.desired.clone());
        }
        for removed in working_set.removed() {
            self.facts.remove(removed);
            self.payments.remove(removed);
            self.wanted.remove(removed);
        }
        self.orders.extend(working_set.orders().into_iter().map(|order| (order.key.clone(), order)));
        working_set.removed_orders().into_iter().for_each(|key| drop(self.orders.remove(key)));
    }

    /// Derived again from the stored facts, every payment is what its row says.
    fn check(&self) -> Result<(), String> {
        for (id, payment) in &self.payments {
            let Derived { payment: again, desired: wanted, .. } =
                derive(id, &self.stored(id).expect("a row has facts"));
            if again != *payment || wanted != self.wanted[id] {
                return Err(format!("the row of {id} is not what its facts say: {payment:?} is not {again:?}"));
            }
        }
        self.check_mirror()
    }

    /// A mirror kept from the history alone is what the rows show.
    fn check_mirror(&self) -> Result<(), String> {
        let orders = self.orders.values().map(|order| (Subject::Order(order.key.clone()), Standing::from(order)));
        let unlinked = self.payments.values().filter(|payment| payment.order_id.is_none() && !payment.orphan);
        let unlinked = unlinked
            .map(|payment| (Subject::Payment(payment.payment_id.clone()), PaymentStanding::from(payment).standing));
        let shown: BTreeMap<Subject, Standing> = orders.chain(unlinked).collect();
        if self.mirror == shown {
            Ok(())
        } else {
            Err(format!("WRONG: the mirror has {:?} for {shown:?}", self.mirror))
        }
    }

    /// The follow-ups that each payment desires.
    fn asked(&self) -> impl Iterator<Item = (&Payment, &Desired)> {
        self.wanted.iter().flat_map(|(id, all)| all.iter().map(|one| (&self.payments[id], one)))
    }

    fn end(&self) -> Truth {
        let payments = self.payments.values().filter(|payment| !payment.orphan);
        Truth {
            payments: payments.map(|payment| (payment.payment_id.clone(), self.payment(payment))).collect(),
            orders: self.orders.values().map(|order| (order_key(&order.key), order_sums(order))).collect(),
            refunds: self.refunds.iter().map(|(id, refund)| (id.clone(), self.refund(refund))).collect(),
            disputes: self.disputes.iter().map(|(id, dispute)| (id.clone(), dispute_row(dispute))).collect(),
            warnings: self.warnings.iter().map(|(id, warning)| (id.clone(), warning_row(warning))).collect(),
            wanted: self.wanted.values().flatten().map(wanted_row).collect(),
        }
    }

    fn payment(&self, payment: &Payment) -> PaymentTruth {
        PaymentTruth {
            order_id: payment.order_id.clone(),
            account: payment.scope.account.clone(),
            livemode: payment.scope.livemode,
            currency: payment.currency.clone(),
            sums: sums!(payment),
        }
    }

    fn refund(&self, row: &RefundState) -> RefundTruth {
        RefundTruth {
            payment_id: Some(row.payment_id.clone()).filter(|id| !self.payments[id].orphan),
            amount: row.refund.amount,
            currency: row.refund.currency.clone(),
            status: row.refund.status.clone(),
            is_release: row.is_release,
        }
    }
}

fn object_id(body: &str) -> Option<String> {
    let event: serde_json::Value = serde_json::from_str(body).expect("a body is JSON");
    event["data"]["object"]["id"].as_str().map(str::to_owned)
}

fn order_key(key: &OrderKey) -> OrderTruthKey {
    let OrderKey { order_id, account, livemode, currency } = key.clone();
    OrderTruthKey { order_id, account, livemode, currency }
}

fn order_sums(order: &Order) -> Sums {
    sums!(order)
}

fn dispute_row(row: &DisputeState) -> DisputeTruth {
    let word = |value: serde_json::Value| value.as_str().map(str::to_owned);
    DisputeTruth {
        payment_id: row.payment_id.clone(),
        amount: row.dispute.amount,
        currency: row.dispute.currency.clone(),
        status: row.dispute.status.clone(),
        phase: <&str>::from(row.phase).to_owned(),
        outcome: row.outcome.and_then(|outcome| word(serde_json::json!(outcome))),
        evidence_due_by: row.evidence_due_by,
        withdrawn: row.amount_withdrawn,
        reinstated: row.amount_reinstated,
        fee: row.fee,
        settlement_currency: row.settlement_currency.clone(),
    }
}

fn warning_row(row: &WarningState) -> WarningTruth {
    WarningTruth {
        payment_id: row.payment_id.clone(),
        charge_id: row.charge_id.clone().unwrap_or_default(),
        actionable: row.warning.actionable.expect("derived"),
    }
}

fn wanted_row(wanted: &Desired) -> WantedTruth {
    let run_at = match wanted.run_at {
        RunAt::Now => "now".to_owned(),
        RunAt::After(_) => "soon".to_owned(),
        RunAt::At(at) => at.to_string(),
    };
    let (subject, round, due_at) = (wanted.subject.clone(), wanted.round.clone(), wanted.due_at);
    WantedTruth { kind: wanted.kind.to_owned(), subject, round, run_at, due_at }
}
