//! Disputes and responses for the tests of the pages.

use std::collections::BTreeMap;

use maud::Markup;
use sqlx::types::Json;
use time::OffsetDateTime;
use time::macros::datetime;

use super::case::Case;
use crate::console::users::Right;
use crate::console::who::Who;
use crate::desk::checklist::{Limits, Need};
use crate::store::queries::{Dispute, Response, ResponseFile};

/// When the pages are made.
pub(super) const NOW: OffsetDateTime = datetime!(2026-11-26 12:03:10 UTC);

/// Somebody with these rights.
pub(super) fn who(rights: &[Right]) -> Who {
    Who { name: "anna".to_owned(), rights: rights.iter().copied().collect(), can_log_out: true }
}

/// Somebody who may see and answer everything.
pub(super) fn anna() -> Who {
    who(&[Right::Read, Right::Payloads, Right::Respond])
}

/// A chargeback that awaits an answer.
pub(super) fn dispute() -> Dispute {
    Dispute {
        dispute_id: "du_1".to_owned(),
        payment_id: Some("pi_1".to_owned()),
        order_id: Some("o_1".to_owned()),
        charge_id: Some("ch_1".to_owned()),
        account: None,
        livemode: true,
        payment_method: Some("card".to_owned()),
        can_respond: true,
        amount: 12_000,
        amount_lost: 0,
        currency: "eur".to_owned(),
        reason: Some("product_not_received".to_owned()),
        network_reason_code: Some("13.1".to_owned()),
        status: "needs_response".to_owned(),
        phase: "chargeback".to_owned(),
        outcome: None,
        evidence_due_by: Some(datetime!(2026-12-04 23:59:59 UTC)),
        has_evidence: false,
        past_due: false,
        submission_count: 0,
        intended_submission_method: None,
        submission_method: None,
        enhanced_eligibility: None,
        is_charge_refundable: Some(false),
        amount_withdrawn: 12_000,
        amount_reinstated: 0,
        fee: 2_000,
        settlement_currency: Some("eur".to_owned()),
        created_at: datetime!(2026-11-20 08:00 UTC),
        updated_at: datetime!(2026-11-20 08:00 UTC),
    }
}

/// A draft of version 4 with these texts.
pub(super) fn response(texts: &[(&str, &str)]) -> Response {
    let fields: BTreeMap<_, _> = texts.iter().map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect();
    Response {
        dispute_id: "du_1".to_owned(),
        phase: "chargeback".to_owned(),
        state: "draft".to_owned(),
        version: 4,
        fields: Json(fields),
        files: Json(Vec::new()),
        held: Json(BTreeMap::new()),
        missing: vec!["shipping_documentation".to_owned()],
        problems: Vec::new(),
        is_staged: false,
        former_method: None,
        accept_after: None,
        staged_by: Some("ben".to_owned()),
        submitted_by: None,
        error: None,
        submitted_at: None,
        updated_at: datetime!(2026-11-25 09:00 UTC),
    }
}

/// A dispute with such a draft.
pub(super) fn case(texts: &[(&str, &str)]) -> Case {
    let need = |field: &str, is_strong, absent| {
        let is_written = texts.iter().any(|(written, _)| *written == field);
        Need { field: field.to_owned(), is_strong, source: if is_written { "staged" } else { absent } }
    };
    Case {
        dispute: dispute(),
        response: Some(response(texts)),
        others: Vec::new(),
        why_closed: None,
        needs: vec![
            need("shipping_tracking_number", true, "missing"),
            need("shipping_carrier", true, "missing"),
            need("shipping_documentation", true, "missing"),
            need("customer_signature", false, "not there"),
        ],
        limits: Some(Limits { characters: 12, bytes: 120_000, pages: 4, most_pages: Some(49) }),
    }
}

/// A file of the response.
pub(super) fn file(field: &str, name: &str) -> ResponseFile {
    ResponseFile {
        field: field.to_owned(),
        name: name.to_owned(),
        media_type: "application/pdf".to_owned(),
        bytes: 120_000,
        pages: Some(3),
        sha256: "ab12".to_owned(),
    }
}

/// The text between the tags, a line for each run of it.
pub(in crate::console) fn read(page: &Markup) -> String {
    let text: String = page
        .0
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
        .fold(String::new(), |all, part| all + part + "\n");
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}
