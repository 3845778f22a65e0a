//! What the pages of disputes say, as it is read.

use maud::Markup;
use serde_json::json;
use time::macros::datetime;

use super::case::Case;
use super::evidence_form;
use super::one::{Answering, View};
use super::samples::{NOW, anna, case, file, read, response, who};
use super::sent::{Sent, digest};
use crate::console::form::Problems;
use crate::console::users::Right;
use crate::console::who::Who;
use crate::store::queries::{Action, Dispute, Payment, ResponseFile};

fn shown(case: Case, who: &Who) -> Markup {
    let dispute = case.dispute.clone();
    let answering = if who.may(Right::Respond) { Answering::Seen(Box::new(case)) } else { Answering::Hidden };
    let payment = Payment {
        payment_id: "pi_1".to_owned(),
        order_id: Some("o_1".to_owned()),
        charge_id: Some("ch_1".to_owned()),
        account: None,
        livemode: true,
        payment_method: Some("card".to_owned()),
        failure_code: None,
        cancellation_reason: None,
        currency: Some("eur".to_owned()),
        amount: Some(12_000),
        amount_paid: None,
        amount_refunded: 0,
        amount_disputed: 12_000,
        amount_lost: 0,
        state: "dispute_open".to_owned(),
        hold: true,
        evidence_due_by: None,
        updated_at: datetime!(2026-11-20 08:00 UTC),
    };
    let action = Action {
        at: datetime!(2026-11-25 09:00 UTC),
        action: "stage_evidence".to_owned(),
        actor: "ben".to_owned(),
        role: "clawback".to_owned(),
        via: "console".to_owned(),
        reason: None,
        detail: json!({ "phase": "chargeback", "version": 4, "fields": ["shipping_carrier"] }),
    };
    let cannot = (!who.may(Right::Respond)).then(|| "You lack the right “respond”.".to_owned());
    let siblings = vec![Dispute { dispute_id: "du_2".to_owned(), ..dispute.clone() }];
    View { dispute, answering, payment: Some(payment), siblings, actions: vec![action], who, cannot, now: NOW }
        .content()
}

#[test]
fn a_dispute_with_a_draft_a_file_and_what_stripe_holds() {
    let mut case = case(&[("shipping_carrier", "DHL"), ("uncategorized_text", "Dear bank,\nshipped.")]);
    case.dispute.intended_submission_method = Some("prefer_manual".to_owned());
    let response = case.response.as_mut().unwrap();
    response.files.push(file("receipt", "receipt.pdf"));
    response.held.insert("customer_name".to_owned(), "Jane".to_owned());
    response.problems.push("receipt: its pages are not counted yet".to_owned());
    insta::assert_snapshot!(read(&shown(case, &anna())));
}

#[test]
fn a_dispute_for_somebody_who_may_only_read() {
    insta::assert_snapshot!(read(&shown(case(&[("uncategorized_text", "Dear bank")]), &who(&[Right::Read]))));
}

#[test]
fn a_refused_response_for_somebody_who_sees_no_personal_data() {
    let mut case = case(&[("customer_name", "Jane Doe"), ("shipping_carrier", "DHL")]);
    let response = case.response.as_mut().unwrap();
    response.state = "rejected".to_owned();
    response.error = Some("customer_name “Jane Doe” is too odd".to_owned());
    let page = read(&shown(case, &who(&[Right::Read, Right::Respond])));
    assert!(!page.contains("Jane"), "{page}");
    insta::assert_snapshot!(page);
}

#[test]
fn deadlines_and_amounts_in_all_their_kinds() {
    let mut said = Vec::new();
    for (name, change) in [
        ("overdue", (|dispute| dispute.evidence_due_by = Some(datetime!(2026-11-26 09:00 UTC))) as fn(&mut Dispute)),
        ("under review", |dispute| {
            dispute.evidence_due_by = Some(datetime!(2026-11-26 09:00 UTC));
            (dispute.status, dispute.can_respond) = ("under_review".to_owned(), false);
        }),
        ("not known", |dispute| dispute.evidence_due_by = None),
        ("no answer possible", |dispute| (dispute.evidence_due_by, dispute.can_respond) = (None, false)),
        ("over", |dispute| dispute.outcome = Some("lost".to_owned())),
        ("three decimals", |dispute| (dispute.amount, dispute.currency) = (1_234, "kwd".to_owned())),
        ("nothing moved", |dispute| (dispute.amount_withdrawn, dispute.settlement_currency) = (0, None)),
        ("unknown words", |dispute| {
            dispute.reason = Some("brand_new".to_owned());
            dispute.phase = "mediation".to_owned();
            dispute.status = "mediation_needed".to_owned();
        }),
    ] {
        let mut case = case(&[]);
        change(&mut case.dispute);
        let page = read(&shown(case, &anna()));
        let top = page.split("What the reason calls for").next().unwrap_or_default();
        said.push(format!("{name}: {}", top.replace('\n', " | ")));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn nothing_that_somebody_wrote_is_markup() {
    const PROBE: &str = "\"><img src=x onerror=alert(1)></textarea>{{7*7}}\u{202e}";
    let mut case = case(&[("shipping_carrier", PROBE), (PROBE, PROBE)]);
    case.dispute.order_id = Some(PROBE.to_owned());
    case.dispute.reason = Some(PROBE.to_owned());
    let response = case.response.as_mut().unwrap();
    response.files.push(file("receipt", PROBE));
    response.held.insert("customer_name".to_owned(), PROBE.to_owned());
    response.error = Some(PROBE.to_owned());
    for page in [form(&case, &Sent::default(), &Problems::one("shipping_carrier", PROBE)), shown(case, &anna())] {
        assert!(!page.0.contains("<img"), "{}", page.0);
        assert!(page.0.contains("&lt;img"));
    }
}

fn form(case: &Case, sent: &Sent, problems: &Problems) -> Markup {
    evidence_form::View { case, who: &anna(), sent, problems, done: None, cannot: None, now: NOW }.content()
}

#[test]
fn the_form_has_what_the_reason_calls_for_first_and_keeps_what_is_typed() {
    let case = case(&[("shipping_carrier", "DHL")]);
    insta::assert_snapshot!(read(&form(&case, &Sent::default(), &Problems::default())));
    let body = format!("version=4&was.shipping_date={}&text.shipping_date=%3Ctyped%3E", digest(""));
    let page = form(&case, &Sent::read(body.as_bytes()), &Problems::one("shipping_date", "shipping_date is odd")).0;
    assert!(page.contains("&lt;typed&gt;") && page.contains("aria-invalid=\"true\""), "{page}");
}

#[test]
fn an_appeal_takes_a_reason_and_documents_and_a_compliance_case_a_fee() {
    let mut appeal = case(&[]);
    appeal.dispute.phase = "appeal".to_owned();
    appeal.response = Some(response(&[]));
    insta::assert_snapshot!("appeal", read(&form(&appeal, &Sent::default(), &Problems::default())));
    let mut compliance = case(&[]);
    compliance.dispute.phase = "compliance".to_owned();
    let page = read(&form(&compliance, &Sent::default(), &Problems::default()));
    assert!(page.contains("a fee of 500 USD"), "{page}");
}

#[test]
fn a_page_is_refreshed_often_while_something_happens_by_itself() {
    let pace = |change: fn(&mut Case)| {
        let mut case = case(&[("shipping_carrier", "DHL")]);
        change(&mut case);
        let (dispute, who) = (case.dispute.clone(), anna());
        let answering = Answering::Seen(Box::new(case));
        let (payment, siblings, actions, cannot) = Default::default();
        View { dispute, answering, payment, siblings, actions, who: &who, cannot, now: NOW }.pace()
    };
    assert_eq!(pace(|_| {}), 60);
    assert_eq!(pace(|case| case.response.as_mut().unwrap().state = "submit_requested".to_owned()), 5);
    assert_eq!(pace(|case| case.response.as_mut().unwrap().state = "submitted".to_owned()), 60);
    let uncounted = |case: &mut Case| {
        let file = ResponseFile { pages: None, ..file("receipt", "receipt.pdf") };
        case.response.as_mut().unwrap().files.push(file);
    };
    assert_eq!(pace(uncounted), 5);
}

#[test]
fn an_overdue_dispute_without_an_answer_still_awaits_one() {
    let mut case = case(&[]);
    case.response = None;
    (case.dispute.can_respond, case.dispute.evidence_due_by) = (false, Some(datetime!(2026-11-26 09:00 UTC)));
    let page = read(&shown(case, &anna()));
    assert!(page.contains("nothing yet") && page.contains("Nothing is written yet."), "{page}");
}

#[test]
fn an_inquiry_that_takes_no_evidence_is_ended_by_a_refund() {
    let mut case = case(&[]);
    (case.dispute.phase, case.dispute.can_respond) = ("inquiry".to_owned(), false);
    case.why_closed =
        Some("an inquiry of Klarna takes no evidence: a refund of the disputed amount ends it".to_owned());
    let page = shown(case, &anna());
    let text = read(&page);
    let sentence = "An inquiry of Klarna takes no evidence: a refund of the disputed amount ends it.";
    assert_eq!(text.matches(sentence).count(), 1, "{text}");
    assert!(page.0.contains("href=\"~/disputes/du_1/accept\""), "{text}");
}
