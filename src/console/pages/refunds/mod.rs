//! Refunds: the requests made here with their states, and all refunds at Stripe.

pub(super) mod list;
pub(super) mod one;
#[cfg(test)]
mod tests;
