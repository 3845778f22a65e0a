//! The parts of a transaction that Visa Compelling Evidence 3.0 compares, by their field names.

use std::collections::BTreeMap;

use serde_json::Value;
use strum::VariantArray;

use super::policy::{Keys, Sold};
use super::sources::{Found, Object};
use super::{Known, Product, draft};

const ADDRESS: [&str; 6] = ["line1", "line2", "city", "postal_code", "state", "country"];
/// Without these an address is not whole. Many countries have no states.
const NEEDED: [&str; 4] = ["line1", "city", "postal_code", "country"];
/// Visa's least length of a device's fingerprint and ID, in characters.
const SHORTEST: [(&str, usize); 2] = [("customer_device_fingerprint", 20), ("customer_device_id", 15)];
/// Most characters of a part.
const LONGEST: usize = 5_000;

/// One part, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub value: String,
    pub source: String,
    /// Stripe filled it in.
    pub is_held: bool,
}

/// The parts of a transaction, by field name: `customer_purchase_ip`, `shipping_address.city` and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts(BTreeMap<String, Part>);

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::VariantArray)]
pub(super) enum Element {
    #[strum(to_string = "the IP address")]
    Ip,
    /// Its fingerprint or its ID: both count as one.
    #[strum(to_string = "the device")]
    Device,
    #[strum(to_string = "the e-mail address")]
    Email,
    #[strum(to_string = "the account ID")]
    Account,
    #[strum(to_string = "the shipping address")]
    Shipping,
}

impl Element {
    /// The elements that are equal on all transactions.
    pub(super) fn equal(all: &[&Parts; 3]) -> Vec<Self> {
        Self::VARIANTS.iter().copied().filter(|element| !element.equal_fields(all).is_empty()).collect()
    }

    /// Two main elements, or one of them and another.
    pub(super) fn qualify(equal: &[Self]) -> bool {
        let has_main = equal.contains(&Self::Ip) || equal.contains(&Self::Device);
        has_main && equal.len() >= 2
    }

    /// The fields of this element to send; none if it differs.
    fn equal_fields(self, all: &[&Parts; 3]) -> Vec<String> {
        let equal =
            |field: &str| all[0].normal(field).is_some() && all.iter().all(|p| p.normal(field) == all[0].normal(field));
        let any = |fields: &[&str]| fields.iter().filter(|f| equal(f)).map(|f| (*f).to_owned()).collect();
        match self {
            Self::Ip => any(&["customer_purchase_ip"]),
            Self::Device => any(&["customer_device_fingerprint", "customer_device_id"]),
            Self::Email => any(&["customer_email_address"]),
            Self::Account => any(&["customer_account_id"]),
            Self::Shipping => {
                let field = |part: &str| format!("shipping_address.{part}");
                let is_same = |part: &&str| all.iter().all(|p| p.normal(&field(part)) == all[0].normal(&field(part)));
                let is_whole = NEEDED.iter().all(|part| equal(&field(part))) && ADDRESS.iter().all(is_same);
                let there = ADDRESS.iter().map(|part| field(part)).filter(|field| all[0].get(field).is_some());
                if is_whole { there.collect() } else { Vec::new() }
            }
        }
    }
}

/// The fields of all elements that are equal on all transactions.
pub(super) fn equal_fields(all: &[&Parts; 3]) -> Vec<String> {
    Element::VARIANTS.iter().flat_map(|element| element.equal_fields(all)).collect()
}

impl Parts {
    /// What Stripe filled in.
    pub(super) fn held(transaction: &Value) -> Self {
        let mut parts = Self::default();
        for (name, value) in transaction.as_object().into_iter().flatten() {
            let nested = value.as_object().into_iter().flatten();
            let nested = nested.map(|(part, value)| (format!("{name}.{part}"), value));
            for (field, value) in std::iter::once((name.clone(), value)).chain(nested) {
                let value = value.as_str().filter(|value| !value.is_empty() && field != "charge");
                let part = |value: &str| Part { value: value.to_owned(), source: "Stripe".to_owned(), is_held: true };
                parts.0.extend(value.map(|value| (field, part(value))));
            }
        }
        parts
    }

    /// What is known of the disputed transaction: metadata may be on the charge, the intent or the session.
    pub(super) fn disputed(known: Known<'_>) -> Self {
        let sources = known.sources;
        let mut parts = Self::of(known, &sources.first_charge, |keys| sources.metadata(keys));
        let ip = sources.dispute.found("evidence.customer_purchase_ip");
        parts.add("customer_purchase_ip", ip.or_else(|| sources.reviews.iter().find_map(|r| r.found("ip_address"))));
        parts.add("customer_email_address", sources.session.found("customer_details.email"));
        parts.add("product_description", draft::product_description(sources));
        let by_kind = match known.product {
            Product::Physical => Sold::Merchandise,
            Product::Digital | Product::Service => Sold::Services,
        };
        let sold = known.policy.visa_ce3.merchandise_or_services.unwrap_or(by_kind);
        let sold = Found { value: sold.to_string(), source: "the kind of product".to_owned() };
        parts.add("merchandise_or_services", Some(sold));
        parts
    }

    /// What is known of an earlier transaction: its metadata is the charge's.
    pub(super) fn earlier(known: Known<'_>, charge: &Object) -> Self {
        Self::of(known, charge, |keys| charge.metadata(keys))
    }

    fn of(known: Known<'_>, charge: &Object, metadata: impl Fn(&[String]) -> Option<Found>) -> Self {
        let keys = &known.policy.visa_ce3;
        let configured = |keys: &Option<Keys>| keys.as_ref().and_then(|keys| metadata(keys.all()));
        let mut parts = Self::default();
        parts.add("customer_purchase_ip", configured(&keys.customer_purchase_ip));
        parts.add("customer_purchase_ip", metadata(known.policy.keys("customer_purchase_ip")));
        parts.add("customer_device_fingerprint", configured(&keys.customer_device_fingerprint));
        parts.add("customer_device_id", configured(&keys.customer_device_id));
        parts.add("customer_account_id", configured(&keys.customer_account_id));
        parts.add("customer_email_address", charge.found("billing_details.email"));
        parts.add("customer_email_address", charge.found("receipt_email"));
        for part in ADDRESS {
            parts.add(&format!("shipping_address.{part}"), charge.found(&format!("shipping.address.{part}")));
        }
        parts.add("product_description", metadata(known.policy.keys("product_description")));
        parts.add("product_description", charge.found("description"));
        parts
    }

    /// Adds a part unless one is there. One that its field cannot hold is as good as none.
    fn add(&mut self, field: &str, found: Option<Found>) {
        let shortest = SHORTEST.iter().find(|(name, _)| *name == field).map_or(1, |(_, shortest)| *shortest);
        let fits = |found: &Found| (shortest..=LONGEST).contains(&found.value.chars().count());
        if let Some(found) = found.filter(fits) {
            let part = Part { value: found.value, source: found.source, is_held: false };
            self.0.entry(field.to_owned()).or_insert(part);
        }
    }

    /// These parts, and of the others those that are not among them.
    pub(super) fn or(self, others: Self) -> Self {
        let mut parts = others.0;
        parts.extend(self.0);
        Self(parts)
    }

    pub(super) fn get(&self, field: &str) -> Option<&Part> {
        self.0.get(field)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Part)> {
        self.0.iter().map(|(field, part)| (field.as_str(), part))
    }

    /// A part as it is compared: capitals and blanks make no difference in addresses.
    fn normal(&self, field: &str) -> Option<String> {
        let value = &self.get(field)?.value;
        let is_address = field.starts_with("shipping_address") || field == "customer_email_address";
        let words = value.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(if is_address { words.to_lowercase() } else { value.trim().to_owned() })
    }
}
