//! Log-ins that failed, so that passwords cannot be guessed: stub.

use std::time::Instant;

use crate::http::server::Peer;

/// How long one must wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait(u64);

impl Wait {
    /// Whole seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0
    }
}

/// The tries.
#[derive(Debug, Default)]
pub struct Attempts;

impl Attempts {
    /// Counts a try.
    ///
    /// # Errors
    /// How long to wait.
    pub fn try_now(&mut self, _name: &str, _peer: Peer, _now: Instant) -> Result<(), Wait> {
        Ok(())
    }

    /// It was the right password.
    pub fn succeeded(&mut self, _name: &str, _peer: Peer) {}
}
