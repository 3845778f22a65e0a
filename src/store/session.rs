//! Connections whose waits end on the server too, and on which nobody else's functions run.
//!
//! A client that gives up leaves its statement running, with its locks, and one that vanishes leaves its session. So the
//! server is asked to end both. Not here: the shorter limits of a transaction, which it sets for itself.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::sqlstate;

/// How long an answer to a short statement, or to connecting, is waited for. It is reached when the network is silent.
pub const SILENT: Duration = Duration::from_secs(5);
/// A client that is gone ends its statement within a second, one that cannot be reached its session within some twenty.
const OF_CLIENT: [(&str, &str); 5] = [
    ("client_connection_check_interval", "1s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "3"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];
/// Where names without a schema are looked up. With a schema in which others may create, such as `public`, a function or
/// operator of theirs that fits the arguments better than the server's would run with the rights of the service
/// (CVE-2018-1058).
const SEARCH_PATH: (&str, &str) = ("search_path", "pg_catalog,pg_temp");

/// Connects, and asks the server to end each statement after this time.
///
/// A transaction pooler keeps no settings for a session and refuses them, or drops them silently: then the settings of the
/// role are in force, which `clawback doctor` looks at.
///
/// # Errors
/// Any error of the database.
pub async fn connect(database: &PgConnectOptions, statement: Duration) -> sqlx::Result<PgConnection> {
    let limits = [("statement_timeout", statement.as_millis())];
    match with_own_names(database).options(OF_CLIENT).options(limits).connect().await {
        Err(error) if refuses_settings(&error) => open(database).await,
        connected => connected,
    }
}

/// Connects without limits, for work of any length. [`connect`] says what a pooler does.
///
/// # Errors
/// Any error of the database.
pub async fn open(database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    match with_own_names(database).connect().await {
        Err(error) if refuses_settings(&error) => database.connect().await,
        connected => connected,
    }
}

/// A pool that opens connections when they are needed. The first of them finds out whether settings are kept.
#[must_use]
pub fn pool(settings: PgPoolOptions, database: &PgConnectOptions) -> PgPool {
    let (of, keeps_settings) = (database.clone(), Arc::new(OnceCell::new()));
    let settings = settings.after_connect(move |conn, _| {
        let (of, keeps_settings) = (of.clone(), Arc::clone(&keeps_settings));
        Box::pin(async move {
            if *keeps_settings.get_or_try_init(|| keeps(&of)).await? { use_own_names(conn).await } else { Ok(()) }
        })
    });
    settings.connect_lazy_with(database.clone())
}

/// Whether a connection keeps what it asks for at its start. One of a transaction pooler does not: what is set on it
/// later would be in force for another client.
async fn keeps(database: &PgConnectOptions) -> sqlx::Result<bool> {
    match with_own_names(database).connect().await {
        Err(error) if refuses_settings(&error) => Ok(false),
        Err(error) => Err(error),
        Ok(mut conn) => {
            let kept = search_path(&mut conn).await? == SEARCH_PATH.1;
            conn.close().await?;
            Ok(kept)
        }
    }
}

/// Looks names up among the server's own from now on. Only for a connection that no other client uses.
///
/// # Errors
/// Any error of the database.
pub async fn use_own_names(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_catalog.set_config('search_path', $1, false)", SEARCH_PATH.1)
        .fetch_one(conn)
        .await
        .map(drop)
}

async fn search_path(conn: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar!(r#"select pg_catalog.current_setting('search_path') as "path!""#).fetch_one(conn).await
}

fn with_own_names(database: &PgConnectOptions) -> PgConnectOptions {
    database.clone().options([SEARCH_PATH])
}

/// By a pooler (protocol violation), or by a server on a system that lacks one of them.
fn refuses_settings(error: &sqlx::Error) -> bool {
    sqlstate::is_any(error, &["08P01", "22023"])
}

/// The schemas in which this connection looks up names and others may create functions, and who may; none where the
/// connection has its own path.
///
/// # Errors
/// Any error of the database.
pub async fn shared_schemas(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select n.nspname::text as "name!" from pg_catalog.pg_namespace n
           where n.nspname = any (pg_catalog.current_schemas(false)) and n.nspname <> 'pg_catalog'
               and exists (select from pg_catalog.aclexplode(
                       coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
                   where a.privilege_type = 'CREATE' and a.grantee <> (
                       select r.oid from pg_catalog.pg_roles r where r.rolname = current_user))
           order by 1"#
    )
    .fetch_all(conn)
    .await
}

/// After what time the server ends a statement of this connection, as it writes it; none: it never does.
///
/// # Errors
/// Any error of the database.
pub async fn statement_limit(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select nullif(current_setting('statement_timeout'), '0')").fetch_one(conn).await
}

/// Waits for an answer for at most [`SILENT`]. The connection must not be used again when it is late.
///
/// # Errors
/// Those of the statement, and `TimedOut`.
pub async fn within<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(SILENT, answer).await.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())))
}
