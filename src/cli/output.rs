//! What commands say on standard output. Who stops reading, as `head` does, is no reason to stop working.

use std::fmt::Arguments;
use std::io::Write;

/// Prints, like `print!`.
pub(super) fn print(text: Arguments) {
    // A closed pipe is the reader's choice; there is nobody else to tell.
    drop(std::io::stdout().lock().write_fmt(text));
}

/// Prints a line, like `println!`.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::output::print(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(super) use say;
