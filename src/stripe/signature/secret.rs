//! The signing secrets of endpoints: parsed and keyed once, never shown.
//!
//! Not here: reading the configuration, and verifying a header.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The prefix of every endpoint secret. It is part of the key.
const PREFIX: &str = "whsec_";

/// The events that are accepted under a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// Live and test events: the secret has no label.
    Both,
    /// Live events only.
    Live,
    /// Test events only.
    Test,
}

impl Modes {
    /// Whether an event with this `livemode` is accepted under such a secret. One without `livemode` is.
    #[must_use]
    pub fn allow(self, livemode: Option<bool>) -> bool {
        match self {
            Self::Both => true,
            Self::Live => livemode != Some(false),
            Self::Test => livemode != Some(true),
        }
    }

    /// The events accepted under two secrets that both match.
    pub(super) fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }
}

/// The signing secret of one endpoint. Never shows its key.
#[derive(Clone)]
pub struct Secret {
    keyed: Hmac<Sha256>,
    modes: Modes,
    position: usize,
}

impl Secret {
    /// A secret with this text as its key, for events of both modes. Configuration goes through [`Secrets::parse`],
    /// which requires `whsec_`.
    #[must_use]
    pub fn from_key(key: &str) -> Self {
        Self::new(key, Modes::Both, 1)
    }

    /// Its position among the configured secrets, from 1: all that logs may show of it.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The events it signs.
    #[must_use]
    pub fn modes(&self) -> Modes {
        self.modes
    }

    fn new(key: &str, modes: Modes, position: usize) -> Self {
        let keyed = Hmac::new_from_slice(key.as_bytes()).expect("an HMAC takes a key of any length");
        Self { keyed, modes, position }
    }

    /// The unfinished MAC over what Stripe signs: comparing it with several candidates needs one pass over the body.
    pub(super) fn mac(&self, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        self.keyed.clone().chain_update(timestamp).chain_update(b".").chain_update(body)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("position", &self.position).field("modes", &self.modes).finish_non_exhaustive()
    }
}

/// The secrets that deliveries may be signed with: at least one.
#[derive(Debug, Clone)]
pub struct Secrets(Vec<Secret>);

/// Why a list of secrets was refused. Gives the position, never the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// Only separators.
    #[error("the list contains no webhook signing secret")]
    None,
    /// A piece without the prefix of endpoint secrets.
    #[error(
        "webhook signing secret number {position} does not begin with `whsec_` \
         (after an optional `live:` or `test:`)"
    )]
    NoPrefix {
        /// Which piece, from 1.
        position: usize,
    },
    /// A piece that ends after its prefix.
    #[error("webhook signing secret number {position} has nothing after `whsec_`")]
    Empty {
        /// Which piece, from 1.
        position: usize,
    },
    /// A piece that was copied from documentation.
    #[error(
        "webhook signing secret number {position} is a placeholder: copy the endpoint's own from Stripe's Dashboard"
    )]
    Placeholder {
        /// Which piece, from 1.
        position: usize,
    },
}

impl Secrets {
    /// Reads a list separated by commas or white space. Each piece is `whsec_…`, or `live:whsec_…`
    /// or `test:whsec_…` for a secret under which only events of that mode are accepted.
    ///
    /// # Errors
    /// When no piece is left, or for the first piece that is not an endpoint secret.
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        let secrets = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|piece| !piece.is_empty())
            .enumerate()
            .map(|(index, piece)| parse_secret(piece, index + 1))
            .collect::<Result<Vec<_>, _>>()?;
        if secrets.is_empty() { Err(SecretsError::None) } else { Ok(Self(secrets)) }
    }

    /// The secrets in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }
}

impl From<Secret> for Secrets {
    fn from(secret: Secret) -> Self {
        Self(vec![secret])
    }
}

fn parse_secret(piece: &str, position: usize) -> Result<Secret, SecretsError> {
    let (modes, key) = if let Some(key) = piece.strip_prefix("live:") {
        (Modes::Live, key)
    } else if let Some(key) = piece.strip_prefix("test:") {
        (Modes::Test, key)
    } else {
        (Modes::Both, piece)
    };
    match key.strip_prefix(PREFIX) {
        None => Err(SecretsError::NoPrefix { position }),
        Some("") => Err(SecretsError::Empty { position }),
        Some(rest) if is_placeholder(rest) => Err(SecretsError::Placeholder { position }),
        Some(_) => Ok(Secret::new(key, modes, position)),
    }
}

/// Such as `whsec_…`, `whsec_...`, `whsec_xxxx` or `whsec_your_secret`.
fn is_placeholder(rest: &str) -> bool {
    let rest = rest.to_ascii_lowercase();
    let is_filler = rest.len() > 2 && rest.chars().all(|c| matches!(c, '.' | 'x' | '*' | '_'));
    is_filler
        || !rest.is_ascii()
        || rest.contains("...")
        || ["your", "replace", "change"].iter().any(|word| rest.starts_with(word))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn raw_hmac_vectors_of_stripes_node_sdk_hold() {
        let vectors: Value = serde_json::from_str(include_str!("../../../tests/data/signature_vectors.json")).unwrap();
        for vector in vectors["raw_hmac_vectors"].as_array().unwrap() {
            let secret = Secret::from_key(vector["key"].as_str().unwrap());
            let mac = secret.keyed.chain_update(vector["message"].as_str().unwrap()).finalize();
            assert_eq!(hex::encode(mac.into_bytes()), vector["hmac_sha256_hex"].as_str().unwrap());
        }
    }
}
