//! What `doctor` needs to derive everything again and compare. Reads only.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

/// A stored payment: its facts, and the rows that were derived from them, times in unix seconds.
#[derive(Debug)]
pub struct StoredPayment {
    /// The payment's id.
    pub payment_id: String,
    /// Its facts, as stored: one damaged document must not hide the others.
    pub facts: String,
    /// Its own row.
    pub row: Value,
    /// Its refunds, disputes, fraud warnings and wanted follow-ups, by what a person would call them.
    pub objects: Json<BTreeMap<String, Value>>,
}

/// The next 500 payments after an id, by id. With all that belongs to them in one statement, so that it is of one
/// moment. The service's own follow-ups (`stripe_…`) are not from the state.
pub async fn payments_after(conn: &mut PgConnection, payment_id: &str) -> sqlx::Result<Vec<StoredPayment>> {
    sqlx::query_as!(
        StoredPayment,
        r#"select p.payment_id, p.facts,
                  jsonb_build_object('orphan', p.orphan, 'order_id', p.order_id, 'account', nullif(p.account, ''),
                      'livemode', p.livemode, 'currency', nullif(p.currency, ''), 'charge_id', p.charge_id,
                      'amount', p.amount, 'amount_paid', p.amount_paid, 'amount_refunded', p.amount_refunded,
                      'amount_disputed', p.amount_disputed, 'amount_lost', p.amount_lost, 'state', p.state,
                      'hold', p.hold, 'open_disputes', p.open_disputes, 'payment_method', p.payment_method,
                      'failure_code', p.failure_code, 'cancellation_reason', p.cancellation_reason, 'captures', p.captures,
                      'evidence_due_by', extract(epoch from p.evidence_due_by)::bigint) as "row!",
                  (select coalesce(jsonb_object_agg(o.name, o.content), '{}') from (
                       select 'refund ' || r.refund_id as name,
                              to_jsonb(r) - '{created_at,updated_at}'::text[]
                                  || jsonb_build_object('created', extract(epoch from r.created_at)::bigint) as content
                       from clawback.refunds r
                       where r.payment_id = p.payment_id
                       union all
                       select 'dispute ' || d.dispute_id,
                              to_jsonb(d) - '{created_at,updated_at}'::text[]
                                  || jsonb_build_object('created', extract(epoch from d.created_at)::bigint,
                                      'evidence_due_by', extract(epoch from d.evidence_due_by)::bigint)
                       from clawback.disputes d
                       where d.payment_id = p.payment_id
                       union all
                       select 'fraud warning ' || w.warning_id,
                              to_jsonb(w) - '{created_at,updated_at}'::text[]
                                  || jsonb_build_object('created', extract(epoch from w.created_at)::bigint)
                       from clawback.fraud_warnings w
                       where w.payment_id = p.payment_id
                       union all
                       select 'review ' || v.review_id,
                              to_jsonb(v) - '{created_at,updated_at}'::text[]
                                  || jsonb_build_object('created', extract(epoch from v.created_at)::bigint)
                       from clawback.reviews v
                       where v.payment_id = p.payment_id
                       union all
                       select concat_ws(' ', 'follow-up', f.kind, f.subject, nullif(f.round, '')), '{}'
                       from clawback.follow_ups f
                       where f.payment_id = p.payment_id and f.wanted and not f.from_refusal
                   ) o) as "objects!: Json<BTreeMap<String, Value>>"
           from clawback.payments p
           where p.payment_id > $1
           order by p.payment_id
           limit 500"#,
        payment_id
    )
    .fetch_all(conn)
    .await
}

/// Payments with more refunded than paid. No CHECK can forbid it: a refund may arrive before its charge.
pub async fn refunded_above_paid(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select payment_id from clawback.payments where amount_refunded > amount_paid order by payment_id"
    )
    .fetch_all(conn)
    .await
}

/// Orders whose amounts are not the sums of their payments, and references of payments without an order.
pub async fn orders_that_do_not_add_up(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"with sums as (
               select order_id, account, livemode, currency, sum(amount_paid) as paid, sum(amount_refunded) as refunded,
                      sum(amount_disputed) as disputed, sum(amount_lost) as lost, bool_or(hold) as hold,
                      sum(open_disputes) as open_disputes, min(evidence_due_by) as due
               from clawback.payments
               where order_id is not null
               group by order_id, account, livemode, currency
           )
           select coalesce(o.order_id, s.order_id) as "order_id!"
           from clawback.orders o
           full join sums s using (order_id, account, livemode, currency)
           where (o.amount_paid, o.amount_refunded, o.amount_disputed, o.amount_lost, o.hold, o.open_disputes,
                  o.evidence_due_by)
               is distinct from (s.paid, s.refunded, s.disputed, s.lost, s.hold, s.open_disputes, s.due)
           order by 1"#
    )
    .fetch_all(conn)
    .await
}

/// How many payments lack the body of an event.
pub async fn pruned(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from clawback.payments where pruned"#).fetch_one(conn).await
}
