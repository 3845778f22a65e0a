//! Settings of the first start, kept in the database.

use sqlx::PgConnection;

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
