//! How the response to a dispute stands, in words. Pure.

use maud::{Markup, html};

use super::case::Case;
use crate::console::parts::{Tone, badge, nothing};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::desk::checklist::Need;
use crate::store::queries::Dispute;

/// Most characters of Stripe's words in a list.
const LONGEST: usize = 90;

/// A response, as far as a list says how it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub state: &'a str,
    /// Fields that the reason calls for, and how many of them there are.
    pub called: i64,
    pub there: i64,
    /// What Stripe refused; it may quote the evidence.
    pub error: Option<&'a str>,
}

/// In words, with its tone. None: nothing is staged.
pub(super) fn said(standing: Option<Standing<'_>>, dispute: &Dispute, who: &Who) -> Markup {
    let Some(Standing { state, called, there, error }) = standing else {
        return if is_awaited(dispute) { badge(Tone::Warn, "nothing yet") } else { nothing() };
    };
    match state {
        "draft" => badge(Tone::Warn, &format!("draft, {there} of {called} fields")),
        "submit_requested" => badge(Tone::Calm, "submitting"),
        "accept_requested" => badge(Tone::Calm, "accepting"),
        "submitted" => badge(Tone::Good, "submitted"),
        "submitted_elsewhere" => badge(Tone::Calm, "submitted elsewhere"),
        "accepted" => badge(Tone::Calm, "accepted"),
        "rejected" => match error.filter(|_| who.may(Right::Payloads)) {
            Some(error) => badge(Tone::Bad, &format!("rejected: {}", short(error))),
            None => badge(Tone::Bad, "rejected"),
        },
        other => badge(Tone::Calm, other),
    }
}

/// Above a list, for somebody who does not see how disputes are answered.
pub(in crate::console::pages) fn hidden() -> Markup {
    html! { p.hint { "You lack the right “respond” to see how disputes are answered." } }
}

/// Whether an answer is awaited, also after the deadline.
pub(super) fn is_awaited(dispute: &Dispute) -> bool {
    dispute.can_respond || dispute.evidence_due_by.is_some() && dispute.status.ends_with("needs_response")
}

/// How a case stands.
pub(super) fn badge_of(case: &Case, who: &Who) -> Markup {
    let there = case.needs.iter().filter(|need| is_there(need)).count();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let standing = case.response.as_ref().map(|response| Standing {
        state: &response.state,
        called: count(case.needs.len()),
        there: count(there),
        error: response.error.as_deref(),
    });
    said(standing, &case.dispute, who)
}

/// Whether there is anything for what is called for.
pub(super) fn is_there(need: &Need) -> bool {
    !matches!(need.source, "missing" | "not there")
}

fn short(error: &str) -> String {
    if error.chars().count() <= LONGEST {
        return error.to_owned();
    }
    let cut: String = error.chars().take(LONGEST).collect();
    format!("{cut}…")
}
