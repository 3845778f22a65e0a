//! The end as services see it: the views of `clawback_v1`, life by life.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::harness::Database;
use crate::truth::{DisputeTruth, OrderTruthKey, PaymentTruth, RefundTruth, Sums, Truth, WantedTruth, WarningTruth};

const PAYMENTS: &str = "
    select p.payment_id as id, p.order_id, p.account, p.livemode, p.currency, jsonb_build_object('state', p.state,
        'paid', p.amount_paid, 'refunded', p.amount_refunded, 'disputed', p.amount_disputed, 'lost', p.amount_lost,
        'hold', p.hold, 'evidence_due_by', extract(epoch from p.evidence_due_by)::bigint, 'open_disputes',
        (select count(*) from clawback_v1.disputes d where d.payment_id = p.payment_id and d.outcome is null)) as sums
    from clawback_v1.payments p";

const ORDERS: &str = "
    select o.order_id as id, o.order_id, o.account, o.livemode, o.currency, jsonb_build_object('state', o.state,
        'paid', o.amount_paid, 'refunded', o.amount_refunded, 'disputed', o.amount_disputed, 'lost', o.amount_lost,
        'hold', o.hold, 'evidence_due_by', extract(epoch from o.evidence_due_by)::bigint,
        'open_disputes', o.open_disputes) as sums
    from clawback_v1.orders o";

const REFUNDS: &str =
    "select refund_id as id, payment_id, amount, currency, status, is_release from clawback_v1.refunds";

const DISPUTES: &str = "
    select dispute_id as id, payment_id, amount, currency, status, phase, outcome,
        extract(epoch from evidence_due_by)::bigint as evidence_due_by, amount_withdrawn as withdrawn,
        amount_reinstated as reinstated, fee, settlement_currency
    from clawback_v1.disputes";

const WARNINGS: &str = "select warning_id as id, payment_id, charge_id, actionable from clawback_v1.fraud_warnings";

/// When work may begin can be seen until somebody claimed it. `soon` is a minute after it was asked for.
const WANTED: &str = "
    select subject as id, kind, subject, round, extract(epoch from due_at)::bigint as due_at, case
        when state <> 'ready' or attempts > 0 then null
        when kind = 'warn_evidence_due' then extract(epoch from run_at)::bigint::text
        when kind = 'notify_refund' and round <> '' then
            case when run_at >= created_at + interval '1 minute' then 'soon' else 'too early' end
        when run_at <= now() then 'now'
        else 'too late' end as run_at
    from clawback_v1.follow_ups
    where wanted";

/// The rows of one life.
#[derive(Debug, Default)]
pub struct Shown {
    /// All but what is wanted.
    end: Truth,
    wanted: Vec<WantedRow>,
}

#[derive(Debug, Deserialize)]
struct WantedRow {
    kind: String,
    subject: String,
    round: String,
    run_at: Option<String>,
    due_at: Option<i64>,
}

impl Shown {
    /// The end that the rows show, beside the truth that a queue of today's can hold: of warnings already due only the
    /// nearest to the deadline is given.
    pub fn with_truth(self, mut truth: Truth, now: i64) -> (Truth, Truth) {
        let late = |wanted: &WantedTruth| {
            let next = match wanted.round.split('/').nth(1) {
                Some("7d") => 72,
                Some("72h") => 24,
                _ => return false,
            };
            wanted.due_at.is_some_and(|due| due - next * 3_600 <= now)
        };
        truth.wanted.retain(|wanted| wanted.kind != "warn_evidence_due" || !late(wanted));
        let end = self.end(&truth);
        (truth, end)
    }

    /// The end that the rows show. Of follow-ups that were claimed, when work might begin is the truth's.
    fn end(self, truth: &Truth) -> Truth {
        let true_run_at = |row: &WantedRow| {
            let same = |w: &&WantedTruth| (&w.kind, &w.subject, &w.round) == (&row.kind, &row.subject, &row.round);
            truth.wanted.iter().find(same).map(|wanted| wanted.run_at.clone())
        };
        let wanted = self.wanted.into_iter().map(|row| WantedTruth {
            run_at: row.run_at.clone().or_else(|| true_run_at(&row)).unwrap_or_default(),
            kind: row.kind,
            subject: row.subject,
            round: row.round,
            due_at: row.due_at,
        });
        Truth { wanted: wanted.collect(), ..self.end }
    }
}

/// A row by the id that tells whose life it is of.
#[derive(Deserialize)]
struct Keyed<T> {
    id: String,
    #[serde(flatten)]
    row: T,
}

#[derive(Deserialize)]
struct OrderRow {
    #[serde(flatten)]
    key: OrderTruthKey,
    sums: Sums,
}

/// All rows, by the tag of their life.
pub async fn all(db: &Database) -> BTreeMap<String, Shown> {
    let mut lives: BTreeMap<String, Shown> = BTreeMap::new();
    for Keyed { id, row } in rows::<PaymentTruth>(db, PAYMENTS).await {
        life(&mut lives, &id).end.payments.insert(id, row);
    }
    for Keyed { id, row } in rows::<OrderRow>(db, ORDERS).await {
        life(&mut lives, &id).end.orders.insert(row.key, row.sums);
    }
    for Keyed { id, row } in rows::<RefundTruth>(db, REFUNDS).await {
        life(&mut lives, &id).end.refunds.insert(id, row);
    }
    for Keyed { id, row } in rows::<DisputeTruth>(db, DISPUTES).await {
        life(&mut lives, &id).end.disputes.insert(id, row);
    }
    for Keyed { id, row } in rows::<WarningTruth>(db, WARNINGS).await {
        life(&mut lives, &id).end.warnings.insert(id, row);
    }
    for Keyed { id, row } in rows::<WantedRow>(db, WANTED).await {
        life(&mut lives, &id).wanted.push(row);
    }
    lives
}

async fn rows<T: DeserializeOwned>(db: &Database, query: &str) -> Vec<Keyed<T>> {
    let rows = db.rows(query).await.into_iter();
    rows.map(|row| serde_json::from_value(row.clone()).unwrap_or_else(|error| panic!("{error}: {row}"))).collect()
}

/// The life that an id is of: its end says so.
fn life<'a>(lives: &'a mut BTreeMap<String, Shown>, id: &str) -> &'a mut Shown {
    lives.entry(id.rsplit(['_', '-']).next().unwrap_or(id).to_owned()).or_default()
}
