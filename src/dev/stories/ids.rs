//! Stripe-like ids: a hash of the whole cast and a counter, so that the same telling always has
//! the same ids and no two tellings share one. No randomness.

use sha2::{Digest, Sha256};

use super::cast::Cast;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Mints the ids of one telling.
#[derive(Debug)]
pub(super) struct Ids {
    root: [u8; 32],
    minted: u64,
}

impl Ids {
    pub(super) fn new(cast: &Cast, story: &str) -> Self {
        let Cast { order_id, order_key, seed, start, amount, currency, livemode, account } = cast;
        let mut hash = Sha256::new();
        for text in [story, order_id, order_key, currency, account.as_deref().unwrap_or_default()] {
            // The length keeps ("a", "bc") apart from ("ab", "c").
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update(seed.to_be_bytes());
        hash.update(start.to_be_bytes());
        hash.update(amount.minor().to_be_bytes());
        hash.update([u8::from(*livemode), u8::from(account.is_some())]);
        Self { root: hash.finalize().into(), minted: 0 }
    }

    /// A new id, such as `ch_3Mug…` for the prefix `ch_3`.
    pub(super) fn mint(&mut self, prefix: &str) -> String {
        let tail = self.draw().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        prefix.chars().chain(tail.into_iter().take(23)).collect()
    }

    /// An idempotency key, in the form of the uuids that Stripe's SDKs make.
    pub(super) fn key(&mut self) -> String {
        let hex = hex::encode(self.draw());
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
    }

    /// A number below `bound`, for choices that should differ from telling to telling.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.draw()[0]) % bound
    }

    fn draw(&mut self) -> [u8; 32] {
        self.minted += 1;
        Sha256::new().chain_update(self.root).chain_update(self.minted.to_be_bytes()).finalize().into()
    }
}
