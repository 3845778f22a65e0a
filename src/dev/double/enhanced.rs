//! The fields of `evidence[enhanced_evidence]`: Visa Compelling Evidence 3.0 and the fees of compliance disputes. What
//! they amount to, the model judges.

use serde_json::{Map, Value, json};

use super::books::Books;
use super::params::Params;
use super::refusal::Refusal;
use crate::dev::model::objects::Charge;

/// Most characters of a text, in any evidence.
pub(super) const SHORT: usize = 5_000;
pub(super) const LONG: usize = 20_000;

const CE3: &str = "visa_compelling_evidence_3";
const COMPLIANCE: [&str; 2] = ["mastercard_compliance", "visa_compliance"];
const TRANSACTIONS: &str = "prior_undisputed_transactions";
/// Fields of a transaction, with their least and most characters.
const TEXTS: [(&str, usize, usize); 6] = [
    ("customer_account_id", 0, SHORT),
    ("customer_device_fingerprint", 20, SHORT),
    ("customer_device_id", 15, SHORT),
    ("customer_email_address", 0, SHORT),
    ("customer_purchase_ip", 0, SHORT),
    ("product_description", 0, LONG),
];
const ADDRESS: [&str; 6] = ["city", "country", "line1", "line2", "postal_code", "state"];

/// All enhanced evidence after these changes: what is given replaces the kind, or the part of it, that it names.
pub(super) fn changed(books: &Books, now: Option<&Value>, mut given: Params) -> Result<Value, Refusal> {
    let mut kinds = now.and_then(Value::as_object).cloned().unwrap_or_default();
    if given.is_empty() {
        return Ok(json!({}));
    }
    for kind in COMPLIANCE {
        if given.has(kind) {
            let acknowledged = acknowledgement(given.below(kind)?)?;
            kinds.insert(kind.to_owned(), json!({ "fee_acknowledged": acknowledged }));
        }
    }
    if given.has(CE3) {
        let mut parts = kinds.get(CE3).and_then(Value::as_object).cloned().unwrap_or_default();
        let given = given.below(CE3)?;
        if given.is_empty() {
            kinds.remove(CE3);
        } else {
            parts.extend(compelling(books, given)?);
            kinds.insert(CE3.to_owned(), Value::Object(parts));
        }
    }
    given.finish()?;
    Ok(Value::Object(kinds))
}

/// Only `true` and `false` are booleans.
fn acknowledgement(mut given: Params) -> Result<bool, Refusal> {
    let text = given.text("fee_acknowledged")?.unwrap_or_default();
    let acknowledged = match text.as_str() {
        "true" => true,
        "false" => false,
        _ => return Err(given.bad("", "fee_acknowledged", &format!("Invalid boolean: {text}"))),
    };
    given.finish()?;
    Ok(acknowledged)
}

fn compelling(books: &Books, mut given: Params) -> Result<Map<String, Value>, Refusal> {
    let mut parts = Map::new();
    if given.has("disputed_transaction") {
        let mut below = given.below("disputed_transaction")?;
        let mut fields = transaction(&mut below)?;
        if let Some(word) = below.word("merchandise_or_services", &["merchandise", "services"])? {
            fields.insert("merchandise_or_services".to_owned(), json!(word));
        }
        below.finish()?;
        parts.insert("disputed_transaction".to_owned(), Value::Object(fields));
    }
    if given.has(TRANSACTIONS) {
        let mut below = given.below(TRANSACTIONS)?;
        let places = below.names().into_iter();
        let priors: Result<Vec<_>, Refusal> = places.map(|place| prior(books, below.below(&place)?)).collect();
        parts.insert(TRANSACTIONS.to_owned(), json!(priors?));
    }
    given.finish()?;
    Ok(parts)
}

/// A transaction before the disputed one, which names an existing charge.
fn prior(books: &Books, mut given: Params) -> Result<Value, Refusal> {
    let charge = given.text("charge")?.unwrap_or_default();
    if charge.is_empty() {
        return Err(given.bad("parameter_missing", "charge", "Missing required param: charge."));
    }
    if books.account.find::<Charge>(&charge).is_none() {
        return Err(given.bad("resource_missing", "charge", &format!("No such charge: '{charge}'")));
    }
    let mut fields = transaction(&mut given)?;
    fields.insert("charge".to_owned(), json!(charge));
    given.finish()?;
    Ok(Value::Object(fields))
}

/// What a disputed and a prior transaction have in common.
fn transaction(given: &mut Params) -> Result<Map<String, Value>, Refusal> {
    let mut fields = Map::new();
    for (field, least, most) in TEXTS {
        let Some(text) = given.text(field)?.filter(|text| !text.is_empty()) else { continue };
        let length = text.chars().count();
        if !(least..=most).contains(&length) {
            let message = format!("Invalid string: it must have {least} to {most} characters");
            return Err(given.bad("", field, &message));
        }
        fields.insert(field.to_owned(), json!(text));
    }
    if given.has("shipping_address") {
        let mut below = given.below("shipping_address")?;
        let mut address = Map::new();
        for part in ADDRESS {
            address.extend(below.text(part)?.map(|text| (part.to_owned(), json!(text))));
        }
        below.finish()?;
        fields.insert("shipping_address".to_owned(), Value::Object(address));
    }
    Ok(fields)
}
