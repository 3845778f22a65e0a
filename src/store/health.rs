//! What a database says of itself. Not here: whether that is good enough.

use sqlx::PgConnection;

/// The newest migration that was applied, or none on a database that was never migrated.
///
/// # Errors
///
/// Any error of the database.
pub async fn schema_version(conn: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    // Not checked at compile time: the table is made by the migrator, not by a migration.
    let version =
        sqlx::query_scalar("select max(version) from clawback.migrations where success").fetch_one(conn).await;
    match version {
        Err(sqlx::Error::Database(error)) if is_unknown_table(error.code().as_deref()) => Ok(None),
        other => other,
    }
}

/// `undefined_table`. A schema that does not exist is reported by the same code.
fn is_unknown_table(code: Option<&str>) -> bool {
    code == Some("42P01")
}

/// What a database says of its server and of the current role.
#[derive(Debug)]
pub struct Server {
    /// As in 150004.
    pub version: i32,
    /// Whether commits reach the disk.
    pub fsync: bool,
    /// The role this connection acts as.
    pub role: String,
    /// Private tables that this role may not read and write.
    pub forbidden: Vec<String>,
}

/// Looks at the server and at the privileges of the current role.
///
/// # Errors
///
/// Any error of the database.
pub async fn server(conn: &mut PgConnection) -> Result<Server, sqlx::Error> {
    sqlx::query_as!(
        Server,
        r#"select current_setting('server_version_num')::int as "version!", current_setting('fsync')::bool as "fsync!",
                  current_user::text as "role!",
                  array(select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
                        where n.nspname = 'clawback' and c.relkind = 'r' and c.relname <> 'migrations'
                            and not (has_schema_privilege(n.oid, 'usage')
                                and has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
                                and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))
                        order by 1) as "forbidden!""#
    )
    .fetch_one(conn)
    .await
}

/// Work that waits for a person or for too long.
#[derive(Debug)]
pub struct Backlog {
    /// Events that could not be processed.
    pub failed: i64,
    /// Follow-ups whose attempts are used up.
    pub dead: i64,
    /// How long the oldest event has been pending, in seconds; none when none is.
    pub pending_seconds: Option<i64>,
}

/// Looks for work that waits.
///
/// # Errors
///
/// Any error of the database.
pub async fn backlog(conn: &mut PgConnection) -> Result<Backlog, sqlx::Error> {
    sqlx::query_as!(
        Backlog,
        r#"select (select count(*) from clawback.failed_events) as "failed!",
                  (select count(*) from clawback.follow_ups where state = 'dead') as "dead!",
                  (select extract(epoch from now() - min(e.received_at))::bigint
                   from clawback.pending_events p join clawback.events e using (event_id)) as pending_seconds"#
    )
    .fetch_one(conn)
    .await
}
