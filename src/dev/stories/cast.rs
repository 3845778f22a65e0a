//! The inputs of a story: whose order, how much, when and in which account. Decides nothing
//! about what happens.

use sha2::{Digest, Sha256};
use thiserror::Error;

/// What a story is told with. All of it goes into the ids, so two casts that differ in anything
/// never share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// The merchant's reference of the order, as found in the metadata.
    pub order_id: String,
    /// The metadata key that holds it.
    pub order_key: String,
    /// Tells apart two runs of a story for the same order.
    pub seed: u64,
    /// When the first event happens, in unix seconds.
    pub start: i64,
    /// What the buyer is asked to pay.
    pub amount: Amount,
    /// Currency code in lower case, such as `eur`.
    pub currency: String,
    /// Whether the events are of live mode.
    pub livemode: bool,
    /// The connected account in which it all happens; none for the account's own events.
    pub account: Option<String>,
}

impl Cast {
    /// A cast for one order with the usual rest: 120.00 euro, test mode, the account's own
    /// events. `start` is in unix seconds.
    #[must_use]
    pub fn new(order_id: impl Into<String>, start: i64) -> Self {
        Self {
            order_id: order_id.into(),
            order_key: "order_id".to_owned(),
            seed: 0,
            start,
            amount: Amount(12_000),
            currency: "eur".to_owned(),
            livemode: false,
            account: None,
        }
    }

    /// The seed of all ids of a story that is told with this cast.
    pub(super) fn seed_of_ids(&self, story: &str) -> [u8; 32] {
        let Self { order_id, order_key, seed, start, amount, currency, livemode, account } = self;
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
        hash.finalize().into()
    }
}

/// A sum that a story can be told with, in minor currency units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

/// A sum outside [`Amount::MIN`] to [`Amount::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an amount is {min} to {max} minor units, not {0}", min = Amount::MIN, max = Amount::MAX)]
pub struct AmountOutOfRange(i64);

impl Amount {
    /// The smallest: every percentage of it is a whole number of minor units.
    pub const MIN: i64 = 100;
    /// The largest that Stripe charges: eight digits.
    pub const MAX: i64 = 99_999_999;

    /// The sum in minor currency units.
    #[must_use]
    pub fn minor(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Amount {
    type Error = AmountOutOfRange;

    fn try_from(minor: i64) -> Result<Self, AmountOutOfRange> {
        if (Self::MIN..=Self::MAX).contains(&minor) { Ok(Self(minor)) } else { Err(AmountOutOfRange(minor)) }
    }
}
