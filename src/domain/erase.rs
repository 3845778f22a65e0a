//! What of a payment is kept when its personal data is erased.
//!
//! Pure. Not here: the bodies it was read from ([`crate::handlers`]), and everything that people wrote.

use serde_json::Value;

use super::facts::Facts;
use super::snapshot::Latest;

/// The metadata keys that Clawback sets itself begin with this.
const OURS: &str = "clawback_";

/// How personal data is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The metadata key of the order reference. Its value is kept, and Clawback's own metadata; other metadata is not.
    pub order_key: String,
    /// An order reference that is itself personal data, and what stands in its place.
    pub replace: Option<Replace>,
}

/// An order reference that is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replace {
    /// The reference.
    pub from: String,
    /// What stands in its place.
    pub to: String,
}

impl Erasure {
    /// Whether the value of this metadata key is kept.
    #[must_use]
    pub fn keeps(&self, key: &str) -> bool {
        key == self.order_key || key.starts_with(OURS)
    }

    /// What replaces an order reference; none: the reference is kept.
    #[must_use]
    pub fn in_place_of(&self, reference: &str) -> Option<&str> {
        self.replace.as_ref().filter(|replace| replace.from == reference).map(|replace| replace.to.as_str())
    }

    /// The same within a longer text, such as the key of a refund request.
    #[must_use]
    pub fn within(&self, text: &str) -> Option<String> {
        let replace = self.replace.as_ref().filter(|replace| text.contains(&replace.from))?;
        Some(text.replace(&replace.from, &replace.to))
    }

    /// The metadata that is kept; none when there is none.
    #[must_use]
    pub fn metadata(&self, metadata: Value) -> Option<Value> {
        let Value::Object(fields) = metadata else { return None };
        let kept = fields.into_iter().filter(|(key, _)| self.keeps(key)).map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let to =
                if key == self.order_key { self.in_place_of(&text).map(str::to_owned) } else { self.within(&text) };
            (key, to.map_or(value, Value::from))
        });
        let kept: serde_json::Map<_, _> = kept.collect();
        (!kept.is_empty()).then_some(Value::Object(kept))
    }

    fn reference(&self, reference: &mut Latest<String>) {
        if let Some(to) = self.in_place_of(&reference.value) {
            to.clone_into(&mut reference.value);
        }
    }
}

impl Facts {
    /// Erases what is or may be personal data: the metadata of refunds, and the order reference that is replaced.
    pub fn erase(&mut self, erasure: &Erasure) {
        for refund in self.refunds.values_mut() {
            let metadata = refund.best.value.metadata.take();
            refund.best.value.metadata = metadata.and_then(|metadata| erasure.metadata(metadata));
        }
        let intents = self.intents.values_mut().filter_map(|intent| intent.order_ref.as_mut());
        let charges = self.charges.values_mut().filter_map(|charge| charge.order_ref.as_mut());
        let sessions = self.sessions.values_mut();
        let sessions = sessions.flat_map(|s| s.order_ref.iter_mut().chain(&mut s.client_ref));
        let references = intents.chain(charges).chain(sessions).chain(self.order_links.values_mut());
        references.for_each(|reference| erasure.reference(reference));
    }
}
