//! An error and its sources, on one line.

use std::error::Error;
use std::io::{self, ErrorKind};

use sqlx::error::DatabaseError;

/// Each message once, the outermost first: most errors repeat their source. Of a database error the message only, since
/// sqlx adds a line of the server's source; of a lost connection what happened, not how the driver met it.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut chain = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let (text, source) = match error.downcast_ref() {
            Some(sqlx::Error::Database(refusal)) => (refused(refusal.as_ref()), None),
            Some(sqlx::Error::Io(error)) => (lost(error), None),
            _ => (error.to_string(), error.source()),
        };
        if !chain.contains(&text) {
            chain = if chain.is_empty() { text } else { format!("{chain}: {text}") };
        }
        next = source;
    }
    chain
}

fn refused(refusal: &dyn DatabaseError) -> String {
    match refusal.code().as_deref() {
        // An unknown schema, table, column or function: our own statements name none that a migration does not create.
        Some("3F000" | "42P01" | "42703" | "42883") => {
            let remedy = "the database is not migrated to the schema of this version: run `clawback migrate`";
            format!("{}: {remedy}", refusal.message())
        }
        Some(_) | None => refusal.message().to_owned(),
    }
}

fn lost(error: &io::Error) -> String {
    let what = match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused",
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            "the server closed the connection"
        }
        ErrorKind::TimedOut => "no answer",
        _ => return format!("no connection to the database: {error}"),
    };
    format!("no connection to the database: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_one_plain_phrase_and_a_repeated_source_stands_once() {
        let eof =
            sqlx::Error::Io(io::Error::new(ErrorKind::UnexpectedEof, "expected to read 5 bytes, got 0 bytes at EOF"));
        let chain = anyhow::Error::new(eof).context("cannot list events");
        let text = error_chain(chain.as_ref());
        assert_eq!(text, "cannot list events: no connection to the database: the server closed the connection");
        let repeated = anyhow::anyhow!("disk full").context("cannot write: disk full");
        assert_eq!(error_chain(repeated.as_ref()), "cannot write: disk full");
    }
}
