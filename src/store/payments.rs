//! Payments, and the Stripe objects they own: written from a payment's facts.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;
use sqlx::types::Json;

use super::column;
use crate::domain::history::{PaymentStanding, Standing};
use crate::domain::{Balance, Capture, Facts, OrderKey, Payment, Scope, State, Tally};

/// A payment's row to write.
#[derive(Debug)]
pub struct PaymentRow<'a> {
    /// The columns that services see.
    pub payment: &'a Payment,
    /// The facts.
    pub facts: &'a Facts,
    /// The version of the rules that derived it.
    pub rules: i32,
}

/// A stored payment.
#[derive(Clone, Debug)]
pub struct StoredPayment {
    /// Its id.
    pub payment_id: String,
    /// The facts; none when they cannot be read.
    pub facts: Option<Facts>,
    /// The version of the rules that derived it.
    pub rules: i32,
    /// Its row.
    pub row: PaymentStanding,
}

/// The payment that each of these objects belongs to; objects not seen before are missing.
pub async fn owners(conn: &mut PgConnection, object_ids: &[String]) -> sqlx::Result<HashMap<String, String>> {
    let rows = sqlx::query!(
        "select object_id, payment_id from clawback.payment_objects where object_id = any($1)",
        object_ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.object_id, row.payment_id)).collect())
}

/// Locks the stored ones of these payments in id order. Rows that others hold are left out; a row that only a new
/// follow-up references is not.
pub async fn lock(conn: &mut PgConnection, payment_ids: &[String]) -> sqlx::Result<Vec<StoredPayment>> {
    let rows = sqlx::query!(
        r#"select payment_id, facts, rules, orphan, order_id, nullif(account, '') as account, livemode,
                  nullif(currency, '') as currency, state, amount_paid, amount_refunded, amount_disputed, amount_lost,
                  open_disputes, hold, extract(epoch from evidence_due_by)::bigint as evidence_due_by
           from clawback.payments
           where payment_id = any($1)
           order by payment_id
           for no key update skip locked"#,
        payment_ids
    )
    .fetch_all(conn)
    .await?;
    let payments = rows.into_iter().map(|row| {
        let balance = Balance {
            amount_paid: row.amount_paid,
            amount_refunded: row.amount_refunded,
            amount_disputed: row.amount_disputed,
            amount_lost: row.amount_lost,
            open_disputes: row.open_disputes,
            hold: row.hold,
            evidence_due_by: row.evidence_due_by,
        };
        let standing = Standing {
            scope: Scope { account: row.account, livemode: row.livemode },
            currency: row.currency,
            state: row.state.parse().unwrap_or(State::Unknown),
            balance,
        };
        let row_shown = PaymentStanding { orphan: row.orphan, order_id: row.order_id, standing };
        StoredPayment {
            payment_id: row.payment_id,
            facts: serde_json::from_str(&row.facts).ok(),
            rules: row.rules,
            row: row_shown,
        }
    });
    Ok(payments.collect())
}

/// The facts of the stored ones of these payments, without locks. None: made by other rules than this version's, or
/// unreadable.
pub async fn facts(
    conn: &mut PgConnection,
    payment_ids: &[String],
    rules: i32,
) -> sqlx::Result<HashMap<String, Option<Facts>>> {
    let rows = sqlx::query!(
        r#"select payment_id, case when rules = $2 then facts end as facts
           from clawback.payments where payment_id = any($1)"#,
        payment_ids,
        rules
    )
    .fetch_all(conn)
    .await?;
    let facts = |json: Option<String>| serde_json::from_str(&json?).ok();
    Ok(rows.into_iter().map(|row| (row.payment_id, facts(row.facts))).collect())
}

/// The stored ones of these payments, locked or not. Only the processor adds or removes payments.
pub async fn stored(conn: &mut PgConnection, payment_ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select payment_id from clawback.payments where payment_id = any($1)", payment_ids)
        .fetch_all(conn)
        .await
}

/// The sums of the payments of these orders, except the payments `aside`. One row for each order, without facts: an
/// order can have very many payments.
pub async fn tallies(
    conn: &mut PgConnection,
    order_ids: &[String],
    aside: &[String],
) -> sqlx::Result<BTreeMap<OrderKey, Tally>> {
    let rows = sqlx::query!(
        r#"select order_id as "order_id!", nullif(account, '') as account, livemode, nullif(currency, '') as currency,
                  -- The sum of no known amount is null, which `least` would ignore.
                  case when sum(amount_paid) is not null then least(sum(amount_paid), 9223372036854775807) end::bigint
                      as amount_paid,
                  least(sum(amount_refunded), 9223372036854775807)::bigint as "amount_refunded!",
                  least(sum(amount_disputed), 9223372036854775807)::bigint as "amount_disputed!",
                  least(sum(amount_lost), 9223372036854775807)::bigint as "amount_lost!",
                  -- At most what was paid, for each payment, as in `Balance::returned`.
                  least(sum(least(amount_refunded::numeric + amount_lost, coalesce(amount_paid, 0))),
                        9223372036854775807)::bigint as "returned!",
                  least(sum(open_disputes), 2147483647)::integer as "open_disputes!", bool_or(hold) as "hold!",
                  extract(epoch from min(evidence_due_by))::bigint as evidence_due_by,
                  array_agg(distinct state) as "states!"
           from clawback.payments
           -- Not `<> all ($2)`, which compares each payment of a large order with each of these.
           where order_id = any($1) and payment_id not in (select unnest($2::text[]))
           group by order_id, account, livemode, currency"#,
        order_ids,
        aside
    )
    .fetch_all(conn)
    .await?;
    let tallies = rows.into_iter().map(|row| {
        let key =
            OrderKey { order_id: row.order_id, account: row.account, livemode: row.livemode, currency: row.currency };
        let balance = Balance {
            amount_paid: row.amount_paid,
            amount_refunded: row.amount_refunded,
            amount_disputed: row.amount_disputed,
            amount_lost: row.amount_lost,
            open_disputes: row.open_disputes,
            hold: row.hold,
            evidence_due_by: row.evidence_due_by,
        };
        (
            key,
            Tally {
                balance,
                returned: row.returned,
                states: row.states.iter().filter_map(|word| word.parse().ok()).collect(),
            },
        )
    });
    Ok(tallies.collect())
}

/// Writes the rows that differ from the stored ones.
pub async fn save(conn: &mut PgConnection, rows: &[PaymentRow<'_>]) -> sqlx::Result<()> {
    let facts = rows.iter().map(|row| document(row.facts)).collect::<sqlx::Result<Vec<String>>>()?;
    sqlx::query!(
        "with derived as (
             select r.payment_id, r.facts, r.orphan, r.order_id, r.account, r.livemode, r.currency, r.charge_id,
                    r.amount, r.amount_paid, r.amount_refunded, r.amount_disputed, r.amount_lost, r.state, r.hold,
                    r.open_disputes, to_timestamp(r.evidence_due_by) as evidence_due_by, r.rules, r.payment_method,
                    r.failure_code, r.cancellation_reason, r.captures
             from unnest(
                 $1::text[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[],
                 $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::boolean[],
                 $16::integer[], $17::bigint[], $18::integer[], $19::text[], $20::text[], $21::text[], $22::jsonb[]
             ) as r (payment_id, facts, orphan, order_id, account, livemode, currency, charge_id, amount, amount_paid,
                     amount_refunded, amount_disputed, amount_lost, state, hold, open_disputes, evidence_due_by, rules,
                     payment_method, failure_code, cancellation_reason, captures)
         )
         insert into clawback.payments as p
             (payment_id, facts, orphan, order_id, account, livemode, currency, charge_id, amount, amount_paid,
              amount_refunded, amount_disputed, amount_lost, state, hold, open_disputes, evidence_due_by,
              rules, payment_method, failure_code, cancellation_reason, captures)
         select d.* from derived d
         -- Compared first: an upsert would lock and log every row. Columns that are not derived are not compared.
         where not exists (
             select from clawback.payments p
             where p.payment_id = d.payment_id
                 and (p.facts, p.rules, p.orphan, p.order_id, p.account, p.livemode, p.currency, p.charge_id, p.amount,
                      p.amount_paid, p.amount_refunded, p.amount_disputed, p.amount_lost, p.state, p.hold,
                      p.open_disputes, p.evidence_due_by, p.payment_method, p.failure_code, p.cancellation_reason,
                      p.captures)
                     is not distinct from
                     (d.facts, d.rules, d.orphan, d.order_id, d.account, d.livemode, d.currency, d.charge_id, d.amount,
                      d.amount_paid, d.amount_refunded, d.amount_disputed, d.amount_lost, d.state, d.hold,
                      d.open_disputes, d.evidence_due_by, d.payment_method, d.failure_code, d.cancellation_reason,
                      d.captures)
             -- Looked up one by one: a plan made while the table was empty may otherwise join it whole.
             offset 0)
         on conflict on constraint payments_pkey do update
         set facts = excluded.facts, rules = excluded.rules, orphan = excluded.orphan, order_id = excluded.order_id,
             account = excluded.account, livemode = excluded.livemode, currency = excluded.currency,
             charge_id = excluded.charge_id, amount = excluded.amount, amount_paid = excluded.amount_paid,
             amount_refunded = excluded.amount_refunded, amount_disputed = excluded.amount_disputed,
             amount_lost = excluded.amount_lost, state = excluded.state, hold = excluded.hold,
             open_disputes = excluded.open_disputes, evidence_due_by = excluded.evidence_due_by,
             payment_method = excluded.payment_method, failure_code = excluded.failure_code,
             cancellation_reason = excluded.cancellation_reason, captures = excluded.captures,
             updated_at = case
                 when (p.order_id, p.account, p.livemode, p.currency, p.charge_id, p.amount, p.amount_paid,
                       p.amount_refunded, p.amount_disputed, p.amount_lost, p.state, p.hold, p.evidence_due_by,
                       p.payment_method, p.failure_code, p.cancellation_reason)
                     is distinct from
                      (excluded.order_id, excluded.account, excluded.livemode, excluded.currency, excluded.charge_id,
                       excluded.amount, excluded.amount_paid, excluded.amount_refunded, excluded.amount_disputed,
                       excluded.amount_lost, excluded.state, excluded.hold, excluded.evidence_due_by,
                       excluded.payment_method, excluded.failure_code, excluded.cancellation_reason)
                 then excluded.updated_at else p.updated_at end",
        &column(rows, |row| row.payment.payment_id.as_str()) as &[&str],
        &facts,
        &column(rows, |row| row.payment.orphan),
        &column(rows, |row| row.payment.order_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.payment.scope.account.as_deref().unwrap_or_default()) as &[&str],
        &column(rows, |row| row.payment.scope.livemode),
        &column(rows, |row| row.payment.currency.as_deref().unwrap_or_default()) as &[&str],
        &column(rows, |row| row.payment.charge_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.payment.amount) as &[Option<i64>],
        &column(rows, |row| row.payment.balance.amount_paid) as &[Option<i64>],
        &column(rows, |row| row.payment.balance.amount_refunded),
        &column(rows, |row| row.payment.balance.amount_disputed),
        &column(rows, |row| row.payment.balance.amount_lost),
        &column(rows, |row| row.payment.state.into()) as &[&str],
        &column(rows, |row| row.payment.balance.hold),
        &column(rows, |row| row.payment.balance.open_disputes),
        &column(rows, |row| row.payment.balance.evidence_due_by) as &[Option<i64>],
        &column(rows, |row| row.rules),
        &column(rows, |row| row.payment.payment_method.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.payment.failure_code.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.payment.cancellation_reason.as_deref()) as &[Option<&str>],
        &column(rows, |row| Json(&row.payment.captures)) as &[Json<&Vec<Capture>>],
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Facts as they are stored.
fn document(facts: &Facts) -> sqlx::Result<String> {
    serde_json::to_string(facts).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Marks the successors of pruned payments as pruned; parallel lists.
pub async fn move_pruned(conn: &mut PgConnection, removed: &[&str], successors: &[&str]) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.payments p set pruned = true
         from unnest($1::text[], $2::text[]) as moved (removed, successor)
         join clawback.payments g on g.payment_id = moved.removed and g.pruned
         where p.payment_id = moved.successor and not p.pruned",
        removed as _,
        successors as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes merged payments. Everything that referenced them was moved before.
pub async fn remove(conn: &mut PgConnection, payment_ids: &[&str]) -> sqlx::Result<()> {
    sqlx::query!("delete from clawback.payments where payment_id = any($1)", payment_ids as _)
        .execute(conn)
        .await
        .map(drop)
}

/// Which payment owns an object.
#[derive(Debug)]
pub struct Owner<'a> {
    /// Its id.
    pub object_id: &'a str,
    /// The payment that holds or names it.
    pub payment_id: &'a str,
    /// Stripe's name for this kind of object.
    pub kind: &'a str,
    /// The object itself was seen, not only its id.
    pub is_held: bool,
}

/// Writes the owners of objects. An object that several payments name belongs to the one that holds it, else to the
/// first; one of the payments `touched` may lose it.
pub async fn save_owners(conn: &mut PgConnection, touched: &[&str], owners: &[Owner<'_>]) -> sqlx::Result<()> {
    sqlx::query!(
        "with owners as (
             select distinct on (h.object_id) h.*
             from unnest($2::text[], $3::text[], $4::text[], $5::boolean[]) as h (object_id, payment_id, kind, is_held)
             order by h.object_id, h.is_held desc, h.payment_id
         )
         insert into clawback.payment_objects (object_id, payment_id, kind)
         select h.object_id, h.payment_id, h.kind
         from owners h
         left join lateral (
             select o.payment_id, o.kind from clawback.payment_objects o where o.object_id = h.object_id
             offset 0 -- Looked up one by one: see `save`.
         ) o on true
         where (o.payment_id, o.kind) is distinct from (h.payment_id, h.kind)
             and (h.is_held or o.payment_id is null or o.payment_id = any($1))
         on conflict on constraint payment_objects_pkey do update
         set payment_id = excluded.payment_id, kind = excluded.kind",
        touched as _,
        &column(owners, |owner| owner.object_id) as &[&str],
        &column(owners, |owner| owner.payment_id) as &[&str],
        &column(owners, |owner| owner.kind) as &[&str],
        &column(owners, |owner| owner.is_held),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes the stored owners among these payments of objects that are not among `known`.
pub async fn remove_owners(conn: &mut PgConnection, payment_ids: &[&str], known: &[&str]) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from clawback.payment_objects
         where payment_id = any($1) and object_id not in (select unnest($2::text[]))",
        payment_ids as _,
        known as _
    )
    .execute(conn)
    .await
    .map(drop)
}
