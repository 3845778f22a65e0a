//! How many pages a file adds to the evidence, by its content: PDF, JPEG and PNG. The content may be hostile.

pub use super::content::Unreadable;
use super::content::{Kind, contained, kind};
use super::{jpeg, pdf, png_image};

/// About as many characters of text as fit on a page.
const CHARACTERS: usize = 3_000;

/// Counts the pages of a file; an image is one.
pub fn count(content: &[u8]) -> Result<u32, Unreadable> {
    let kind = kind(content)?;
    contained(|| match kind {
        Kind::Pdf => Ok(u32::try_from(pdf::load(content)?.pages.len()).unwrap_or(u32::MAX)),
        Kind::Jpeg => jpeg::read(content).map(|_| 1),
        Kind::Png => png_image::check(content).map(|()| 1),
    })
}

/// About how many pages this many characters of text take.
pub fn of_text(characters: usize) -> u32 {
    u32::try_from(characters.div_ceil(CHARACTERS)).unwrap_or(u32::MAX)
}
