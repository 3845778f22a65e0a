//! How many bytes of bodies may be in memory at once, over all requests.
//!
//! Room is taken as the bytes come in, not as a client announces them: an announcement costs nothing.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The room for all bodies. Clones share it.
#[derive(Debug, Clone)]
pub struct BodyBudget(Arc<Semaphore>);

/// No room is left just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent;

impl BodyBudget {
    /// Room for so many bytes.
    ///
    /// # Panics
    ///
    /// For more than [`Semaphore::MAX_PERMITS`] bytes, which no machine has.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// The room of one body, empty as yet.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { budget: Arc::clone(&self.0), bytes: 0 }
    }

    /// How much room is left, in bytes.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.available_permits()
    }
}

/// The room that one body takes. Given back on drop.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Semaphore>,
    bytes: usize,
}

impl Share {
    /// Takes room for so many bytes more. Never waits: a body that holds some room and waits for
    /// more could wait for another that does the same.
    ///
    /// # Errors
    ///
    /// When not so much is left.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Spent> {
        let count = u32::try_from(bytes).map_err(|_| Spent)?;
        self.budget.try_acquire_many(count).map_err(|_| Spent)?.forget();
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.add_permits(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_shared_and_given_back() {
        let budget = BodyBudget::new(10);
        let mut first = budget.share();
        let mut second = budget.clone().share();
        assert_eq!(first.grow(4), Ok(()));
        assert_eq!(second.grow(6), Ok(()));
        assert_eq!(first.grow(1), Err(Spent));
        drop(second);
        assert_eq!(first.grow(6), Ok(()));
        assert_eq!(first.grow(usize::MAX), Err(Spent));
        drop(first);
        assert_eq!(budget.share().grow(10), Ok(()));
    }
}
