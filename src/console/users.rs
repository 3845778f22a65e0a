//! The users of the console and their rights, in the words of `clawback grants`.

use std::collections::BTreeSet;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::EnumString, strum::EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Right {
    /// See orders, payments, refunds, disputes, events and follow-ups.
    Read,
    /// See personal data: bodies of events, e-mail addresses and names.
    Payloads,
    /// Requeue and discard follow-ups, replay events, link payments.
    Work,
    /// Request refunds.
    Refund,
    /// See and edit evidence, submit it, accept disputes.
    Respond,
}

/// The rights of a user.
pub type Rights = BTreeSet<Right>;

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, as it appears in `clawback_v1.actions`.
    pub name: String,
    /// What the user may do.
    pub rights: Rights,
    /// The argon2id hash of the password in PHC format; none when a proxy says who it is.
    pub hash: Option<String>,
}

/// All users.
#[derive(Clone, Debug, Default)]
pub struct Users(Vec<User>);

impl Users {
    /// The user with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<User> {
        self.0.iter().find(|user| user.name == name).cloned()
    }
}

/// Whether this is the password of the user.
#[must_use]
pub fn check(_user: Option<&User>, _password: &str) -> bool {
    false
}
