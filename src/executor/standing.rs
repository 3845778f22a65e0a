//! How a dispute stands at Stripe before we send anything about it: whether our request was already carried out, somebody
//! else responded, or it can be sent. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::store::responses::{MARKER, Response};

/// A dispute as Stripe shows it, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Seen {
    pub status: String,
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub evidence_details: Option<Details>,
}

/// The part about evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Details {
    #[serde(default)]
    pub submission_count: Option<i64>,
}

/// What a look at the dispute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Our request was carried out.
    Done,
    /// Somebody else submitted evidence.
    Elsewhere,
    /// It awaits a response: nothing was sent.
    Awaited,
    /// It takes no response in this phase any more.
    Over,
}

impl Seen {
    /// How a submission stands that carries `marker`.
    pub(super) fn of_submission(&self, response: &Response, marker: &str) -> Standing {
        let is_marked = self.metadata.as_ref().and_then(|all| all.get(MARKER)).is_some_and(|text| text == marker);
        if is_marked {
            return Standing::Done;
        }
        match self.awaits(&response.phase) {
            // In an appeal the count says nothing.
            _ if response.phase != "appeal" && self.submissions() > response.baseline => Standing::Elsewhere,
            true => Standing::Awaited,
            false => Standing::Over,
        }
    }

    /// How an acceptance stands. `was_sent`: it may have been sent before.
    pub(super) fn of_acceptance(&self, response: &Response, was_sent: bool) -> Standing {
        match (self.status.as_str(), self.awaits(&response.phase)) {
            ("lost", _) if was_sent => Standing::Done,
            (_, true) => Standing::Awaited,
            (_, false) => Standing::Over,
        }
    }

    fn submissions(&self) -> i64 {
        self.evidence_details.as_ref().and_then(|details| details.submission_count).unwrap_or(0)
    }

    fn awaits(&self, phase: &str) -> bool {
        let awaited = match phase {
            "inquiry" => "warning_needs_response",
            "appeal" => "appeal_needs_response",
            _ => "needs_response",
        };
        self.status == awaited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(phase: &str) -> Response {
        Response {
            dispute_id: "du_1".to_owned(),
            phase: phase.to_owned(),
            state: "submit_requested".to_owned(),
            version: 3,
            attempt: 1,
            fields: sqlx::types::Json(BTreeMap::new()),
            staged_fields: Vec::new(),
            baseline: 1,
            former_method: None,
            is_manual: false,
            intended_method: None,
        }
    }

    fn seen(status: &str, count: i64, marker: &str) -> Seen {
        Seen {
            status: status.to_owned(),
            metadata: Some([(MARKER.to_owned(), marker.to_owned())].into()),
            evidence_details: Some(Details { submission_count: Some(count) }),
        }
    }

    #[test]
    fn a_submission_is_sent_only_where_nobody_submitted_in_this_phase() {
        for (status, count, marker, standing) in [
            ("needs_response", 1, "", Standing::Awaited),
            ("needs_response", 1, "of the inquiry", Standing::Awaited),
            ("under_review", 2, "ours", Standing::Done),
            ("won", 2, "ours", Standing::Done),
            ("under_review", 2, "", Standing::Elsewhere),
            ("needs_response", 2, "", Standing::Elsewhere),
            ("lost", 1, "", Standing::Over),
            ("warning_needs_response", 1, "", Standing::Over),
        ] {
            assert_eq!(
                seen(status, count, marker).of_submission(&response("chargeback"), "ours"),
                standing,
                "{status}"
            );
        }
        let appeal = seen("appeal_needs_response", 5, "").of_submission(&response("appeal"), "ours");
        assert_eq!(appeal, Standing::Awaited);
    }

    #[test]
    fn a_lost_dispute_is_accepted_by_us_only_if_we_may_have_sent_it() {
        let lost = seen("lost", 1, "");
        assert_eq!(lost.of_acceptance(&response("chargeback"), true), Standing::Done);
        assert_eq!(lost.of_acceptance(&response("chargeback"), false), Standing::Over);
        assert_eq!(seen("needs_response", 1, "").of_acceptance(&response("chargeback"), true), Standing::Awaited);
    }
}
