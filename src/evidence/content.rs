//! What a document is, by how it begins, and why one cannot be used.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Most bytes of a document that is read.
const MOST_BYTES: usize = 20_000_000;

/// Why a file cannot be evidence, as the rest of a sentence that begins with its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub(super) String);

impl Unreadable {
    pub(super) fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

/// The type of a file, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pdf,
    Jpeg,
    Png,
}

/// Tells the type of a file that Stripe takes.
pub(super) fn kind(content: &[u8]) -> Result<Kind, Unreadable> {
    if content.len() > MOST_BYTES {
        return Err(Unreadable(format!("has {} bytes, and at most {MOST_BYTES} are read", content.len())));
    }
    match content {
        [b'%', b'P', b'D', b'F', b'-', ..] => Ok(Kind::Pdf),
        [0xFF, 0xD8, 0xFF, ..] => Ok(Kind::Jpeg),
        [0x89, b'P', b'N', b'G', ..] => Ok(Kind::Png),
        _ => Err(Unreadable::new("is not a PDF, JPEG or PNG")),
    }
}

/// A panic of a parser says that the file is damaged.
pub(super) fn contained<T>(read: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, Unreadable> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Unreadable::new("is damaged")))
}
