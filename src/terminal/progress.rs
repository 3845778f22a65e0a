//! How far long work is: one line on standard error that is overwritten, on a terminal only.

use std::io::{IsTerminal, Write, stderr};

/// The line. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_shown: stderr().is_terminal() }
    }

    /// Replaces the line.
    pub(crate) fn show(&self, text: &str) {
        if self.is_shown {
            drop(write!(stderr(), "\r\x1b[K{}", super::escaped(text)));
        }
    }

    /// Removes the line, for one that is to stay.
    pub(crate) fn clear(&self) {
        if self.is_shown {
            drop(write!(stderr(), "\r\x1b[K"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
