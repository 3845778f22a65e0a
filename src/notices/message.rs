//! What notices say: IDs, amounts and times; no personal data, and no text that customers or Stripe wrote. Pure.

use serde_json::Value;
use time::OffsetDateTime;

use crate::domain::currency::major;
use crate::store::notices::{Deadline, Digest, FollowUp};
use crate::terminal::count;
use crate::terminal::moment::exact;

/// The message about a follow-up.
pub(super) fn of_follow_up(follow_up: &FollowUp) -> String {
    let FollowUp { id, kind, order_id, account, livemode, .. } = follow_up;
    let order = order_id.as_ref().map(|order| format!(" Order {order}."));
    let account = account.as_ref().map(|account| format!(" Account {account}."));
    let (order, account) = (order.unwrap_or_default(), account.unwrap_or_default());
    let said = sentence(follow_up);
    escaped(&format!("{}{said}.{order}{account} Follow-up {id}, {kind}.", mode(*livemode)))
}

fn sentence(FollowUp { kind, subject, payload, due_at, .. }: &FollowUp) -> String {
    let word = |name: &str| payload[name].as_str();
    let amount = amount(payload);
    let because = |name: &str| word(name).map(|word| format!(", {word}")).unwrap_or_default();
    let due = due_at.map(|at| format!(", due by {}", exact(at))).unwrap_or_default();
    match kind.as_str() {
        "warn_evidence_due" => {
            format!("Evidence for dispute {subject} is due{}: {amount}{}", by(*due_at), because("reason"))
        }
        "mend_evidence" => {
            format!(
                "Stripe refused the evidence for dispute {subject} ({amount}{}){due}{}",
                because("reason"),
                because("code")
            )
        }
        "resolve_failed_refund" => {
            format!("Refund {subject} of {amount} {}{}", word("status").unwrap_or("failed"), because("failure_reason"))
        }
        "resolve_refused_request" => format!(
            "Stripe refused a refund of {amount}, request {}{}",
            word("request_key").unwrap_or(subject),
            because("code")
        ),
        _ => format!("{subject} needs somebody to act{due}"),
    }
}

fn by(at: Option<OffsetDateTime>) -> String {
    at.map(|at| format!(" by {}", exact(at))).unwrap_or_default()
}

fn amount(payload: &Value) -> String {
    major(payload["amount"].as_i64().unwrap_or_default(), payload["currency"].as_str())
}

/// The message of a day; none when there is nothing to report.
pub(super) fn of_digest(date: &str, digest: &Digest) -> Option<String> {
    let Digest { dead, failed_events, drafts, deadlines, deadlines_in_all } = digest;
    let mut lines = Vec::new();
    if !dead.is_empty() {
        let kinds: Vec<_> = dead.iter().map(|(kind, many)| format!("{many} {kind}")).collect();
        lines.push(format!("• dead follow-ups: {}", kinds.join(", ")));
    }
    if *failed_events > 0 {
        lines.push(format!("• {}", count(*failed_events, "failed event")));
    }
    if *drafts > 0 {
        lines.push(format!("• {} not submitted", count(*drafts, "draft")));
    }
    if *deadlines_in_all > 0 {
        lines.push(format!("• {} with a deadline within 7 days:", count(*deadlines_in_all, "dispute")));
        lines.extend(deadlines.iter().map(deadline));
        let shown = i64::try_from(deadlines.len()).unwrap_or(i64::MAX);
        lines.extend((*deadlines_in_all > shown).then(|| format!("   and {} more", deadlines_in_all - shown)));
    }
    (!lines.is_empty()).then(|| escaped(&format!("Clawback on {date}\n{}", lines.join("\n"))))
}

fn deadline(Deadline { dispute_id, livemode, amount, currency, due_at, has_draft, accept_after }: &Deadline) -> String {
    let (amount, due) = (major(*amount, Some(currency)), exact(*due_at));
    let draft = match (accept_after, has_draft) {
        (Some(after), _) => format!("will be accepted after {}, unless its draft is changed", exact(*after)),
        (None, true) => "draft not submitted".to_owned(),
        (None, false) => "no draft".to_owned(),
    };
    format!("   {}{dispute_id}: {amount}, due by {due}, {draft}", mode(*livemode))
}

fn mode(is_live: bool) -> &'static str {
    if is_live { "" } else { "[test mode] " }
}

/// As Slack wants text: these three characters would begin links, mentions or entities.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn follow_up(kind: &str, subject: &str, payload: Value) -> FollowUp {
        FollowUp {
            id: 7,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            order_id: Some("o<1>&2".to_owned()),
            account: None,
            livemode: true,
            payload,
            due_at: Some(datetime!(2026-11-29 23:59:59 UTC)),
        }
    }

    #[test]
    fn each_kind_says_what_happened_with_ids_and_amounts() {
        let money = json!({ "amount": 12_000, "currency": "eur", "reason": "fraudulent", "status": "failed",
            "failure_reason": "lost_or_stolen_card", "request_key": "return-1", "code": "charge_disputed",
            "error": "ada@example.com is not a customer" });
        for (kind, said) in [
            ("warn_evidence_due", "Evidence for dispute x_1 is due by 2026-11-29 23:59:59Z: 120.00 EUR, fraudulent."),
            (
                "mend_evidence",
                "Stripe refused the evidence for dispute x_1 (120.00 EUR, fraudulent), due by 2026-11-29 23:59:59Z, charge_disputed.",
            ),
            ("resolve_failed_refund", "Refund x_1 of 120.00 EUR failed, lost_or_stolen_card."),
            ("resolve_refused_request", "Stripe refused a refund of 120.00 EUR, request return-1, charge_disputed."),
        ] {
            let text = of_follow_up(&follow_up(kind, "x_1", money.clone()));
            assert_eq!(text, format!("{said} Order o&lt;1&gt;&amp;2. Follow-up 7, {kind}."));
        }
    }

    #[test]
    fn test_mode_and_the_account_are_named() {
        let of_account = FollowUp {
            livemode: false,
            account: Some("acct_1".to_owned()),
            order_id: None,
            ..follow_up(
                "resolve_failed_refund",
                "re_1",
                json!({ "amount": 500, "currency": "jpy", "status": "canceled" }),
            )
        };
        let text = of_follow_up(&of_account);
        assert_eq!(
            text,
            "[test mode] Refund re_1 of 500 JPY canceled. Account acct_1. Follow-up 7, resolve_failed_refund."
        );
    }

    #[test]
    fn a_digest_lists_what_waits_and_is_nothing_on_a_quiet_day() {
        let quiet = Digest { dead: vec![], failed_events: 0, drafts: 0, deadlines: vec![], deadlines_in_all: 0 };
        assert_eq!(of_digest("2026-11-26", &quiet), None);
        let due = Deadline {
            dispute_id: "dp_1".to_owned(),
            livemode: false,
            amount: 12_000,
            currency: "eur".to_owned(),
            due_at: datetime!(2026-11-29 23:59:59 UTC),
            has_draft: true,
            accept_after: None,
        };
        let accepted = Deadline {
            dispute_id: "dp_2".to_owned(),
            accept_after: Some(datetime!(2026-11-27 8:00 UTC)),
            ..due.clone()
        };
        let busy = Digest {
            dead: vec![("notify_refund".to_owned(), 2)],
            failed_events: 1,
            drafts: 1,
            deadlines: vec![due, accepted],
            deadlines_in_all: 3,
        };
        let text = of_digest("2026-11-26", &busy).expect("a digest");
        let lines = [
            "Clawback on 2026-11-26",
            "• dead follow-ups: 2 notify_refund",
            "• 1 failed event",
            "• 1 draft not submitted",
            "• 3 disputes with a deadline within 7 days:",
            "   [test mode] dp_1: 120.00 EUR, due by 2026-11-29 23:59:59Z, draft not submitted",
            "   [test mode] dp_2: 120.00 EUR, due by 2026-11-29 23:59:59Z, will be accepted after 2026-11-27 08:00:00Z, unless its draft is changed",
            "   and 1 more",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }
}
