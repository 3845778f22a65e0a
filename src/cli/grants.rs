//! `clawback grants`: the statements that give a role what it needs of `clawback_v1`.

use clap::Args;

use super::service_grants::SERVICE;
use crate::terminal;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["read", "work", "refund", "respond", "payloads", "console", "service"]))]
pub(crate) struct Grants {
    /// The database role
    role: String,
    /// Read every view without personal data, and look up ids
    #[arg(long)]
    read: bool,
    /// Complete, requeue and discard follow-ups, link payments, replay events, dismiss fraud warnings
    #[arg(long)]
    work: bool,
    /// Request refunds and cancel requests
    #[arg(long)]
    refund: bool,
    /// Stage, submit and read evidence, accept disputes: personal data
    #[arg(long)]
    respond: bool,
    /// Read event bodies and who paid: personal data
    #[arg(long)]
    payloads: bool,
    /// Run the console: keep its sessions, name the person who acts, and read what its pages show beyond the views
    #[arg(long)]
    console: bool,
    /// Run the service with CLAWBACK_MIGRATE=false: everything it does, but no change of the schema
    #[arg(long)]
    service: bool,
}

pub(super) const VIEWS: &[&str] = &[
    "orders",
    "payments",
    "refunds",
    "disputes",
    "fraud_warnings",
    "reviews",
    "order_history",
    "events",
    "follow_ups",
    "refund_requests",
    "actions",
    "dispute_outcomes",
    "dispute_ratios",
];
/// Only reads.
const FIND: &str = "find(text)";
pub(super) const PAYLOADS: &[&str] = &["event_payloads", "payment_people"];
pub(super) const WORK: &[&str] = &[
    "claim_follow_ups(text, text[], integer, interval, boolean)",
    "complete_follow_up(bigint, uuid, jsonb)",
    "fail_follow_up(bigint, uuid, text, interval)",
    "give_up_follow_up(bigint, uuid, text)",
    "snooze_follow_up(bigint, uuid, timestamptz)",
    "extend_follow_up(bigint, uuid, interval)",
    "requeue_follow_up(bigint, text, boolean)",
    "discard_follow_up(bigint, text)",
    "link_payment(text, text)",
    "replay_event(text, text)",
    "dismiss_warning(text, text)",
];
pub(super) const REFUND: &[&str] = &[
    "request_refund(text, text, bigint, text)",
    "request_payment_refund(text, text, bigint, text)",
    "cancel_refund_request(uuid, text)",
];

pub(super) const RESPOND: &[&str] = &[
    "stage_evidence(text, jsonb, bigint)",
    "attach_evidence_file(text, text, text, text, bytea, bigint)",
    "detach_evidence_file(text, text, bigint)",
    "submit_evidence(text, bigint)",
    "accept_dispute(text, bigint)",
];
/// Evidence holds personal data.
const RESPONSES: &str = "dispute_responses";

/// What the console needs of the private schema: its sessions and the audit trail, and without personal data what
/// [`crate::store::queries`] and [`crate::store::gauges`] read there.
const CONSOLE: &[&str] = &[
    "usage on schema clawback",
    "select, insert, update, delete on clawback.console_sessions",
    "execute on function clawback.record_action(text, text, text, text, jsonb)",
    "execute on function clawback.why_closed(clawback.disputes)",
    "execute on function clawback.evidence_called_for(text, text)",
    "select on clawback.disputes",
    "select (payment_id, orphan, order_id, account, livemode, amount_paid, evidence_due_by, facts) on clawback.payments",
    "select on clawback.payment_objects",
    "select (type, received_at) on clawback.events",
    "select (event_id, since) on clawback.pending_events",
    "select (event_id) on clawback.failed_events",
    "select (kind, state, run_at) on clawback.follow_ups",
    "select (dispute_id, phase, state, livemode, page_limit) on clawback.dispute_responses",
    "select (product_kind) on clawback.settings",
    "select (state, created_at) on clawback.api_calls",
    "select on clawback.api_accounts",
    "select on clawback.api_keys",
    "select on clawback.syncs",
    "select on clawback.processors",
    "select on clawback.retention",
    "select on clawback.migrations",
];
/// What it needs besides to look up payments by e-mail address.
const CONSOLE_PAYLOADS: &[&str] = &["select on clawback.people"];
/// What it needs besides to show what a submission sends, and to return files.
const CONSOLE_RESPOND: &[&str] = &[
    "select (version, attempt, fields, staged_fields, baseline, former_method, is_manual) on clawback.dispute_responses",
    "select on clawback.evidence_files",
];
/// What it needs besides to fill a draft from bodies.
const CONSOLE_DRAFT: &[&str] = &[
    "select (event_id, seq, object_id, payment_id, account, livemode, created_at, state) on clawback.events",
    "select on clawback.event_payloads",
    "select (charge_id) on clawback.fraud_warnings",
    "select (letter), update (letter) on clawback.dispute_responses",
    "execute on function clawback.stage_compelling_evidence(text, text)",
];

/// The option that grants the right to a `view`, `function` or `schema` of `clawback_v1`; none when no option does.
pub(super) fn option_for(kind: &str, name: &str) -> Option<&'static str> {
    let is_in = |functions: &[&str]| functions.iter().any(|function| function.split('(').next() == Some(name));
    match kind {
        "view" if PAYLOADS.contains(&name) => Some("--payloads"),
        "view" if name == RESPONSES => Some("--respond"),
        "view" if VIEWS.contains(&name) => Some("--read"),
        "function" if is_in(WORK) => Some("--work"),
        "function" if is_in(REFUND) => Some("--refund"),
        "function" if is_in(RESPOND) => Some("--respond"),
        "function" if is_in(&[FIND]) => Some("--read"),
        "schema" if name == "clawback_v1" => Some("--read"),
        _ => None,
    }
}

pub(crate) fn run(args: &Grants) -> anyhow::Result<()> {
    anyhow::ensure!(!args.role.is_empty() && !args.role.contains('\0'), "the role needs a name");
    terminal::print(format_args!("{}", statements(args)));
    Ok(())
}

fn statements(args: &Grants) -> String {
    let role = quoted(&args.role);
    let select = |view: &str| format!("grant select on clawback_v1.{view} to {role};\n");
    let execute = |function: &&str| format!("grant execute on function clawback_v1.{function} to {role};\n");
    let mut statements = connect(&args.role) + &format!("grant usage on schema clawback_v1 to {role};\n");
    if args.read {
        statements.extend(VIEWS.iter().map(|view| select(view)));
        statements.push_str(&execute(&FIND));
    }
    if args.work {
        statements.extend(WORK.iter().map(execute));
    }
    if args.refund {
        statements.extend(REFUND.iter().map(execute));
        statements.push_str(&select("refund_requests"));
    }
    if args.respond {
        statements.extend(RESPOND.iter().map(execute));
        statements.push_str(&select(RESPONSES));
    }
    if args.payloads {
        statements.extend(PAYLOADS.iter().map(|view| select(view)));
    }
    if args.console {
        let needs = [
            (CONSOLE, true),
            (CONSOLE_PAYLOADS, args.payloads),
            (CONSOLE_RESPOND, args.respond),
            (CONSOLE_DRAFT, args.respond && args.payloads),
        ];
        let private = needs.iter().filter(|(_, is_needed)| *is_needed).flat_map(|(needs, _)| *needs);
        statements.extend(private.map(|right| format!("grant {right} to {role};\n")));
    }
    if args.service {
        statements.extend(SERVICE.iter().map(|right| format!("grant {right} to {role};\n")));
    }
    statements
}

/// Public may have lost its right to connect. `grant` wants the database's name, which only the database knows.
fn connect(role: &str) -> String {
    // Without a dollar sign, which could end the block.
    let role = role.replace('\'', "''").replace('$', "' || chr(36) || '");
    format!("do $$ begin execute format('grant connect on database %I to %I', current_database(), '{role}'); end $$;\n")
}

/// An identifier in double quotes, as Postgres reads it.
fn quoted(role: &str) -> String {
    format!("\"{}\"", role.replace('"', "\"\""))
}
