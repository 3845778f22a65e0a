//! Parameters of a call, and how they are encoded: as a form, the way Stripe's own SDKs do.

use std::fmt::Display;

use form_urlencoded::Serializer;

/// Parameters in the order given. Nested names are written out: `evidence[customer_name]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These, and one more. A boolean is `true` or `false`; an empty text unsets what Stripe holds.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// These, and one more if there is a value. There is no null.
    #[must_use]
    pub fn set_some(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// These, and a list: `expand[0]`, `expand[1]`, …
    #[must_use]
    pub fn list<T: Display>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().enumerate().fold(self, |params, (at, value)| params.set(&format!("{name}[{at}]"), value))
    }

    /// These, and fields of an object: `metadata[order]`, `metadata[note]`, …
    #[must_use]
    pub fn fields<N: Display, T: Display>(self, name: &str, values: impl IntoIterator<Item = (N, T)>) -> Self {
        values.into_iter().fold(self, |params, (field, value)| params.set(&format!("{name}[{field}]"), value))
    }

    /// The pairs, to be stored; [`Self::from_iter`] makes the same parameters of them again.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    pub(super) fn encoded(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_in_the_order_given() {
        let params = Params::new()
            .set("charge", "ch_1")
            .set_some("amount", Some(1050))
            .set_some("reason", None::<&str>)
            .set("submit", false)
            .list("expand", ["refunds", "balance_transaction"])
            .fields("metadata", [("a&b", "1 + 1 = 2"), ("unset", "")]);
        assert_eq!(
            params.encoded(),
            "charge=ch_1&amount=1050&submit=false&expand%5B0%5D=refunds&expand%5B1%5D=balance_transaction\
             &metadata%5Ba%26b%5D=1+%2B+1+%3D+2&metadata%5Bunset%5D="
        );
        assert_eq!(Params::from_iter(params.pairs().to_vec()), params);
    }
}
