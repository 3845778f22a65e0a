//! The outcome of each dispute at Stripe: which evidence was submitted, when and by whom. Tests compare it with what the
//! service believes that it did.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::world::{PLATFORM, World};
use crate::dev::model::Account;
use crate::dev::model::objects::{Dispute, Submitted, Submitter};

/// One dispute, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DisputeTruth {
    /// The connected account; none is the platform's own.
    pub account: Option<String>,
    /// The disputed charge.
    pub charge: String,
    /// Stripe's status.
    pub status: &'static str,
    /// `inquiry`, `chargeback`, `compliance` or `resolution`.
    pub case_type: &'static str,
    /// The deadline in unix seconds: 0 if no response is allowed, none if Stripe names none.
    pub due_by: Option<i64>,
    /// In the order in which they were made, over all phases.
    pub submissions: Vec<Submission>,
    /// What Stripe holds, submitted or only staged, with what it filled in itself.
    pub evidence: Map<String, Value>,
    /// Whether the merchant added anything to what Stripe filled in.
    pub has_evidence: bool,
    /// Whether a request accepted the dispute, or closed the inquiry.
    pub closed_by_us: bool,
    /// Who is to submit; none where Smart Disputes are not enabled.
    pub intended_submission_method: Option<&'static str>,
}

/// One submission of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Submission {
    /// In unix seconds of the double's clock.
    pub at: i64,
    /// `inquiry`, `chargeback`, `compliance` or `appeal`.
    pub phase: &'static str,
    /// Who submitted it.
    pub by: Submitter,
    /// Stripe's id of the request; none without one.
    pub request: Option<String>,
    /// All that was sent.
    pub evidence: Map<String, Value>,
}

/// The disputes of all accounts, by id.
pub(super) fn all(world: &World) -> BTreeMap<String, DisputeTruth> {
    let mut found = BTreeMap::new();
    for (id, books) in &world.books {
        let account = (id != PLATFORM).then_some(id);
        found.extend(
            of(&books.account).map(|(id, response)| (id, DisputeTruth { account: account.cloned(), ..response })),
        );
    }
    found
}

fn of(account: &Account) -> impl Iterator<Item = (String, DisputeTruth)> {
    account.list::<Dispute>().map(|dispute| (dispute.id.to_string(), response(dispute)))
}

fn response(dispute: &Dispute) -> DisputeTruth {
    DisputeTruth {
        account: None,
        charge: dispute.charge.to_string(),
        status: dispute.status,
        case_type: dispute.case_type,
        due_by: dispute.due_by,
        submissions: dispute.submissions.iter().map(submission).collect(),
        evidence: dispute.evidence.clone(),
        has_evidence: dispute.has_evidence(),
        closed_by_us: dispute.is_closed_by_merchant,
        intended_submission_method: dispute.smart.map(|smart| smart.intended),
    }
}

fn submission(it: &Submitted) -> Submission {
    let Submitted { at, phase, by, request, evidence } = it.clone();
    Submission { at, phase, by, request, evidence }
}
