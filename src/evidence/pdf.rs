//! Reads the page tree of a PDF. Page contents are never decompressed.

use lopdf::xref::XrefRecovery;
use lopdf::{Document, Error, LoadOptions, Object, ObjectId};

use super::pages::Unreadable;

/// Most bytes of one stream of objects, decompressed.
const MOST_DECOMPRESSED: usize = 32_000_000;
/// Most pages that are worth counting: Stripe takes fewer than 50.
const MOST_PAGES: usize = 10_000;

/// A document, and its pages in order.
pub(super) struct Pdf {
    pub document: Document,
    pub pages: Vec<ObjectId>,
}

/// Loads a document. One that is encrypted, or that had to be repaired and may have lost pages, is refused.
pub(super) fn load(content: &[u8]) -> Result<Pdf, Unreadable> {
    let options = LoadOptions::with_max_decompressed_size(MOST_DECOMPRESSED);
    let document = Document::load_mem_with_options(content, options).map_err(|error| refusal(&error))?;
    if document.was_encrypted() || document.trailer.get(b"Encrypt").is_ok() {
        return Err(protected());
    }
    if matches!(document.xref_recovery, Some(XrefRecovery::Reconstructed)) {
        return Err(damaged());
    }
    let pages: Vec<_> = document.page_iter().take(MOST_PAGES + 1).collect();
    let is_page = |id: &ObjectId| document.get_dictionary(*id).is_ok();
    match pages.len() {
        0 => Err(Unreadable::new("has no pages")),
        count if count > MOST_PAGES => Err(Unreadable(format!("has more than {MOST_PAGES} pages"))),
        count if said(&document) != i64::try_from(count).ok() || !pages.iter().all(is_page) => Err(damaged()),
        _ => Ok(Pdf { document, pages }),
    }
}

/// How many pages the document says it has.
fn said(document: &Document) -> Option<i64> {
    let root = document.catalog().ok()?.get(b"Pages").and_then(Object::as_reference).ok()?;
    document.get_dictionary(root).and_then(|pages| pages.get_deref(b"Count", document)).and_then(Object::as_i64).ok()
}

fn refusal(error: &Error) -> Unreadable {
    match error {
        Error::InvalidPassword | Error::Decryption(_) | Error::UnsupportedSecurityHandler(_) => protected(),
        _ => damaged(),
    }
}

fn protected() -> Unreadable {
    Unreadable::new("is password-protected: save it without protection")
}

fn damaged() -> Unreadable {
    Unreadable::new("is a damaged PDF: print it to a new one")
}
