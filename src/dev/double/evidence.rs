//! The fields of evidence with their limits, and what Stripe refuses about them.

use serde_json::{Map, Value, json};

use super::books::Books;
use super::enhanced::{self, LONG, SHORT};
use super::params::Params;
use super::refusal::Refusal;
use crate::dev::model::Method;
use crate::dev::model::objects::Dispute;

/// Text fields with their most characters.
const TEXTS: [(&str, usize); 18] = [
    ("access_activity_log", LONG),
    ("billing_address", SHORT),
    ("cancellation_policy_disclosure", LONG),
    ("cancellation_rebuttal", LONG),
    ("customer_email_address", SHORT),
    ("customer_name", SHORT),
    ("customer_purchase_ip", SHORT),
    ("duplicate_charge_explanation", LONG),
    ("duplicate_charge_id", SHORT),
    ("product_description", LONG),
    ("refund_policy_disclosure", LONG),
    ("refund_refusal_explanation", LONG),
    ("service_date", SHORT),
    ("shipping_address", SHORT),
    ("shipping_carrier", SHORT),
    ("shipping_date", SHORT),
    ("shipping_tracking_number", SHORT),
    ("uncategorized_text", LONG),
];

/// Fields that take a file.
const FILES: [&str; 9] = [
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
];

/// The fields of an appeal, below `appeal[card]`.
const FILING: &str = "reason_for_filing";
const SUPPORTING: &str = "supporting_files";

/// Most characters of all texts together.
const ALL_TEXT: usize = 150_000;
/// Most bytes of all files together: 4.5 MB.
const ALL_FILES: usize = 4_500_000;
/// Characters on a page.
const PAGE: usize = 3_000;
/// Most pages, of texts and files together.
const PAGES: usize = 49;
const MASTERCARD_PAGES: usize = 19;

/// The evidence as it is after these changes. An empty value removes a field.
pub(super) fn changed(books: &Books, dispute: &Dispute, mut given: Params) -> Result<Map<String, Value>, Refusal> {
    let mut evidence = dispute.evidence.clone();
    check_phase(dispute, &given)?;
    if given.has("appeal") {
        let appeal = appeal(books, evidence.get("appeal"), given.below("appeal")?)?;
        evidence.insert("appeal".to_owned(), appeal);
    }
    for (field, most) in TEXTS {
        if let Some(text) = given.text(field)? {
            check_length(&given, field, &text, most)?;
            set(&mut evidence, field, &text);
        }
    }
    for field in FILES {
        if let Some(id) = given.text(field)? {
            check_file(books, &given, field, &id)?;
            check_unshared(books, dispute, &given, field, &id)?;
            set(&mut evidence, field, &id);
        }
    }
    if given.has("enhanced_evidence") {
        let enhanced = enhanced::changed(books, evidence.get("enhanced_evidence"), given.below("enhanced_evidence")?)?;
        match enhanced.as_object().is_some_and(Map::is_empty) {
            true => evidence.remove("enhanced_evidence"),
            false => evidence.insert("enhanced_evidence".to_owned(), enhanced),
        };
    }
    given.finish()?;
    check_sums(books, dispute, &evidence)?;
    Ok(evidence)
}

/// Refuses the fields of an appeal before there is one, and all others in one.
fn check_phase(dispute: &Dispute, given: &Params) -> Result<(), Refusal> {
    let in_appeal = dispute.status == "appeal_needs_response";
    let wrong = given.names().into_iter().find(|name| (name == "appeal") != in_appeal);
    let Some(name) = wrong else { return Ok(()) };
    let message = format!("This evidence cannot be changed while the dispute's status is {}.", dispute.status);
    Err(given.bad("", &name, &message))
}

fn check_length(given: &Params, field: &str, text: &str, most: usize) -> Result<(), Refusal> {
    if text.chars().count() > most {
        return Err(given.bad("", field, &format!("Invalid string: it must have at most {most} characters")));
    }
    Ok(())
}

fn set(evidence: &mut Map<String, Value>, field: &str, value: &str) {
    if value.is_empty() {
        evidence.remove(field)
    } else {
        evidence.insert(field.to_owned(), json!(value))
    };
}

fn check_file(books: &Books, given: &Params, field: &str, id: &str) -> Result<(), Refusal> {
    if id.is_empty() {
        return Ok(());
    }
    match books.files.get(id) {
        None => Err(given.bad("resource_missing", field, &format!("No such file upload: '{id}'"))),
        Some(file) if file.purpose != "dispute_evidence" => {
            let message = format!("The file {id} has the purpose {}, it must be dispute_evidence", file.purpose);
            Err(given.bad("", field, &message))
        }
        Some(_) => Ok(()),
    }
}

/// Klarna takes a file for one dispute only.
fn check_unshared(books: &Books, of: &Dispute, given: &Params, field: &str, id: &str) -> Result<(), Refusal> {
    let klarna = matches!(books.account.paid_with(&of.charge), Method::Klarna);
    let holds = |it: &Dispute| it.id != of.id && it.evidence.values().any(|value| value == id);
    if klarna && !id.is_empty() && books.account.list::<Dispute>().any(holds) {
        let message =
            format!("The file {id} is evidence of another dispute. Klarna takes a file for one dispute only.");
        return Err(given.bad("", field, &message));
    }
    Ok(())
}

/// An appeal has a field of text and files of its own.
fn appeal(books: &Books, now: Option<&Value>, mut given: Params) -> Result<Value, Refusal> {
    let mut card =
        now.map(|appeal| appeal["card"].clone()).and_then(|card| card.as_object().cloned()).unwrap_or_default();
    let mut below = given.below("card")?;
    given.finish()?;
    if let Some(text) = below.text(FILING)? {
        check_length(&below, FILING, &text, LONG)?;
        card.insert(FILING.to_owned(), json!(text));
    }
    if below.has(SUPPORTING) {
        // An empty text takes a file off the list.
        let files: Vec<_> = below.list(SUPPORTING)?.into_iter().filter(|id| !id.is_empty()).collect();
        for (place, id) in files.iter().enumerate() {
            check_file(books, &below, &format!("{SUPPORTING}][{place}"), id)?;
        }
        card.insert(SUPPORTING.to_owned(), json!(files));
    }
    below.finish()?;
    Ok(json!({ "card": card }))
}

/// Refuses what is too much in sum. Pages are estimated as for Stripe's: of files as they are, of text by its length.
fn check_sums(books: &Books, dispute: &Dispute, evidence: &Map<String, Value>) -> Result<(), Refusal> {
    let value = |field: &str| evidence.get(field).and_then(Value::as_str).unwrap_or_default();
    let card = evidence.get("appeal").map_or(&Value::Null, |appeal| &appeal["card"]);
    let filing = card[FILING].as_str().unwrap_or_default().chars().count();
    let characters: usize = filing + TEXTS.iter().map(|(field, _)| value(field).chars().count()).sum::<usize>();
    if characters > ALL_TEXT {
        let message = format!("The combined character count of all evidence may be at most {ALL_TEXT}");
        return Err(Refusal::invalid("", "evidence", message));
    }
    let supporting = card[SUPPORTING].as_array().into_iter().flatten().filter_map(Value::as_str);
    let files: Vec<_> = FILES.iter().map(|field| value(field)).chain(supporting).collect();
    let files: Vec<_> = files.into_iter().filter_map(|id| books.files.get(id)).collect();
    if files.iter().map(|file| file.size).sum::<usize>() > ALL_FILES {
        let message = "The combined size of all evidence files may be at most 4.5 MB";
        return Err(Refusal::invalid("", "evidence", message));
    }
    let pages = characters.div_ceil(PAGE) + files.iter().map(|file| file.pages).sum::<usize>();
    let mastercard = books.account.paid_with(&dispute.charge).network() == Some("mastercard");
    let most = if mastercard { MASTERCARD_PAGES } else { PAGES };
    if pages > most {
        let message = format!("The evidence has an estimated {pages} pages; at most {most} are allowed.");
        return Err(Refusal::invalid("dispute_evidence_page_limit_exceeded", "evidence", message));
    }
    Ok(())
}
