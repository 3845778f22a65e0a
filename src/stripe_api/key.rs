//! API keys, one per mode, and idempotency keys.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// Longest idempotency key that Stripe takes, in characters.
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// Live or test: an API key works in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Real money.
    Live,
    /// Test mode or a sandbox.
    Test,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Test => "test",
        })
    }
}

/// Why API keys were refused. Quotes nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// A piece is no secret or restricted key.
    #[error("an API key must begin with sk_live_, rk_live_, sk_test_ or rk_test_, and go on in letters and digits")]
    NotAKey,
    /// Two keys of one mode.
    #[error("there are two API keys of {0} mode: set one per mode")]
    Twice(Mode),
}

/// At most one API key per mode.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    live: Option<SecretString>,
    test: Option<SecretString>,
}

impl Keys {
    /// Reads keys separated by commas or white space. The mode of each is read from the key.
    ///
    /// # Errors
    /// [`KeysError`] when a piece is no key, or two are of the same mode.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys = Self::default();
        for key in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|key| !key.is_empty()) {
            let mode = mode(key).ok_or(KeysError::NotAKey)?;
            let place = match mode {
                Mode::Live => &mut keys.live,
                Mode::Test => &mut keys.test,
            };
            if place.replace(SecretString::from(key)).is_some() {
                return Err(KeysError::Twice(mode));
            }
        }
        Ok(keys)
    }

    /// The modes that there is a key for.
    #[must_use]
    pub fn modes(&self) -> Vec<Mode> {
        [Mode::Live, Mode::Test].into_iter().filter(|mode| self.of(*mode).is_some()).collect()
    }

    pub(super) fn of(&self, mode: Mode) -> Option<&SecretString> {
        match mode {
            Mode::Live => self.live.as_ref(),
            Mode::Test => self.test.as_ref(),
        }
    }
}

fn mode(key: &str) -> Option<Mode> {
    let rest = key.strip_prefix("sk_").or_else(|| key.strip_prefix("rk_"))?;
    let (mode, random) = match rest.strip_prefix("live_") {
        Some(random) => (Mode::Live, random),
        None => (Mode::Test, rest.strip_prefix("test_")?),
    };
    let readable = !random.is_empty() && random.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    readable.then_some(mode)
}

/// A text without the API key, should an answer have quoted it.
pub(super) fn without_key(text: &str, key: &SecretString) -> String {
    text.replace(key.expose_secret(), "[API key]")
}

/// What makes a POST safe to repeat. It must be stored before the call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key; none when it is empty, longer than 255 characters, or not printable ASCII.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_IDEMPOTENCY_KEY).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The key as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for IdempotencyKey {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_read_from_the_key() {
        let keys = Keys::parse(" rk_live_abc123,\nsk_test_51X ").expect("two keys");
        assert_eq!(keys.modes(), [Mode::Live, Mode::Test]);
        assert_eq!(keys.of(Mode::Live).expect("a key").expose_secret(), "rk_live_abc123");
        assert_eq!(Keys::parse("sk_test_1").expect("a key").modes(), [Mode::Test]);
        assert_eq!(Keys::parse("").expect("no key").modes(), []);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["whsec_abc", "pk_live_abc", "sk_live_", "sk_abc", "sk_live_a\"b", "sk_live_é", "rk_org_1"] {
            assert_eq!(Keys::parse(text).expect_err(text), KeysError::NotAKey);
        }
        assert_eq!(Keys::parse("sk_live_a,rk_live_b").expect_err("two"), KeysError::Twice(Mode::Live));
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?}", Keys::parse("sk_live_secret rk_test_secret").expect("two keys"));
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn an_idempotency_key_is_printable_and_not_too_long() {
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_some());
        for text in ["", "a b", "a\r\nb", "ü", &"k".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), None, "{text}");
        }
    }
}
