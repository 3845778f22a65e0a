//! The id of an object that exists, with the kind of the object in its type.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;

/// The id of an object that exists: only the verb that creates the object hands it out.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent, bound = "")]
pub struct Id<T>(String, PhantomData<T>);

impl<T> Id<T> {
    pub(super) fn new(id: String) -> Self {
        Self(id, PhantomData)
    }

    /// The id as Stripe writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}
