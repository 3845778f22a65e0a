//! What a database error means to the user of a command, and what to do about it.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use super::disputes::fields;
use super::grants;
use crate::terminal::error_chain::error_chain;
use crate::terminal::escaped;

/// Adds what to do where the error tells; otherwise the error as it is.
pub(super) fn explained(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Database(refusal)) => match refusal.code().as_deref() {
            Some("42501") => {
                let remedy = remedy(refusal.message());
                anyhow::anyhow!("{}: {remedy}", error_chain(error.as_ref()))
            }
            // An unknown schema, table, column or function.
            Some("3F000" | "42P01" | "42703" | "42883") => {
                anyhow::anyhow!("the database is not migrated to the schema of this version: run `clawback migrate`")
            }
            // What our functions refuse, in words for the caller.
            Some("22023" | "23505" | "40001" | "55000" | "CB409" | "P0002") => refused(refusal.as_ref()),
            _ => error,
        },
        Some(sqlx::Error::Io(cause)) => anyhow::anyhow!("lost the connection to the database: {cause}"),
        Some(_) | None => error,
    }
}

/// Said by every command that is given an unknown dispute.
pub(super) fn unknown_dispute(dispute_id: &str) -> anyhow::Error {
    let dispute_id = escaped(dispute_id);
    anyhow::anyhow!("no dispute {dispute_id}: `clawback disputes list` lists those that were received")
}

/// The message, and the hint if there is one, in the words of the commands.
fn refused(refusal: &dyn DatabaseError) -> anyhow::Error {
    let hint = refusal.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::hint);
    said(refusal.message(), hint)
}

fn said(message: &str, hint: Option<&str>) -> anyhow::Error {
    let between = |before: &str, after: &str| message.strip_prefix(before)?.strip_suffix(after);
    if let Some(dispute_id) = between("dispute ", " is unknown") {
        return unknown_dispute(dispute_id);
    }
    if let Some(meant) = between("", " is no evidence field").and_then(fields::nearest) {
        return anyhow::anyhow!("{message}: did you mean {meant}?");
    }
    match hint {
        Some(hint) => anyhow::anyhow!("{message}. {}", in_commands(message, hint)),
        None => anyhow::anyhow!("{message}"),
    }
}

/// A hint that speaks of functions and columns, in the words of the commands.
fn in_commands(message: &str, hint: &str) -> String {
    // A message about an evidence field begins with its name.
    let field = message.split(' ').next().unwrap_or_default();
    hint.replace("attach_evidence_file", "`clawback disputes attach`")
        .replace("stage_evidence", "`clawback disputes stage`")
        .replace("Remove it with null", &format!("Remove it with `--unset {field}`"))
        .replace("counts: column held of dispute_responses", "counts: `clawback disputes show` lists it")
}

/// What gives the right that a role lacks. The database names what it refused last in its message, as in `permission
/// denied for view orders`.
fn remedy(message: &str) -> String {
    const OWNER: &str = "connect as the owner of schema clawback";
    let mut words = message.rsplit(' ');
    let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match grants::option_for(kind, name) {
        Some(option) => format!("run what `clawback grants ROLE {option}` prints for this role, or {OWNER}"),
        None => OWNER.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{remedy, said};

    #[test]
    fn a_hint_names_commands_and_not_functions() {
        for (message, hint, words) in [
            (
                "receipt takes a file",
                "Attach it with attach_evidence_file.",
                "Attach it with `clawback disputes attach`.",
            ),
            ("receipt takes text", "Stage it with stage_evidence.", "Stage it with `clawback disputes stage`."),
            ("service_date is empty", "Remove it with null.", "Remove it with `--unset service_date`."),
            ("recipt is no evidence field", "docs/DISPUTES.md lists the fields.", "field: did you mean receipt?"),
            ("kitten is no evidence field", "docs/DISPUTES.md lists the fields.", "docs/DISPUTES.md lists the fields."),
            ("dispute dp_1 is unknown", "", "no dispute dp_1: `clawback disputes list` lists those that were received"),
        ] {
            let said = said(message, Some(hint)).to_string();
            assert!(said.ends_with(words), "{said}");
        }
    }

    #[test]
    fn a_refusal_names_the_option_that_grants_the_right() {
        for (message, option) in [
            ("permission denied for view orders", Some("--read")),
            ("permission denied for schema clawback_v1", Some("--read")),
            ("permission denied for function find", Some("--read")),
            ("permission denied for view event_payloads", Some("--payloads")),
            ("permission denied for function requeue_follow_up", Some("--work")),
            ("permission denied for view dispute_responses", Some("--respond")),
            ("permission denied for function submit_evidence", Some("--respond")),
            ("permission denied for table orders", None),
            ("permission denied for schema clawback", None),
        ] {
            let remedy = remedy(message);
            let said =
                ["--read", "--payloads", "--work", "--respond"].into_iter().find(|option| remedy.contains(option));
            assert_eq!((said, remedy.contains("connect as the owner of schema clawback")), (option, true), "{message}");
        }
    }
}
