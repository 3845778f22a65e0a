//! What commands print. Standard output first; a reader that leaves early, as `head` does, is no failure.

pub(crate) mod error_chain;
pub(crate) mod moment;
pub(crate) mod progress;
pub(crate) mod table;

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::OnceLock;

use anyhow::anyhow;
use serde::Serialize;
use time::OffsetDateTime;

/// Why something could not be written, the first time.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// What standard output can show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Screen {
    /// In characters; none: lines may be of any length.
    pub width: Option<u16>,
    /// Colour may be used.
    pub colour: bool,
    /// Times are shown relative to this; none: exactly.
    pub now: Option<OffsetDateTime>,
}

/// A colour, by its number in an escape sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
}

impl Screen {
    /// A terminal gets colour and relative times and is fitted; anything else gets plain text. `COLUMNS` fits either.
    pub(crate) fn of_stdout() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_terminal = stdout().is_terminal();
        Self {
            width: variable("COLUMNS")
                .and_then(|columns| columns.parse().ok())
                .or_else(table::terminal_width)
                .filter(|width| *width > 0),
            colour: is_terminal && variable("NO_COLOR").is_none() && variable("TERM").as_deref() != Some("dumb"),
            now: is_terminal.then(OffsetDateTime::now_utc),
        }
    }

    /// Text in a colour, where colour may be used.
    pub(crate) fn painted(&self, text: &str, colour: Colour) -> String {
        if self.colour { format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8) } else { text.to_owned() }
    }

    /// A time as this screen shows it.
    pub(crate) fn time(&self, at: OffsetDateTime) -> String {
        self.now.map_or_else(|| moment::exact(at), |now| moment::relative(at, now))
    }
}

/// A number and its noun, as in `1 event` and `2 events`.
pub(crate) fn count(many: impl TryInto<i64>, one: &str) -> String {
    let many = many.try_into().unwrap_or(i64::MAX);
    format!("{many} {one}{}", if many == 1 { "" } else { "s" })
}

/// Text from outside without what a terminal would obey: control characters and those that change the direction of text
/// are written as `\u{…}`.
pub(crate) fn escaped(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if obeyed(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Text as one word of a shell command that can be pasted: bash and zsh read `$'…'`.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    let written = escaped(text);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if written == text {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let byte = |byte: u8| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    // Two digits at most are read after `\x`, so what follows needs no care.
    format!("$'{}'", text.bytes().map(byte).collect::<String>())
}

/// Prints, like `print!`. [`finish`] reports what could not be written.
pub(crate) fn print(text: Arguments) {
    note(stdout().lock().write_fmt(text));
}

/// Prints a value as JSON for programs.
///
/// # Errors
/// When it is no JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a line beside the output, on standard error. When that cannot be written there is nobody left to tell.
pub(crate) fn tell(text: &str) {
    drop(writeln!(stderr(), "clawback: {}", escaped(text)));
}

/// Writes the rest.
///
/// # Errors
/// When not everything that was printed could be written.
pub(crate) fn finish() -> anyhow::Result<()> {
    note(stdout().flush());
    FAILED.get().map_or(Ok(()), |error| Err(anyhow!("cannot write to standard output: {error}")))
}

/// Whether nobody reads standard output any more.
pub(crate) fn is_closed() -> bool {
    CLOSED.get().is_some()
}

/// Set when the reader of standard output has left.
static CLOSED: OnceLock<()> = OnceLock::new();

/// Remembers that standard output could not be written, for [`finish`].
pub(crate) fn note(written: io::Result<()>) {
    match written {
        // A closed pipe is the reader's choice.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => drop(CLOSED.set(())),
        Err(error) => drop(FAILED.set(error)),
        Ok(()) => {}
    }
}

/// Prints a line, like `println!`.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::terminal::print(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::{escaped, quoted};

    #[test]
    fn an_id_is_quoted_so_that_a_shell_reads_it_as_it_is() {
        for (text, word) in [
            ("evt_1", "evt_1"),
            ("", "''"),
            ("my order", "'my order'"),
            ("o'1", r"'o'\''1'"),
            ("größe", "'größe'"),
            ("a\u{1b}[2J'\n", r"$'a\x1b[2J\'\x0a'"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(escaped("a\u{1b}[31m\nb\u{202e}ü"), "a\\u{1b}[31m\\nb\\u{202e}ü");
    }
}
