//! Who sent this body, and when: the `Stripe-Signature` header.
//!
//! Follows <https://docs.stripe.com/webhooks#verify-manually>. Pure: the time comes in as an argument.
//! Not here: reading the header from a request, and whether the body is an event at all.
//!
//! Everything that all of Stripe's SDKs accept is accepted, except a timestamp too far in the future. Where they
//! differ: a space after a comma is accepted, hex of either case is accepted, the first `t` counts.

mod secret;

use hmac::Mac;

pub use self::secret::{Modes, Secret, Secrets, SecretsError};

/// A header holds one `v1` per secret that is live at Stripe: two while a secret is being rolled.
/// Further ones are ignored, so that a header cannot cause unbounded work.
const MAX_CANDIDATES: usize = 16;

/// What a valid signature proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The modes that the matching secrets accept: both if one of them is unlabelled.
    pub modes: Modes,
    /// Which secret matched, from 1; the first of several. Shows whether an old secret is still in use.
    pub secret: usize,
}

/// Why a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No header, or an empty one.
    #[error("no Stripe-Signature header")]
    Missing,
    /// No timestamp, or one that is not a decimal number.
    #[error("malformed Stripe-Signature header")]
    Malformed,
    /// No `v1` item that holds 32 bytes in hex. Other schemes do not count: that would be a downgrade.
    #[error("no v1 signature")]
    NoV1,
    /// Signed with another secret, or over other bytes.
    #[error("signature does not match")]
    NoMatch,
    /// Signed longer ago than the tolerance: possibly a replay attack.
    #[error("signature too old")]
    Stale,
    /// Signed further in the future than the tolerance: one of two clocks is wrong.
    #[error("signature from the future")]
    Future,
}

impl SignatureError {
    /// A fixed label for metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "signature_missing",
            Self::Malformed => "signature_malformed",
            Self::NoV1 => "signature_no_v1",
            Self::NoMatch => "signature_mismatch",
            Self::Stale => "signature_stale",
            Self::Future => "signature_future",
        }
    }
}

/// Checks that one of the secrets signed this body, within the tolerance.
///
/// `now` in Unix seconds; the age may be exactly `tolerance_seconds`, in either direction. The
/// signature is checked before the age, so that `Stale` and `Future` imply a genuine signature.
///
/// # Errors
///
/// [`SignatureError`], by the reason for refusal.
pub fn verify(
    header: &str,
    body: &[u8],
    secrets: &Secrets,
    now: i64,
    tolerance_seconds: i64,
) -> Result<Verified, SignatureError> {
    let header = Header::parse(header)?;
    let verified = secrets
        .iter()
        .filter(|secret| header.is_signed_by(secret, body))
        .map(|secret| Verified { modes: secret.modes(), secret: secret.position() })
        .reduce(|first, other| Verified { modes: first.modes.and(other.modes), ..first })
        .ok_or(SignatureError::NoMatch)?;

    let age = now.saturating_sub(header.timestamp);
    if age > tolerance_seconds {
        Err(SignatureError::Stale)
    } else if age < -tolerance_seconds {
        Err(SignatureError::Future)
    } else {
        Ok(verified)
    }
}

/// The header that Stripe would send with this body at this time (Unix seconds).
#[must_use]
pub fn sign(secret: &Secret, timestamp: i64, body: &[u8]) -> String {
    sign_with([secret], timestamp, body)
}

/// [`sign`] while a secret is being rolled: one signature for each secret that is still valid.
#[must_use]
pub fn sign_with<'a>(secrets: impl IntoIterator<Item = &'a Secret>, timestamp: i64, body: &[u8]) -> String {
    let t = timestamp.to_string();
    let macs = secrets.into_iter().map(|secret| hex::encode(secret.mac(&t, body).finalize().into_bytes()));
    macs.fold(format!("t={t}"), |header, mac| format!("{header},v1={mac}"))
}

struct Header<'a> {
    /// As received: these characters are signed, not the number.
    timestamp_text: &'a str,
    timestamp: i64,
    candidates: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    fn parse(header: &'a str) -> Result<Self, SignatureError> {
        if header.trim().is_empty() {
            return Err(SignatureError::Missing);
        }
        let items = || header.split(',').filter_map(|item| item.trim_start().split_once('='));
        let (_, timestamp_text) = items().find(|(name, _)| *name == "t").ok_or(SignatureError::Malformed)?;
        let timestamp = parse_decimal(timestamp_text).ok_or(SignatureError::Malformed)?;
        let candidates: Vec<_> = items()
            .filter(|(name, _)| *name == "v1")
            .filter_map(|(_, value)| parse_mac(value))
            .take(MAX_CANDIDATES)
            .collect();
        if candidates.is_empty() {
            return Err(SignatureError::NoV1);
        }
        Ok(Self { timestamp_text, timestamp, candidates })
    }

    /// Compares in constant time.
    fn is_signed_by(&self, secret: &Secret, body: &[u8]) -> bool {
        let mac = secret.mac(self.timestamp_text, body);
        self.candidates.iter().any(|candidate| mac.clone().verify_slice(candidate).is_ok())
    }
}

/// Digits only: `str::parse` would take a sign too.
fn parse_decimal(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// 32 bytes in hex, no fewer and no more: a shortened signature must never match.
fn parse_mac(text: &str) -> Option<[u8; 32]> {
    let mut mac = [0; 32];
    hex::decode_to_slice(text, &mut mac).ok()?;
    Some(mac)
}

#[cfg(test)]
mod tests;
