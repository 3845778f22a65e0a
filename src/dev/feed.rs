//! What `clawback dev` prints while it runs: one line for each event, with what it changed.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::time::sleep;

use crate::store::feed::{self, Change, Processed};
use crate::terminal::error_chain::error_chain;
use crate::terminal::{self, count, escaped, say};

/// A batch becomes visible when it commits, with the time at which it began: never so much later.
const LATE: Duration = Duration::from_secs(10);

/// How often new lines are looked for.
const POLL: Duration = Duration::from_millis(250);

/// The lines printed so far, and a connection to read what is new.
pub(crate) struct Feed {
    database: PgConnectOptions,
    /// None after an error: the next reading connects again.
    conn: Option<PgConnection>,
    /// The time of the newest event that was printed.
    newest: OffsetDateTime,
    /// What was printed of the last seconds. An event that is processed again is another line.
    printed: HashSet<(String, OffsetDateTime)>,
}

impl Feed {
    /// Begins with what is processed from now on.
    pub(crate) async fn start(database: &PgConnectOptions) -> sqlx::Result<Self> {
        let mut conn = database.connect().await?;
        let newest = feed::now(&mut conn).await?;
        let before = feed::processed_since(&mut conn, newest - LATE).await?;
        let printed = before.into_iter().map(|event| (event.event_id, event.at)).collect();
        Ok(Self { database: database.clone(), conn: Some(conn), newest, printed })
    }

    /// Prints new lines until it is dropped. A lost connection is reported once, and made again.
    pub(crate) async fn follow(&mut self) -> Infallible {
        let mut is_told = false;
        loop {
            match self.print_new().await {
                Ok(()) => is_told = false,
                Err(error) if !is_told => {
                    terminal::tell(&format!("cannot read processed events, retrying: {}", error_chain(&error)));
                    is_told = true;
                }
                Err(_) => {}
            }
            sleep(POLL).await;
        }
    }

    /// Prints a line for each event that was processed since the last call.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn print_new(&mut self) -> sqlx::Result<()> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.database.connect().await?,
        };
        let events = feed::processed_since(&mut conn, self.newest - LATE).await?;
        self.conn = Some(conn);
        for event in events {
            if self.printed.insert((event.event_id.clone(), event.at)) {
                self.newest = self.newest.max(event.at);
                say!("{}", line(&event));
            }
        }
        let oldest = self.newest - LATE;
        self.printed.retain(|(_, at)| *at > oldest);
        Ok(())
    }
}

fn line(event: &Processed) -> String {
    let clock = event.at.format(format_description!("[hour]:[minute]:[second]Z")).unwrap_or_default();
    escaped(&format!("{clock}  {:<36} {}  {}", event.event_type, event.event_id, result(event)))
}

fn result(event: &Processed) -> String {
    let reason = event.reason.as_deref();
    if event.state != "processed" {
        return format!("{}: {}", event.state, reason.unwrap_or("no reason given"));
    }
    let mut parts: Vec<String> = event.changes.iter().map(change).collect();
    if parts.is_empty() {
        parts.push("no change".to_owned());
    }
    if event.follow_ups > 0 {
        parts.push(count(event.follow_ups, "follow-up"));
    }
    parts.extend(reason.map(str::to_owned));
    parts.join(", ")
}

fn change(Change { of, from, to }: &Change) -> String {
    match (from.as_deref(), to.as_deref()) {
        (Some(from), Some(to)) if from == to => format!("{of}: {to}, amounts or deadline changed"),
        (Some(from), Some(to)) => format!("{of}: {from} → {to}"),
        (None, Some(to)) => format!("{of}: {to}"),
        (_, None) => format!("{of}: now part of another order or payment"),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::types::Json;

    use super::*;

    fn event(state: &str, reason: Option<&str>, changes: Vec<Change>, follow_ups: i64) -> Processed {
        Processed {
            event_id: "evt_1".to_owned(),
            event_type: "charge.refunded".to_owned(),
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
            at: OffsetDateTime::UNIX_EPOCH,
            changes: Json(changes),
            follow_ups,
        }
    }

    fn change(of: &str, from: Option<&str>, to: Option<&str>) -> Change {
        Change { of: of.to_owned(), from: from.map(str::to_owned), to: to.map(str::to_owned) }
    }

    #[test]
    fn a_line_has_time_type_id_and_what_changed() {
        let changes = vec![change("order-7", Some("paid"), Some("disputed"))];
        let said = line(&event("processed", None, changes, 2));
        let start = format!("00:00:00Z  {:<36} evt_1  ", "charge.refunded");
        assert_eq!(said, start + "order-7: paid → disputed, 2 follow-ups");
    }

    #[test]
    fn a_result_says_what_happened_in_every_case() {
        let cases = [
            (event("ignored", Some("nothing here reads it"), vec![], 0), "ignored: nothing here reads it"),
            (event("failed", Some("no amount"), vec![], 0), "failed: no amount"),
            (event("processed", None, vec![], 0), "no change"),
            (event("processed", None, vec![], 1), "no change, 1 follow-up"),
            (event("processed", None, vec![change("o", None, Some("paid"))], 0), "o: paid"),
            (
                event("processed", Some("taken as absent: reason"), vec![change("o", Some("paid"), Some("paid"))], 0),
                "o: paid, amounts or deadline changed, taken as absent: reason",
            ),
            (
                event("processed", None, vec![change("pi_1", Some("paid"), None), change("o", None, Some("paid"))], 0),
                "pi_1: now part of another order or payment, o: paid",
            ),
        ];
        for (event, said) in cases {
            assert_eq!(result(&event), said);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let changes = vec![change("o\u{1b}[2J\n7", None, Some("paid"))];
        assert!(line(&event("processed", None, changes, 0)).ends_with("o\\u{1b}[2J\\n7: paid"));
    }
}
