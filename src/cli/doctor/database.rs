//! The database: its server, the privileges of the current role, its migrations, and its backlog.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::missed::{self, Newest};
use super::{Finding, Report, consistency, good, role, warning, wrong};
use crate::app::database::{answer, reach};
use crate::app::migrate;
use crate::app::unix_now;
use crate::cli::{grants, service_grants};
use crate::domain::Marks;
use crate::store::health::{self, Access, Backlog, Needs, Oddities, Role, Server};
use crate::store::notices::Health;
use crate::store::session::{self, SILENT, within};
use crate::store::{migrations, notices, settings};
use crate::terminal::count;
use crate::terminal::error_chain::error_chain;

/// The settings that stored data must agree with.
pub(super) struct Given<'a> {
    /// How far the clocks may differ.
    pub tolerance: Duration,
    /// How long before a deadline a reminder is enqueued.
    pub marks: &'a Marks,
    /// The metadata key of the order reference.
    pub order_key: &'a str,
    /// The newest event at Stripe, of each mode with a key.
    pub newest_events: &'a [Newest],
    /// Whether notices are configured.
    pub has_notices: bool,
}

pub(super) async fn look(options: &PgConnectOptions, given: &Given<'_>, report: &mut Report) {
    match reach(options).await {
        Err(error) => report.push(wrong("database", error.to_string())),
        Ok(mut conn) => {
            if let Err(error) = all(&mut conn, options, given, report).await {
                let message =
                    format!("failed during the checks: {}. The remaining checks did not run", error_chain(&error));
                report.push(wrong("database", message));
            }
        }
    }
}

async fn all(
    conn: &mut PgConnection,
    options: &PgConnectOptions,
    given: &Given<'_>,
    report: &mut Report,
) -> sqlx::Result<()> {
    let found = answer(health::server(conn)).await?;
    report.extend(server(&found));
    report.push(encryption(found.tls.as_deref(), options));
    report.push(clock(unix_now().abs_diff(found.now), given.tolerance));
    let (tables, functions) = service_grants::rights();
    let role = answer(health::role(conn, &Needs { tables: &tables, functions: &functions })).await?;
    report.extend(role::look(&role));
    report.extend(session(options, &role).await?);
    let schema = match &role.owner {
        None => None,
        Some(_) if role.enters => answer(health::schema_version(conn)).await?,
        Some(_) => {
            report.push(warning("migrations", "this role may not see them: grant its privileges first"));
            return Ok(());
        }
    };
    report.push(migrated(schema, &answer(migrations::altered(conn)).await?));
    // What follows reads tables that a database further behind does not have, or this role may not read.
    if schema.is_some_and(|version| version >= migrations::required_version()) && role.forbidden.is_empty() {
        report.push(interface(&answer(health::missing(conn, &views(), grants::WORK)).await?));
        report.push(whole(answer(migrations::is_whole(conn)).await?));
        report.extend(backlog(&answer(health::backlog(conn)).await?));
        if given.has_notices {
            report.push(notices(&answer(notices::health(conn)).await?));
        }
        report.extend(oddities(&answer(health::oddities(conn)).await?));
        report.push(order_key(answer(settings::order_key(conn)).await?.as_deref(), given.order_key));
        for newest in given.newest_events {
            report.push(missed::look(conn, newest).await?);
        }
        consistency::look(conn, given.marks, report).await?;
    }
    Ok(())
}

/// What is in force on a connection as the service opens it.
async fn session(options: &PgConnectOptions, role: &Role) -> sqlx::Result<[Finding; 2]> {
    let mut conn = within(session::connect(options, SILENT)).await?;
    let shared = within(session::shared_schemas(&mut conn)).await?;
    Ok([time_limits(within(session::statement_limit(&mut conn)).await?, &role.name), names(&shared, role)])
}

fn names(shared: &[String], Role { name, database, .. }: &Role) -> Finding {
    if shared.is_empty() {
        return good("search path", "the service calls no functions that other roles can create");
    }
    let schemas = shared.join(" and ");
    warning(
        "search path",
        format!(
            "names are looked up in schema {schemas}, where others can create functions that the service would run: a \
             pooler dropped its setting. Run `alter role {name} in database {database} set search_path = pg_catalog`"
        ),
    )
}

fn time_limits(limit: Option<String>, role: &str) -> Finding {
    match limit {
        Some(limit) => good("time limits", format!("the server ends a statement that intake gave up, within {limit}")),
        None => warning(
            "time limits",
            format!(
                "none: a pooler dropped them, so a statement that intake gave up goes on and keeps its locks: run \
                 `alter role {role} set statement_timeout = '30s'`"
            ),
        ),
    }
}

/// None: no service has started yet.
fn order_key(known: Option<&str>, given: &str) -> Finding {
    match known {
        Some(known) if known != given => wrong(
            "order key",
            format!(
                "CLAWBACK_ORDER_KEY is {given}, but the orders of this database were found by {known}, so the service \
                 refuses to start: set it back to {known}, or start once with `clawback serve --order-key-changed`, which rebuilds every payment"
            ),
        ),
        Some(_) => good("order key", format!("{given}, as the orders of this database were found by")),
        None => good("order key", format!("{given}; no service has started on this database yet")),
    }
}

fn whole(is_whole: bool) -> Finding {
    if is_whole {
        return good("foreign keys", "all are there");
    }
    let message = "one is missing, so nothing is processed: a restore is under way, or left it out. Restore again into an empty \
                   database, with --exit-on-error";
    wrong("foreign keys", message)
}

fn notices(health: &Health) -> Finding {
    let Health { retrying, given_up, last_error } = health;
    match last_error {
        Some(error) => wrong(
            "notices",
            format!(
                "{} to be tried again, {} given up within a day: {error}. Check CLAWBACK_NOTIFY_URL",
                count(*retrying, "notice"),
                count(*given_up, "notice")
            ),
        ),
        None => good("notices", "none failed"),
    }
}

fn server(server: &Server) -> Vec<Finding> {
    let says = format!("Postgres {}", server.version / 10_000);
    let check = |check, fine: bool, good_news: &str, bad_news: &str| {
        if fine { good(check, good_news) } else { wrong(check, bad_news) }
    };
    let lossy = "off: events are stored durably all the same, but a crash may undo what consumers completed: \
                 set it to on for this role and database";
    let unsafe_disk = "off: set it to on, or a machine crash loses acknowledged events";
    let committed = format!("{}: a commit is on disk before it is answered", server.synchronous_commit);
    vec![
        check("server", server.version >= 140_000, &says, &format!("{says}: 14 or newer is needed")),
        match server.access {
            Access::ReadWrite => good("writable", server.access.explanation()),
            Access::Standby | Access::ReadOnly => wrong("writable", server.access.explanation()),
        },
        if server.synchronous_commit == "off" {
            warning("synchronous_commit", lossy)
        } else {
            good("synchronous_commit", committed)
        },
        check("fsync", server.fsync, "on", unsafe_disk),
        full_page_writes(server.full_page_writes),
    ]
}

fn full_page_writes(on: bool) -> Finding {
    if on {
        return good("full_page_writes", "on");
    }
    warning("full_page_writes", "off: set it to on, unless the file system guarantees atomic page writes")
}

fn encryption(tls: Option<&str>, options: &PgConnectOptions) -> Finding {
    let host = options.get_host();
    let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match tls {
        Some(version) => good("encryption", version),
        None if near || options.get_socket().is_some() => {
            good("encryption", "none, and none needed: the database is on this machine")
        }
        None => warning(
            "encryption",
            format!(
                "the connection to {host} is not encrypted: add sslmode=verify-full to DATABASE_URL, unless the network is trusted"
            ),
        ),
    }
}

/// The time of a signature is held against this machine's clock; the database's is the second opinion on that.
fn clock(apart: u64, tolerance: Duration) -> Finding {
    let tolerance = tolerance.as_secs();
    let says = format!(
        "this machine's clock and the database's differ by {apart} s; the signature tolerance is {tolerance} s"
    );
    if apart <= tolerance {
        return good("clock", says);
    }
    wrong("clock", format!("{says}: synchronize both by NTP, or signatures are refused"))
}

fn views() -> Vec<&'static str> {
    [grants::VIEWS, grants::PAYLOADS].concat()
}

fn interface(missing: &[String]) -> Finding {
    if missing.is_empty() {
        return good("interface", "clawback_v1 has every view and function");
    }
    let lacks = missing.join(", ");
    wrong("interface", format!("clawback_v1 lacks {lacks}: rename them back, or restore them from a dump"))
}

fn migrated(version: Option<i64>, altered: &[i64]) -> Finding {
    let needed = migrations::required_version();
    match version {
        Some(_) if !altered.is_empty() => wrong("migrations", migrate::altered(altered)),
        Some(version) if version >= needed => good("migrations", format!("at version {version}")),
        Some(version) => {
            wrong("migrations", format!("at version {version}, this binary needs {needed}: run `clawback migrate`"))
        }
        None => wrong("migrations", "never run: run `clawback migrate`"),
    }
}

fn backlog(backlog: &Backlog) -> Vec<Finding> {
    let processing = match backlog.pending_seconds {
        Some(seconds) if seconds > 60 => {
            warning("processing", format!("the oldest event has been pending for {seconds} s: is the service running?"))
        }
        _ => good("processing", "no event has been pending for long"),
    };
    let unlinked = match backlog.unlinked {
        0 => good("payments", "every payment with money in it is linked to an order"),
        unlinked => warning(
            "payments",
            format!(
                "{} not linked to an order: see `clawback payments list --unlinked`, then `clawback payments link PAYMENT ORDER`",
                count(unlinked, "payment")
            ),
        ),
    };
    let events = "`clawback events list --state failed`, then `clawback events replay --state failed --reason WHY`";
    let follow_ups = "`clawback follow-ups list --state dead`, then \
                      `clawback follow-ups requeue --state dead --reason WHY` or \
                      `clawback follow-ups discard --state dead --reason WHY`";
    vec![
        waiting("events", backlog.failed, "failed event", events),
        processing,
        waiting("follow-ups", backlog.dead, "dead follow-up", follow_ups),
        unlinked,
    ]
}

/// What waits for a person, and what to run.
fn waiting(check: &'static str, many: i64, one: &str, see: &str) -> Finding {
    match many {
        0 => good(check, format!("no {one}s")),
        many => warning(check, format!("{}: see {see}", count(many, one))),
    }
}

/// Blocks nothing, but somebody may want to know.
fn oddities(odd: &Oddities) -> [Finding; 2] {
    let noted = match odd.noted {
        0 => good("fields", "no unreadable fields"),
        noted => warning(
            "fields",
            format!(
                "{} processed without fields that could not be read, the newest: {}. \
                 See `clawback events list --noted`",
                count(noted, "event"),
                odd.newest.join("; ")
            ),
        ),
    };
    let vouched = match odd.unvouched_live {
        0 => {
            let test = count(odd.unvouched_test, "test event");
            good("modes", format!("no live events with a mismatched secret; {test} stored separately"))
        }
        live => warning(
            "modes",
            format!(
                "{} signed with a secret labelled `test:` and stored separately: \
                 correct the label, and have Stripe send them again",
                count(live, "live event")
            ),
        ),
    };
    [noted, vouched]
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::super::Level;
    use super::*;

    #[test]
    fn clocks_may_be_apart_as_far_as_a_signature_may_be() {
        let level = |apart| clock(apart, Duration::from_secs(300)).level;
        assert_eq!([0, 300, 301].map(level), [Level::Good, Level::Good, Level::Wrong]);
    }

    #[test]
    fn a_connection_to_another_machine_is_to_be_encrypted() {
        let level =
            |tls: Option<&str>, url: &str| encryption(tls, &PgConnectOptions::from_str(url).expect("a URL")).level;
        assert_eq!(level(None, "postgres://u@db.example.com/db"), Level::Warning);
        assert_eq!(level(Some("TLSv1.3"), "postgres://u@db.example.com/db"), Level::Good);
        for near in ["localhost", "127.0.0.1", "%2Fvar%2Frun%2Fpostgresql"] {
            assert_eq!(level(None, &format!("postgres://u@{near}/db")), Level::Good, "{near}");
        }
    }
}
