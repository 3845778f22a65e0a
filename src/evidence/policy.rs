//! What a merchant configures once for the drafting of evidence, as JSON. Reading the files it names is the caller's.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::Product;
use super::sources::Sources;

/// The text fields that metadata may fill. Not the cover letter, and not the other charge of a duplicate: a person
/// chooses it.
const FROM_METADATA: [&str; 16] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
];

/// What a merchant configures once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Metadata keys by evidence field, looked up on the charge, the payment intent, then the checkout session.
    pub fields: BTreeMap<String, Keys>,
    /// What is sold.
    pub product: Products,
    /// Metadata keys for Visa Compelling Evidence 3.0.
    pub visa_ce3: VisaCe3,
    /// Who signs the cover letter.
    pub sender: Sender,
    /// Refund policies, each from the date on which it took effect.
    pub refund_policy: Vec<Standing>,
    /// Cancellation policies or terms, each from the date on which it took effect.
    pub cancellation_policy: Vec<Standing>,
}

/// One metadata key, or several in order of preference.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Keys {
    /// One key.
    One(String),
    /// The first that has a value counts.
    Several(Vec<String>),
}

impl Keys {
    /// The keys, the preferred first.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Several(keys) => keys,
        }
    }
}

/// How to tell what was sold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Products {
    /// The metadata key that holds `physical`, `digital` or `service`.
    pub metadata_key: Option<String>,
    /// What a payment without that key is.
    pub default: Option<Product>,
}

/// Metadata keys for Visa Compelling Evidence 3.0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VisaCe3 {
    /// Of the IP address at the purchase.
    pub customer_purchase_ip: Option<Keys>,
    /// Of the device's ID, at least 15 characters.
    pub customer_device_id: Option<Keys>,
    /// Of the device's fingerprint, at least 20 characters.
    pub customer_device_fingerprint: Option<Keys>,
    /// Of the login that the customer would recognise.
    pub customer_account_id: Option<Keys>,
    /// Says what is sold; without it, the kind of product does.
    pub merchandise_or_services: Option<Sold>,
}

/// Visa's two kinds of sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Sold {
    /// Goods.
    Merchandise,
    /// Anything else.
    Services,
}

/// Who signs the cover letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sender {
    /// The company.
    pub name: Option<String>,
    /// The lines of its address.
    pub address: Vec<String>,
    /// For questions.
    pub email: Option<String>,
    /// For questions.
    pub phone: Option<String>,
}

/// A policy that holds from a date until the next one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The first day on which it held, in UTC, as `2026-01-31`.
    #[serde(deserialize_with = "iso_date")]
    pub from: Date,
    /// How customers were shown it before they paid.
    pub disclosure: Option<String>,
    /// The path of the document.
    pub file: Option<String>,
    /// The kinds of product it is about; none: all.
    #[serde(default)]
    pub products: Vec<Product>,
}

/// Why a policy cannot be used: names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Policy {
    /// Reads the text of a policy file. An error names the field and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let policy: Self = serde_json::from_str(text).map_err(|error| Invalid(error.to_string()))?;
        if let Some(field) = policy.fields.keys().find(|field| !FROM_METADATA.contains(&field.as_str())) {
            return Err(Invalid(format!(
                "fields: {field} cannot be filled from metadata; these can: {}",
                FROM_METADATA.join(", ")
            )));
        }
        for (name, list) in
            [("refund_policy", &policy.refund_policy), ("cancellation_policy", &policy.cancellation_policy)]
        {
            if let Some(place) = list.iter().position(|held| held.disclosure.is_none() && held.file.is_none()) {
                return Err(Invalid(format!("{name}[{place}]: needs a disclosure, a file, or both")));
            }
        }
        Ok(policy)
    }

    /// What was sold: by the metadata of the payment, else the default.
    pub fn product(&self, sources: &Sources) -> Option<Product> {
        let key = self.product.metadata_key.clone();
        let said = key.and_then(|key| sources.metadata(&[key]));
        said.and_then(|found| found.value.to_lowercase().parse().ok()).or(self.product.default)
    }

    /// The metadata keys of an evidence field.
    pub(super) fn keys(&self, field: &str) -> &[String] {
        let of_visa = if field == "customer_purchase_ip" { self.visa_ce3.customer_purchase_ip.as_ref() } else { None };
        self.fields.get(field).or(of_visa).map_or(&[], Keys::all)
    }
}

/// The newest policy for the product that held at this time, in unix seconds. On a tie, one that names the product.
pub(super) fn held_at(policies: &[Standing], at: i64, product: Product) -> Option<&Standing> {
    let day = OffsetDateTime::from_unix_timestamp(at).ok()?.date();
    let about = |held: &&Standing| held.products.is_empty() || held.products.contains(&product);
    policies
        .iter()
        .filter(about)
        .filter(|held| held.from <= day)
        .max_by_key(|held| (held.from, !held.products.is_empty()))
}

fn iso_date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    Date::parse(&text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| serde::de::Error::custom(format!("from: {text} is not a date such as 2026-01-31")))
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn an_error_names_the_field() {
        for (text, said) in [
            (r#"{"feilds": {}}"#, "unknown field `feilds`"),
            (r#"{"fields": {"receipt": "r"}}"#, "fields: receipt cannot be filled from metadata"),
            (r#"{"refund_policy": [{"from": "1.2.2026", "file": "a"}]}"#, "from: 1.2.2026 is not a date"),
            (r#"{"refund_policy": [{"from": "2026-02-01"}]}"#, "refund_policy[0]: needs a disclosure, a file, or both"),
            (r#"{"product": {"default": "ticket"}}"#, "unknown variant `ticket`"),
            (r#"{"sender": {"adress": []}}"#, "unknown field `adress`"),
        ] {
            let error = Policy::parse(text).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(Policy::parse("{}"), Ok(Policy::default()));
    }

    #[test]
    fn the_policy_that_held_at_the_purchase_is_chosen() {
        let policy = Policy::parse(
            r#"{"refund_policy": [
                {"from": "2025-01-01", "file": "old.pdf"},
                {"from": "2026-01-01", "file": "new.pdf"},
                {"from": "2026-01-01", "file": "digital.pdf", "products": ["digital"]}
            ]}"#,
        )
        .expect("a policy");
        let file = |at: OffsetDateTime, product| {
            held_at(&policy.refund_policy, at.unix_timestamp(), product).and_then(|held| held.file.as_deref())
        };
        assert_eq!(file(datetime!(2024-12-31 23:59 UTC), Product::Physical), None);
        assert_eq!(file(datetime!(2025-12-31 23:59 UTC), Product::Digital), Some("old.pdf"));
        assert_eq!(file(datetime!(2026-01-01 0:00 UTC), Product::Physical), Some("new.pdf"));
        assert_eq!(file(datetime!(2026-01-01 0:00 UTC), Product::Digital), Some("digital.pdf"));
        assert_eq!(policy.refund_policy[0].from, date!(2025 - 01 - 01));
    }
}
