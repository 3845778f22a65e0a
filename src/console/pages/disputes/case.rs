//! A dispute with its response and what its reason calls for, as the pages on which it is answered need it.

use sqlx::PgConnection;

use super::fields::{self, Holds};
use crate::console::failure::Failure;
use crate::console::users::Right;
use crate::console::who::Who;
use crate::desk::checklist::{self, Limits, Need};
use crate::store::queries::{self, Dispute, Response};

/// A dispute, and how it is answered in its present phase.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub dispute: Dispute,
    /// In the present phase; none: nothing is staged yet.
    pub response: Option<Response>,
    /// In the other phases, the last changed first.
    pub others: Vec<Response>,
    /// Why it takes no evidence.
    pub why_closed: Option<String>,
    /// What its reason calls for, the most helpful first, or what an appeal takes.
    pub needs: Vec<Need>,
    /// How much of Stripe's limits the response uses.
    pub limits: Option<Limits>,
}

impl Case {
    /// Reads it.
    ///
    /// # Errors
    /// The dispute was not seen, or the database failed.
    pub(super) async fn load(conn: &mut PgConnection, dispute_id: &str) -> Result<Self, Failure> {
        let dispute = dispute(conn, dispute_id).await?;
        let mut others = queries::responses(conn, dispute_id).await?;
        let place = others.iter().position(|response| response.phase == dispute.phase);
        let response = place.map(|place| others.remove(place));
        let why_closed = queries::why_closed(conn, dispute_id).await?;
        let needs = checklist::needs(conn, &dispute, response.as_ref()).await?.unwrap_or_default();
        let limits = match &response {
            Some(response) => Some(checklist::limits(conn, response).await?),
            None => None,
        };
        Ok(Self { dispute, response, others, why_closed, needs, limits })
    }

    pub(super) fn id(&self) -> &str {
        &self.dispute.dispute_id
    }

    pub(super) fn is_appeal(&self) -> bool {
        self.dispute.phase == "appeal"
    }

    /// The version of the draft; 0 without one.
    pub(super) fn version(&self) -> i64 {
        self.response.as_ref().map_or(0, |response| response.version)
    }

    /// The text of a field of the draft.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.response.as_ref()?.fields.get(field).map(String::as_str)
    }

    /// What Stripe filled in by itself: text, or the ID of a file.
    pub(super) fn held(&self, field: &str) -> Option<&str> {
        self.response.as_ref()?.held.get(field).map(String::as_str)
    }

    /// The file of a field of the draft.
    pub(super) fn file(&self, field: &str) -> Option<&queries::ResponseFile> {
        self.response.as_ref()?.files.iter().find(|file| file.field == field)
    }

    /// Why the response cannot be changed; none while it can be.
    pub(super) fn unchangeable(&self) -> Option<String> {
        if let Some(why) = &self.why_closed {
            return Some(match why.strip_prefix("an inquiry") {
                Some(rest) => format!("An inquiry{rest}."),
                None => format!("The dispute takes no evidence: {why}."),
            });
        }
        let state = self.response.as_ref().map_or("draft", |response| &response.state);
        let why = match state {
            "draft" | "rejected" => return None,
            "submit_requested" => "it is being submitted",
            "submitted" => "it is submitted",
            "submitted_elsewhere" => "it was submitted elsewhere, such as in Stripe's Dashboard",
            "accept_requested" => "the dispute is being accepted",
            "accepted" => "the dispute is accepted",
            other => return Some(format!("The response cannot be changed: its state is {other}.")),
        };
        Some(format!("The response cannot be changed: {why}."))
    }

    /// Whether it changes by itself within seconds: it is being submitted or accepted, or pages of a file are being counted.
    pub(super) fn is_on_its_way(&self) -> bool {
        let state = self.response.as_ref().map(|response| response.state.as_str());
        matches!(state, Some("submit_requested" | "accept_requested")) || self.is_being_counted()
    }

    /// Whether the pages of a file are being counted, before which the draft cannot be submitted.
    pub(super) fn is_being_counted(&self) -> bool {
        let uncounted = |response: &Response| response.files.iter().any(|file| file.pages.is_none());
        self.unchangeable().is_none() && self.response.as_ref().is_some_and(uncounted)
    }

    /// The field by which the network's fee is accepted, where there is one: see `clawback.is_compliance`.
    pub(super) fn fee_field(&self) -> Option<&'static str> {
        let Dispute { phase, reason, enhanced_eligibility, .. } = &self.dispute;
        let is_eligible = |name: &str| enhanced_eligibility.as_ref().is_some_and(|all| all.get(name).is_some());
        if is_eligible("mastercard_compliance") && phase != "appeal" {
            return Some(fields::MASTERCARD_FEE);
        }
        let is_compliance =
            phase == "compliance" || reason.as_deref() == Some("noncompliant") || is_eligible("visa_compliance");
        (is_compliance && phase != "appeal").then_some(fields::VISA_FEE)
    }
}

/// The dispute.
///
/// # Errors
/// It was not seen, or the database failed.
pub(super) async fn dispute(conn: &mut PgConnection, dispute_id: &str) -> Result<Dispute, Failure> {
    let found = queries::dispute(conn, dispute_id).await?;
    found.ok_or_else(|| Failure::NotFound(format!("No dispute {dispute_id} is known here.")))
}

/// Whether this person may not see what the field holds.
pub(super) fn is_withheld(who: &Who, field: &str) -> bool {
    fields::holds(field) == Holds::Personal && !who.may(Right::Payloads)
}
