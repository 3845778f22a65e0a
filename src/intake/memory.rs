//! Limits the bytes of request bodies in memory, over all requests.
//!
//! Memory is reserved as bytes arrive, not by `Content-Length`: announcing a large body costs a client nothing.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The memory for all bodies. Clones share it.
#[derive(Debug, Clone)]
pub struct BodyMemory(Arc<Semaphore>);

/// Not enough memory is left just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl BodyMemory {
    /// Memory for this many bytes.
    ///
    /// # Panics
    ///
    /// For more than [`Semaphore::MAX_PERMITS`] bytes, which no machine has.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// The reservation of one body, empty at first.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        Reservation { memory: Arc::clone(&self.0), bytes: 0 }
    }

    /// The bytes that are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.available_permits()
    }
}

/// The memory that one body takes. Released on drop.
#[derive(Debug)]
pub struct Reservation {
    memory: Arc<Semaphore>,
    bytes: usize,
}

impl Reservation {
    /// Reserves more bytes. Never waits: two bodies that each hold some memory and wait for more would wait for each
    /// other.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let count = u32::try_from(bytes).map_err(|_| Exhausted)?;
        self.memory.try_acquire_many(count).map_err(|_| Exhausted)?.forget();
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.add_permits(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_and_released() {
        let memory = BodyMemory::new(10);
        let mut first = memory.reservation();
        let mut second = memory.clone().reservation();
        assert_eq!(first.grow(4), Ok(()));
        assert_eq!(second.grow(6), Ok(()));
        assert_eq!(first.grow(1), Err(Exhausted));
        drop(second);
        assert_eq!(first.grow(6), Ok(()));
        assert_eq!(first.grow(usize::MAX), Err(Exhausted));
        drop(first);
        assert_eq!(memory.reservation().grow(10), Ok(()));
    }
}
