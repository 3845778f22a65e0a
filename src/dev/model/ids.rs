//! Stripe-like ids: a hash of a seed and a counter, so that one seed always gives the same ids and no two seeds
//! share one. No randomness.
//!
//! As Stripe's, most begin with a time: `ch_3` or `dp_1`, seconds in base 62, ten characters of the account, eight more.
//! So the ids of one time are neighbours in an index, which decides how fast a large database is.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Where the seconds in Stripe's ids begin, in unix seconds: `ch_3KtoMe…` in its documentation was created at 1651217744.
const EPOCH: i64 = 1_342_389_380;

/// Mints the ids of one account.
#[derive(Debug)]
pub struct Ids {
    seed: [u8; 32],
    minted: u64,
    /// The time and the account.
    beginning: String,
}

impl Ids {
    /// The ids that follow from this seed, with a time in unix seconds. Stripe's have that of their payment.
    #[must_use]
    pub fn new(seed: [u8; 32], since: i64) -> Self {
        let account = Sha256::digest(seed).into_iter().take(10).map(letter);
        Self { seed, minted: 0, beginning: seconds(since).into_iter().chain(account).collect() }
    }

    /// A new id, such as `ch_3Mug…` for the prefix `ch_3`; those of other prefixes than `…_1` and `…_3` have no time.
    pub fn mint(&mut self, prefix: &str) -> String {
        let tail = self.draw().into_iter().map(letter);
        if prefix.ends_with("_1") || prefix.ends_with("_3") {
            format!("{prefix}{}", self.beginning).chars().chain(tail.take(8)).collect()
        } else {
            prefix.chars().chain(tail.take(23)).collect()
        }
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

fn letter(byte: u8) -> char {
    char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])
}

/// Seconds in base 62, as five digits.
fn seconds(since: i64) -> [char; 5] {
    let mut left = u64::try_from(since - EPOCH).unwrap_or_default();
    let mut digits = ['0'; 5];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(ALPHABET[(left % 62) as usize]);
        left /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_time_of_its_payment_as_stripes_have() {
        let mut ids = Ids::new([7; 32], 1_651_217_744);
        let charge = ids.mint("ch_3");
        assert!(charge.starts_with("ch_3KtoMe"), "{charge}");
        assert_eq!(charge.len(), "ch_3KtoMeJDPojXS6LN0igeffJ6".len());
    }

    #[test]
    fn later_ids_come_later_and_none_comes_twice() {
        let (mut early, mut late) = (Ids::new([1; 32], 1_700_000_000), Ids::new([2; 32], 1_700_000_001));
        let (first, second) = (early.mint("evt_3"), early.mint("evt_3"));
        assert_ne!(first, second);
        assert!(first.max(second) < late.mint("evt_3"));
    }
}
