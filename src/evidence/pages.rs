//! How many pages a file adds to the evidence, by its content: PDF, JPEG and PNG. The content may be hostile.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{jpeg, pdf, png_image};

/// Most bytes of a document that is read.
const MOST_BYTES: usize = 20_000_000;
/// About as many characters of text as fit on a page.
const CHARACTERS: usize = 3_000;

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

/// Counts the pages of a file; an image is one.
pub fn count(content: &[u8]) -> Result<u32, Unreadable> {
    let kind = kind(content)?;
    contained(|| match kind {
        Kind::Pdf => Ok(u32::try_from(pdf::load(content)?.pages.len()).unwrap_or(u32::MAX)),
        Kind::Jpeg => jpeg::read(content).map(|_| 1),
        Kind::Png => png_image::check(content).map(|()| 1),
    })
}

/// About how many pages so many characters of text take.
pub fn of_text(characters: usize) -> u32 {
    u32::try_from(characters.div_ceil(CHARACTERS)).unwrap_or(u32::MAX)
}

/// A panic of a parser says that the file is damaged.
pub(super) fn contained<T>(read: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, Unreadable> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Unreadable::new("is damaged")))
}
