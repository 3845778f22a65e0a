//! `expand[]`: ids in an answer replaced by the objects they name.

use serde_json::{Value, json};

use super::lists::Resource;
use super::refusal::Refusal;
use crate::dev::model::objects::{ApplicationFee, Charge, Dispute, Intent, Refund, Transfer};
use crate::dev::model::{Account, Object};

/// Expands each of the paths, such as `data.charge` or `payment_intent.latest_charge`.
pub(super) fn expand(account: &Account, answer: &mut Value, paths: &[String]) -> Result<(), Refusal> {
    paths.iter().try_for_each(|path| walk(account, answer, path, path))
}

fn walk(account: &Account, at: &mut Value, rest: &str, whole: &str) -> Result<(), Refusal> {
    if let Value::Array(items) = at {
        return items.iter_mut().try_for_each(|item| walk(account, item, rest, whole));
    }
    if at.is_null() || rest.is_empty() {
        return Ok(());
    }
    let (field, rest) = rest.split_once('.').unwrap_or((rest, ""));
    if field == "refunds" && at["object"] == "charge" && at["refunds"].is_null() {
        at["refunds"] = refunds(account, at["id"].as_str().unwrap_or_default());
    }
    let Some(value) = at.get_mut(field) else {
        let message = format!("This property cannot be expanded ({whole}).");
        return Err(Refusal::invalid("", "expand", message));
    };
    if let Some(object) = value.as_str().and_then(|id| named(account, field, id)) {
        *value = object;
    }
    walk(account, value, rest, whole)
}

/// The object that a field names.
fn named(account: &Account, field: &str, id: &str) -> Option<Value> {
    fn show<T: Object>(account: &Account, id: &str) -> Option<Value> {
        account.find::<T>(id).map(|object| object.render(account))
    }
    match field {
        "charge" | "latest_charge" => show::<Charge>(account, id),
        "payment_intent" => show::<Intent>(account, id),
        "source" => {
            show::<Charge>(account, id).or_else(|| show::<Refund>(account, id)).or_else(|| show::<Dispute>(account, id))
        }
        "dispute" => show::<Dispute>(account, id),
        "transfer" => show::<Transfer>(account, id),
        "application_fee" => show::<ApplicationFee>(account, id),
        "balance_transaction" | "failure_balance_transaction" => account.show_entry(id),
        _ => None,
    }
}

/// The newest ten, as Stripe nests them.
fn refunds(account: &Account, charge: &str) -> Value {
    let all: Vec<_> = account.list::<Refund>().rev().filter(|refund| refund.charge.as_str() == charge).collect();
    let data: Vec<_> = all.iter().take(10).map(|refund| refund.render(account)).collect();
    json!({
        "object": "list",
        "data": data,
        "has_more": all.len() > 10,
        "url": format!("{}/{charge}/refunds", Charge::URL),
    })
}
