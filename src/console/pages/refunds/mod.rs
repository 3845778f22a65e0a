//! Refunds: those that were requested here with what became of them, and all that Stripe made.

pub(super) mod list;
pub(super) mod one;
#[cfg(test)]
mod tests;
