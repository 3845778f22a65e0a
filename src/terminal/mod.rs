//! What commands say to people. Standard output first; who stops reading, as `head` does, is no reason to stop working.

pub(crate) mod causes;
pub(crate) mod table;

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write, stdout};
use std::sync::OnceLock;

use anyhow::anyhow;

/// Why something could not be written, the first time.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// So many of something, as in `1 event` and `2 events`.
pub(crate) fn count(many: impl Into<i64>, one: &str) -> String {
    let many = many.into();
    format!("{many} {one}{}", if many == 1 { "" } else { "s" })
}

/// Prints, like `print!`. What could not be written is told by [`finish`].
pub(crate) fn print(text: Arguments) {
    note(stdout().lock().write_fmt(text));
}

/// Writes the rest.
///
/// # Errors
/// When not everything that was printed could be written.
pub(crate) fn finish() -> anyhow::Result<()> {
    note(stdout().flush());
    FAILED.get().map_or(Ok(()), |error| Err(anyhow!("cannot write to standard output: {error}")))
}

fn note(written: io::Result<()>) {
    match written {
        // A closed pipe is the reader's choice; there is nobody else to tell.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => drop(FAILED.set(error)),
        Ok(()) | Err(_) => {}
    }
}

/// Prints a line, like `println!`.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::terminal::print(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;
