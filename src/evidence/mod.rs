//! Drafts evidence for a dispute, from what is known of its payment and what the merchant configured once.
//!
//! Pure: no SQL, no clock, no files, no calls. The caller loads the bodies and reads the files; what is found here is
//! staged by it. Nothing here submits anything, and nothing overwrites what is there already.
//!
//! | file | job |
//! |---|---|
//! | `policy` | what the merchant configures: metadata keys, sender, standing policies |
//! | `sources` | Stripe's objects, read leniently |
//! | `draft`, `shipping`, `explanations` | values for evidence fields, each with its source |
//! | `letter`, `claims` | the cover letter |
//! | `ce3`, `ce3_parts` | Visa Compelling Evidence 3.0: two earlier payments that show the same cardholder |
//! | `pages`, `pdf`, `jpeg`, `png_image` | how many pages a file has, by its content |
//! | `merge` | several documents as one PDF |

pub mod ce3;
mod ce3_parts;
mod claims;
mod draft;
mod explanations;
mod jpeg;
mod letter;
pub mod merge;
pub mod pages;
mod pdf;
mod png_image;
pub mod policy;
mod shipping;
pub mod sources;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use serde::Deserialize;
use time::Date;

use sources::Found;

pub use draft::draft;
pub use letter::letter;
pub use merge::{CannotMerge, merge};
pub use policy::Policy;
pub use sources::{Bodies, Sources};

/// What was sold, as far as evidence differs by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, strum::Display, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Product {
    /// Shipped to the customer.
    Physical,
    /// Downloaded or used online.
    Digital,
    /// Performed at a place or a time: also events and bookings.
    Service,
}

/// An evidence field that the reason of a dispute calls for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalledFor {
    /// By Stripe's name, such as `shipping_date`.
    pub field: String,
    /// Makes winning more likely.
    pub is_strong: bool,
}

/// A text for an evidence field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// By Stripe's name, nested fields with dots.
    pub field: String,
    /// The text to stage.
    pub value: String,
    /// Where it came from, such as `charge.billing_details.email`.
    pub source: String,
}

impl Filled {
    fn new(field: &str, value: impl Into<String>, source: impl Into<String>) -> Self {
        Self { field: field.to_owned(), value: value.into(), source: source.into() }
    }
}

/// What was found for a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Texts to stage.
    pub fields: Vec<Filled>,
    /// Documents to attach.
    pub files: Vec<PolicyFile>,
    /// What a person should look at.
    pub notes: Vec<String>,
}

/// A configured document to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// The evidence field.
    pub field: String,
    /// As configured.
    pub path: String,
    /// Which policy it is of.
    pub source: String,
}

/// What a draft is made from.
#[derive(Clone, Copy)]
struct Known<'a> {
    sources: &'a Sources,
    policy: &'a Policy,
    product: Product,
}

impl Known<'_> {
    fn metadata(&self, field: &str) -> Option<Found> {
        self.sources.metadata(self.policy.keys(field))
    }
}

/// A file that goes with the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached<'a> {
    /// The evidence field that holds it.
    pub field: &'a str,
}

/// What a letter is written from.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    /// What is known of the payment.
    pub sources: &'a Sources,
    /// Who signs, and what the merchant configured.
    pub policy: &'a Policy,
    /// What was sold.
    pub product: Product,
    /// The texts that go with it, by evidence field: ours, and what Stripe filled in.
    pub texts: &'a BTreeMap<String, String>,
    /// The files that go with it.
    pub files: &'a [Attached<'a>],
    /// The checklist, which orders the attachments.
    pub called_for: &'a [CalledFor],
    /// The date of the letter.
    pub on: Date,
}

impl Letter<'_> {
    /// A text that goes with it, on one line.
    fn text(&self, field: &str) -> Option<String> {
        let line = words::line(self.texts.get(field)?, 300);
        (!line.is_empty()).then_some(line)
    }

    fn is_attached(&self, field: &str) -> bool {
        self.files.iter().any(|file| file.field == field)
    }
}
