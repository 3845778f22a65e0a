//! Settings of the first start, kept in the database.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::ledger::BATCH_LOCK;

/// At the first start, records that whatever happened before is history, and the order key. Returns the order key in use.
pub async fn begin(conn: &mut PgConnection, order_key: &str) -> sqlx::Result<String> {
    sqlx::query!(
        "insert into clawback.settings as s (ask_since, order_key) values (now(), $1)
         on conflict on constraint settings_pkey do update set order_key = excluded.order_key where s.order_key is null",
        order_key
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!(r#"select order_key as "order_key!" from clawback.settings"#).fetch_one(conn).await
}

/// Changes the order key and requests a rebuild of every payment.
pub async fn change_order_key(conn: &mut PgConnection, order_key: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "with changed as (update clawback.settings set order_key = $1)
         insert into clawback.rebuilds (payment_id, ask_since) select payment_id, now() from clawback.payments
         on conflict on constraint rebuilds_pkey do update set ask_since = excluded.ask_since",
        order_key
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records what is sold where nobody says otherwise: `physical`, `digital` or `service`; none: physical.
pub async fn sells(conn: &mut PgConnection, product: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!("update clawback.settings set product_kind = $1 where product_kind is distinct from $1", product)
        .execute(conn)
        .await
        .map(drop)
}

/// Treats nothing as history, however old: for stories that try the service out.
pub async fn treat_nothing_as_history(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.settings (ask_since) values (null)
         on conflict on constraint settings_pkey do update set ask_since = null"
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The order key in use; none before the first start.
pub async fn order_key(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let row = sqlx::query_scalar!("select order_key from clawback.settings").fetch_optional(conn).await?;
    Ok(row.flatten())
}

/// What a restore was recorded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The next id of `order_history`.
    pub history_from: i64,
    /// When one was recorded before.
    pub previously: Option<OffsetDateTime>,
}

/// Records that the database was restored: ids that readers use as cursors go on a million above, refunds wait until
/// missed events were listed, and that is due at once. None before the first start.
pub async fn restored(conn: &mut PgConnection) -> sqlx::Result<Option<Restored>> {
    // Between two batches, so that ids stay in commit order.
    sqlx::query!("select pg_advisory_xact_lock($1)", BATCH_LOCK).execute(&mut *conn).await?;
    let previously = sqlx::query_scalar!("select restored_at from clawback.settings for update");
    let Some(previously) = previously.fetch_optional(&mut *conn).await? else { return Ok(None) };
    let history_from = sqlx::query_scalar!(
        r#"with raised as materialized (
               select name, setval(sequence, nextval(sequence) + 1000000, false) as next
               from (select t.name, pg_get_serial_sequence('clawback.' || t.name, 'id')::regclass as sequence
                     from unnest(array['order_history', 'follow_ups', 'actions']) as t (name)) s
           )
           select max(next) filter (where name = 'order_history') as "next!" from raised"#
    )
    .fetch_one(&mut *conn)
    .await?;
    // A pass that was under way before the restore proves nothing.
    sqlx::query!("delete from clawback.syncs where kind = 'missed'").execute(&mut *conn).await?;
    sqlx::query!("update clawback.settings set restored_at = clock_timestamp()").execute(&mut *conn).await?;
    sqlx::query!(
        "select clawback.record_action('restored', 'database', current_database(), null,
             jsonb_build_object('history_from', $1::bigint))",
        history_from
    )
    .execute(conn)
    .await?;
    Ok(Some(Restored { history_from, previously }))
}
