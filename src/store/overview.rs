//! What the health page shows beyond the gauges.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{api_calls, health};

/// The state of the service, as its database knows it.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// When the newest event from Stripe was received; none: there is none.
    pub newest_event_at: Option<OffsetDateTime>,
    /// The modes that there is an API key for: true is live mode.
    pub keys: Vec<bool>,
    /// The accounts that Stripe was asked about.
    pub accounts: Vec<Account>,
    /// The versions of the rules of the processors that run, one for each.
    pub processors: Vec<i32>,
    /// The newest applied migration.
    pub schema_version: Option<i64>,
}

/// An account at Stripe in one mode, as seen through the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// The start of the last complete listing of missed events; none: there was none.
    pub caught_up_at: Option<OffsetDateTime>,
    /// What keeps calls from succeeding.
    pub problem: Option<String>,
    /// Why the last listing failed.
    pub last_error: Option<String>,
    /// The key has no access to the account any more.
    pub disconnected: bool,
}

/// Reads it.
pub async fn read(conn: &mut PgConnection) -> sqlx::Result<Overview> {
    let newest_event_at = sqlx::query_scalar!(
        "select received_at from clawback.events where type not like 'clawback.%' order by received_at desc limit 1"
    );
    Ok(Overview {
        newest_event_at: newest_event_at.fetch_optional(&mut *conn).await?,
        keys: api_calls::modes(conn).await?,
        accounts: accounts(conn).await?,
        processors: processors(conn).await?,
        schema_version: health::schema_version(conn).await?,
    })
}

/// At most 50: those with a problem first, then those that lag most.
async fn accounts(conn: &mut PgConnection) -> sqlx::Result<Vec<Account>> {
    sqlx::query_as!(
        Account,
        r#"select nullif(s.account, '') as account, s.livemode, a.caught_up_at, a.problem, s.last_error, s.disconnected
           from clawback.syncs s
           join clawback.api_keys k on k.livemode = s.livemode
           left join clawback.api_accounts a on a.account = s.account and a.livemode = s.livemode
           where s.kind = 'missed'
           order by a.problem is null, s.disconnected, a.caught_up_at nulls first, s.account
           limit 50"#
    )
    .fetch_all(conn)
    .await
}

async fn processors(conn: &mut PgConnection) -> sqlx::Result<Vec<i32>> {
    sqlx::query_scalar!(
        "select rules from clawback.processors where seen_at > now() - interval '1 minute' order by rules"
    )
    .fetch_all(conn)
    .await
}
