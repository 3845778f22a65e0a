//! Stripe-like ids: a hash of a seed and a counter, so that one seed always gives the same ids and no two seeds
//! share one. No randomness.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Mints the ids of one account.
#[derive(Debug)]
pub struct Ids {
    seed: [u8; 32],
    minted: u64,
}

impl Ids {
    /// The ids that follow from this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, minted: 0 }
    }

    /// A new id, such as `ch_3Mug…` for the prefix `ch_3`.
    pub fn mint(&mut self, prefix: &str) -> String {
        let tail = self.draw().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        prefix.chars().chain(tail.into_iter().take(23)).collect()
    }

    /// An idempotency key, in the form of the UUIDs that Stripe's SDKs make.
    pub fn key(&mut self) -> String {
        let hex = hex::encode(self.draw());
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
    }

    /// A number below `bound`, at most 256, for choices that should differ from seed to seed.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.draw()[0]) % bound
    }

    fn draw(&mut self) -> [u8; 32] {
        self.minted += 1;
        Sha256::new().chain_update(self.seed).chain_update(self.minted.to_be_bytes()).finalize().into()
    }
}
