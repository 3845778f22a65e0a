//! The fields of evidence with their limits, and what Stripe refuses about them.

use serde_json::{Map, Value, json};

use super::books::Books;
use super::params::Params;
use super::refusal::Refusal;

const SHORT: usize = 5_000;
const LONG: usize = 20_000;

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

const ENHANCED: [&str; 3] = ["mastercard_compliance", "visa_compelling_evidence_3", "visa_compliance"];

/// Most characters of all texts together.
const ALL_TEXT: usize = 150_000;
/// Most bytes of all files together: 4.5 MB.
const ALL_FILES: usize = 4_500_000;

/// The evidence as it is after these changes. An empty value removes a field.
pub(super) fn changed(
    books: &Books,
    now: &Map<String, Value>,
    mut given: Params,
) -> Result<Map<String, Value>, Refusal> {
    let mut evidence = now.clone();
    for (field, most) in TEXTS {
        if let Some(text) = given.text(field)? {
            if text.chars().count() > most {
                return Err(given.bad("", field, &format!("Invalid string: it must have at most {most} characters")));
            }
            set(&mut evidence, field, &text);
        }
    }
    for field in FILES {
        if let Some(id) = given.text(field)? {
            check_file(books, &given, field, &id)?;
            set(&mut evidence, field, &id);
        }
    }
    if given.has("enhanced_evidence") {
        let enhanced = enhanced(given.below("enhanced_evidence")?)?;
        evidence.insert("enhanced_evidence".to_owned(), enhanced);
    }
    given.finish()?;
    check_sums(books, &evidence)?;
    Ok(evidence)
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

/// Three kinds, each with what stands below it, as it was given.
fn enhanced(mut given: Params) -> Result<Value, Refusal> {
    let mut kinds = Map::new();
    for kind in ENHANCED {
        if given.has(kind) {
            kinds.insert(kind.to_owned(), tree(given.below(kind)?)?);
        }
    }
    given.finish()?;
    Ok(Value::Object(kinds))
}

fn tree(mut given: Params) -> Result<Value, Refusal> {
    let mut fields = Map::new();
    for name in given.names() {
        let value = if given.is_tree(&name) {
            tree(given.below(&name)?)?
        } else {
            match given.text(&name)?.unwrap_or_default().as_str() {
                "true" => json!(true),
                "false" => json!(false),
                text => json!(text),
            }
        };
        fields.insert(name, value);
    }
    // A list came with its places as names.
    let is_list = !fields.is_empty() && fields.keys().all(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(if is_list { fields.into_iter().map(|(_, value)| value).collect() } else { Value::Object(fields) })
}

fn check_sums(books: &Books, evidence: &Map<String, Value>) -> Result<(), Refusal> {
    let value = |field: &str| evidence.get(field).and_then(Value::as_str).unwrap_or_default();
    let characters: usize = TEXTS.iter().map(|(field, _)| value(field).chars().count()).sum();
    if characters > ALL_TEXT {
        let message = format!("The combined character count of all evidence may be at most {ALL_TEXT}");
        return Err(Refusal::invalid("", "evidence", message));
    }
    let bytes: usize = FILES.iter().filter_map(|field| books.files.get(value(field))).map(|file| file.size).sum();
    if bytes > ALL_FILES {
        let message = "The combined size of all evidence files may be at most 4.5 MB";
        return Err(Refusal::invalid("", "evidence", message));
    }
    Ok(())
}
