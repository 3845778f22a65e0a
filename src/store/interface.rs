//! What the commands read and do through `clawback_v1`, as any service would.
//!
//! Amounts and times come back as text: these rows are for people.

use sqlx::PgConnection;

/// A row of cells.
pub type Row = Vec<String>;

/// Orders: reference, state, paid, refunded, disputed, lost, hold.
pub async fn orders(conn: &mut PgConnection) -> sqlx::Result<Vec<Row>> {
    sqlx::query_scalar!(
        r#"select array[order_id, state, coalesce(amount_paid::text, '–'), amount_refunded::text, amount_disputed::text,
                  amount_lost::text, currency, case when hold then 'hold' else '' end] as "row!"
           from clawback_v1.orders
           order by order_id"#
    )
    .fetch_all(conn)
    .await
}

/// Disputes: id, order, phase, status, outcome, amount, deadline, time left.
pub async fn disputes(conn: &mut PgConnection) -> sqlx::Result<Vec<Row>> {
    sqlx::query_scalar!(
        r#"select array[dispute_id, coalesce(order_id, '–'), phase, status, coalesce(outcome, 'open'), amount::text,
                  coalesce(to_char(evidence_due_by at time zone 'utc', 'YYYY-MM-DD HH24:MI "UTC"'), '–'),
                  case when outcome is null then coalesce(date_trunc('hour', evidence_due_by - now())::text, '–') else '–' end
                  ] as "row!"
           from clawback_v1.disputes
           order by evidence_due_by nulls last, dispute_id"#
    )
    .fetch_all(conn)
    .await
}

/// Follow-ups that can be claimed: kind, order, subject, due.
pub async fn ready_follow_ups(conn: &mut PgConnection) -> sqlx::Result<Vec<Row>> {
    sqlx::query_scalar!(
        r#"select array[kind, coalesce(order_id, '–'), subject,
                  coalesce(to_char(due_at at time zone 'utc', 'YYYY-MM-DD HH24:MI "UTC"'), '–')] as "row!"
           from clawback_v1.follow_ups
           where state = 'ready' and run_at <= now()
           order by kind, order_id, subject"#
    )
    .fetch_all(conn)
    .await
}

/// Changes of state of one order, oldest first: from, to, event, when it happened.
pub async fn history(conn: &mut PgConnection, order_id: &str) -> sqlx::Result<Vec<Row>> {
    sqlx::query_scalar!(
        r#"select array[coalesce(from_state, '–'), to_state, event_type,
                  coalesce(to_char(event_created_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS'), '–')] as "row!"
           from clawback_v1.order_history
           where order_id = $1
           order by id"#,
        order_id
    )
    .fetch_all(conn)
    .await
}

/// How many events are in each state.
pub async fn event_counts(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select state as "state!", count(*) as "count!" from clawback_v1.events group by state order by state"#
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(|row| (row.state, row.count)).collect())
}

/// Payments that are for no order yet.
pub async fn unlinked_payments(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select payment_id as "payment_id!" from clawback_v1.payments where order_id is null order by payment_id"#
    )
    .fetch_all(conn)
    .await
}

/// Says which order a payment is for.
pub async fn link_payment(conn: &mut PgConnection, payment_id: &str, order_id: &str) -> sqlx::Result<()> {
    sqlx::query!("select clawback_v1.link_payment($1, $2)", payment_id, order_id).execute(conn).await.map(drop)
}
