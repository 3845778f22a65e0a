//! Disputes: reading, evidence, accepting.

use super::answer::Answer;
use super::client::Calls;
use super::error::Error;
use super::key::IdempotencyKey;
use super::pages::Pages;
use super::params::Params;
use super::path::Path;
use super::refunds::Of;
use super::request::Request;

const DISPUTES: &str = "/v1/disputes";

/// Whether evidence is submitted. Stripe's own default would submit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submit {
    /// Stage it: it can still be changed.
    Later,
    /// Submit all that is staged. Normally this can be done once.
    Now,
}

/// What is changed about a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisputeUpdate<'a> {
    /// Fields as Stripe names them, with dots where they nest (`appeal.card.supporting_files[0]`), each with its text or
    /// file id; an empty text unsets one.
    pub evidence: &'a [(&'a str, &'a str)],
    /// Metadata to set.
    pub metadata: &'a [(&'a str, &'a str)],
    /// How the response is submitted at the deadline: `manual` keeps Stripe from responding by itself.
    pub intended_submission_method: Option<&'a str>,
    /// Whether the evidence is submitted.
    pub submit: Submit,
}

impl<'a> DisputeUpdate<'a> {
    /// Stages these fields, and submits nothing.
    #[must_use]
    pub fn staging(evidence: &'a [(&'a str, &'a str)]) -> Self {
        Self { evidence, metadata: &[], intended_submission_method: None, submit: Submit::Later }
    }
}

impl Calls {
    /// A dispute.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn retrieve_dispute(&self, id: &str) -> Result<Answer, Error> {
        self.send(&Request::get(Path::object(DISPUTES, id, None)?, Params::new())).await
    }

    /// Changes a dispute, and submits its evidence if told so.
    ///
    /// # Errors
    /// [`Error`]; after [`Error::Unknown`] it may have been submitted.
    pub async fn update_dispute(
        &self,
        id: &str,
        update: &DisputeUpdate<'_>,
        key: &IdempotencyKey,
    ) -> Result<Answer, Error> {
        let evidence = update.evidence.iter();
        let params = evidence.fold(Params::new(), |params, (name, value)| params.set(&evidence_parameter(name), value));
        let params = params
            .fields("metadata", update.metadata.iter().copied())
            .set_some("intended_submission_method", update.intended_submission_method)
            .set("submit", update.submit == Submit::Now);
        self.send(&Request::post(Path::object(DISPUTES, id, None)?, params, key)).await
    }

    /// Accepts a dispute as lost. This cannot be undone.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn close_dispute(&self, id: &str, key: &IdempotencyKey) -> Result<Answer, Error> {
        self.send(&Request::post(Path::object(DISPUTES, id, Some("close"))?, Params::new(), key)).await
    }

    /// The disputes of a charge or payment intent.
    #[must_use]
    pub fn disputes_of(&self, of: Of<'_>) -> Pages {
        Pages::new(self, Path::of(DISPUTES), of.params())
    }
}

/// The parameter of an evidence field: `evidence[a][b][0]` of `a.b[0]`.
#[must_use]
pub fn evidence_parameter(field: &str) -> String {
    field.split('.').fold("evidence".to_owned(), |name, part| match part.split_once('[') {
        Some((part, index)) => format!("{name}[{part}][{index}"),
        None => format!("{name}[{part}]"),
    })
}

#[cfg(test)]
mod tests {
    use super::evidence_parameter;

    #[test]
    fn dots_and_indices_nest() {
        assert_eq!(evidence_parameter("receipt"), "evidence[receipt]");
        assert_eq!(
            evidence_parameter("appeal.card.supporting_files[0]"),
            "evidence[appeal][card][supporting_files][0]"
        );
    }
}
