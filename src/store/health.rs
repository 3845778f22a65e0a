//! What a server and its database report about themselves. Not here: whether that is good enough.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::sqlstate;

/// The newest applied migration; none on a database that was never migrated.
///
/// # Errors
///
/// Any error of the database.
pub async fn schema_version(conn: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    // Not checked at compile time: the table is made by the migrator, not by a migration.
    let version =
        sqlx::query_scalar("select max(version) from clawback.migrations where success").fetch_one(conn).await;
    match version {
        // `undefined_table`; a missing schema has the same code.
        Err(error) if sqlstate::is_any(&error, &["42P01"]) => Ok(None),
        other => other,
    }
}

/// Whether a server takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It does.
    ReadWrite,
    /// It is a standby: writes belong on its primary.
    Standby,
    /// Its transactions are read-only by setting.
    ReadOnly,
}

impl Access {
    fn new(in_recovery: bool, read_only: bool) -> Self {
        match (in_recovery, read_only) {
            (true, _) => Self::Standby,
            (false, true) => Self::ReadOnly,
            (false, false) => Self::ReadWrite,
        }
    }

    /// What it is, and how to change that.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::ReadWrite => "the server is a primary and not read-only",
            Self::Standby => "the server is a standby: point DATABASE_URL at the primary, or promote it",
            Self::ReadOnly => {
                "transactions are read-only: set default_transaction_read_only = off for this server, database or role"
            }
        }
    }
}

/// Asks the server whether it takes writes.
///
/// # Errors
/// Any error of the database.
pub async fn access(conn: &mut PgConnection) -> Result<Access, sqlx::Error> {
    let server = sqlx::query!(
        r#"select pg_is_in_recovery() as "in_recovery!", current_setting('transaction_read_only')::boolean as "read_only!""#
    );
    let server = server.fetch_one(conn).await?;
    Ok(Access::new(server.in_recovery, server.read_only))
}

/// A server's settings.
#[derive(Debug)]
pub struct Server {
    /// As in 150004.
    pub version: i32,
    /// Whether it takes writes.
    pub access: Access,
    /// `off`: commits are acknowledged before they are on disk.
    pub synchronous_commit: String,
    /// Whether writes reach the disk.
    pub fsync: bool,
    /// Whether a page torn by a crash can be repaired.
    pub full_page_writes: bool,
    /// The TLS version of this connection; none: it is not encrypted.
    pub tls: Option<String>,
    /// Its clock, in unix seconds.
    pub now: i64,
}

/// Reads the server's settings.
///
/// # Errors
///
/// Any error of the database.
pub async fn server(conn: &mut PgConnection) -> Result<Server, sqlx::Error> {
    let row = sqlx::query!(
        r#"select current_setting('server_version_num')::int as "version!",
                  current_setting('synchronous_commit') as "synchronous_commit!",
                  current_setting('fsync')::bool as "fsync!",
                  current_setting('full_page_writes')::bool as "full_page_writes!",
                  (select version from pg_stat_ssl where ssl and pid = pg_backend_pid()) as tls,
                  floor(extract(epoch from clock_timestamp()))::bigint as "now!""#
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok(Server {
        version: row.version,
        access: access(conn).await?,
        synchronous_commit: row.synchronous_commit,
        fsync: row.fsync,
        full_page_writes: row.full_page_writes,
        tls: row.tls,
        now: row.now,
    })
}

/// The rights that a service needs.
#[derive(Debug)]
pub struct Needs<'a> {
    /// Tables of schema `clawback`, each with a right to it.
    pub tables: &'a [(&'a str, &'a str)],
    /// Functions of schema `clawback` to execute.
    pub functions: &'a [&'a str],
}

/// What the current role is, and may do. Names are quoted where Postgres wants them quoted.
#[derive(Debug)]
pub struct Role {
    /// The role this connection acts as.
    pub name: String,
    /// It is a superuser.
    pub superuser: bool,
    /// The database.
    pub database: String,
    /// It may create schemas there.
    pub creates: bool,
    /// Who owns schema `clawback`; none: there is no such schema.
    pub owner: Option<String>,
    /// It is that owner, or a member of it.
    pub owns: bool,
    /// It may use both schemas and see which migrations ran.
    pub enters: bool,
    /// Schemas of the two that it may not use.
    pub closed: Vec<String>,
    /// Private tables to which it lacks rights of the service, with those rights, and private functions that it may not
    /// call.
    pub forbidden: Vec<String>,
    /// Others who may read private tables, the roles of the service and the console aside.
    pub onlookers: Vec<String>,
}

/// Looks at the current role. Reads nothing but the catalogue, which every role may.
///
/// # Errors
///
/// Any error of the database.
pub async fn role(conn: &mut PgConnection, needs: &Needs<'_>) -> Result<Role, sqlx::Error> {
    let (tables, privileges): (Vec<&str>, Vec<&str>) = needs.tables.iter().copied().unzip();
    sqlx::query_as!(
        Role,
        r#"with mine as (
               select oid, nspowner from pg_namespace where nspname = 'clawback'
           ), tables as (
               select c.* from pg_class c join mine on mine.oid = c.relnamespace where c.relkind = 'r'
           )
           select quote_ident(current_user) as "name!",
                  (select rolsuper from pg_roles where rolname = current_user) as "superuser!",
                  quote_ident(current_database()) as "database!",
                  has_database_privilege(current_database(), 'create') as "creates!",
                  (select quote_ident(pg_get_userbyid(nspowner)) from mine) as owner,
                  coalesce((select pg_has_role(nspowner, 'usage') from mine), false) as "owns!",
                  coalesce((select bool_and(has_schema_privilege(oid, 'usage')) from pg_namespace
                            where nspname in ('clawback', 'clawback_v1')), false)
                      and coalesce((select has_table_privilege(oid, 'select') from tables
                                    where relname = 'migrations'), true) as "enters!",
                  array(select nspname::text from pg_namespace
                        where nspname in ('clawback', 'clawback_v1') and not has_schema_privilege(oid, 'usage')
                        order by 1) as "closed!",
                  -- An older schema may lack some. A right to columns counts, and there is none to delete.
                  array(select 'clawback.' || t.relname || ' (' || string_agg(n.privilege, ', ' order by n.place) || ')'
                        from unnest($1::text[], $2::text[]) with ordinality as n (name, privilege, place)
                        join tables t on t.relname = n.name
                        where not case n.privilege when 'delete' then has_table_privilege(t.oid, n.privilege)
                            else has_any_column_privilege(t.oid, n.privilege) end
                        group by t.relname
                        union all
                        select 'clawback.' || p.proname || '()' from unnest($3::text[]) as f (name)
                        join pg_proc p on p.proname = f.name join mine on mine.oid = p.pronamespace
                        where not has_function_privilege(p.oid, 'execute')
                        order by 1) as "forbidden!",
                  -- Whoever stores rows as the service does runs it, or whoever may open sessions is the console.
                  array(select distinct case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
                        from tables t cross join aclexplode(t.relacl) a
                        where a.privilege_type = 'SELECT' and a.grantee <> t.relowner
                            and a.grantee <> (select oid from pg_roles where rolname = current_user)
                            and not exists (select from tables s cross join aclexplode(s.relacl) c
                                where s.relname in ('console_sessions', 'order_history') and c.privilege_type = 'INSERT'
                                    and c.grantee = a.grantee)
                        order by 1) as "onlookers!""#,
        &tables as _,
        &privileges as _,
        needs.functions as _
    )
    .fetch_one(conn)
    .await
}

/// Those of these views and functions that `clawback_v1` does not have.
///
/// # Errors
///
/// Any error of the database.
pub async fn missing(conn: &mut PgConnection, views: &[&str], functions: &[&str]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select name as "name!" from unnest($1::text[]) name where to_regclass('clawback_v1.' || name) is null
           union all
           select name from unnest($2::text[]) name where to_regprocedure('clawback_v1.' || name) is null"#,
        views as _,
        functions as _
    )
    .fetch_all(conn)
    .await
}

/// Work that waits for a person, or has waited for long.
#[derive(Debug)]
pub struct Backlog {
    /// Events that could not be processed.
    pub failed: i64,
    /// Dead follow-ups.
    pub dead: i64,
    /// Payments with money in them that are linked to no order.
    pub unlinked: i64,
    /// Age of the oldest pending event in seconds; none when none is pending.
    pub pending_seconds: Option<i64>,
}

/// Events worth a look, which block nothing.
#[derive(Debug)]
pub struct Oddities {
    /// Processed, with unreadable fields.
    pub noted: i64,
    /// The newest of them with those fields, at most three.
    pub newest: Vec<String>,
    /// Test events signed with a secret for live mode.
    pub unvouched_test: i64,
    /// Live events signed with a secret for test mode.
    pub unvouched_live: i64,
}

/// Reads the oddities.
///
/// # Errors
///
/// Any error of the database.
pub async fn oddities(conn: &mut PgConnection) -> Result<Oddities, sqlx::Error> {
    sqlx::query_as!(
        Oddities,
        r#"with noted as (
               select seq, event_id || ' ' || last_error as line from clawback.events
               where state = 'processed' and last_error is not null
           ), unvouched as (
               select u.livemode from clawback.unvouched_events u
               where not exists (select from clawback.events e where e.event_id = u.event_id)
           )
           select (select count(*) from noted) as "noted!",
                  array(select line from noted order by seq desc limit 3) as "newest!",
                  (select count(*) from unvouched where not livemode) as "unvouched_test!",
                  (select count(*) from unvouched where livemode) as "unvouched_live!""#
    )
    .fetch_one(conn)
    .await
}

/// What the ledger knows of an event at Stripe.
#[derive(Debug)]
pub struct Received {
    /// Whether it was received.
    pub known: bool,
    /// When the newest event of its mode was created, of those from Stripe; none when there is none.
    pub newest: Option<OffsetDateTime>,
}

/// Looks an event up, and the newest one of its mode.
///
/// # Errors
///
/// Any error of the database.
pub async fn received(conn: &mut PgConnection, event_id: &str, livemode: bool) -> Result<Received, sqlx::Error> {
    sqlx::query_as!(
        Received,
        r#"select exists (select from clawback.events where event_id = $1) as "known!",
                  (select created_at from clawback.events
                   where livemode = $2 and account is null and type not like 'clawback.%'
                   order by received_at desc limit 1) as newest"#,
        event_id,
        livemode
    )
    .fetch_one(conn)
    .await
}

/// Reads the backlog.
///
/// # Errors
///
/// Any error of the database.
pub async fn backlog(conn: &mut PgConnection) -> Result<Backlog, sqlx::Error> {
    sqlx::query_as!(
        Backlog,
        r#"select (select count(*) from clawback.failed_events) as "failed!",
                  (select count(*) from clawback.follow_ups where state = 'dead') as "dead!",
                  (select count(*) from clawback.payments
                   where order_id is null and not orphan and amount_paid is distinct from 0) as "unlinked!",
                  (select extract(epoch from now() - min(since))::bigint
                   from clawback.pending_events) as pending_seconds"#
    )
    .fetch_one(conn)
    .await
}
