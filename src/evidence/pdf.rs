//! Reads the page tree of a PDF. Page contents are never decompressed.

use lopdf::xref::XrefRecovery;
use lopdf::{Document, Error, LoadOptions, Object, ObjectId};

use super::content::Unreadable;

/// Most bytes of all streams of objects together, decompressed: as objects they take twenty times the memory.
const MOST_DECOMPRESSED: usize = 8_000_000;
/// Most bytes of one of them that are always allowed.
const ALWAYS_DECOMPRESSED: usize = 64_000;
/// Most streams of objects.
const MOST_STREAMS: usize = 500;
/// Most pages that are worth counting: Stripe takes fewer than 50.
const MOST_PAGES: usize = 10_000;

/// A document, and its pages in order.
pub(super) struct Pdf {
    pub document: Document,
    pub pages: Vec<ObjectId>,
}

/// Loads a document. One that is encrypted or truncated, or that has other pages than it declares, is refused. A wrong
/// cross-reference table alone is not: every reader rebuilds it.
pub(super) fn load(content: &[u8]) -> Result<Pdf, Unreadable> {
    let streams = object_streams(content);
    if streams > MOST_STREAMS {
        return Err(damaged());
    }
    let most = (MOST_DECOMPRESSED / streams.max(1)).max(ALWAYS_DECOMPRESSED);
    let options = LoadOptions::with_max_decompressed_size(most);
    let document = Document::load_mem_with_options(content, options).map_err(|error| refusal(&error))?;
    if document.was_encrypted() || document.trailer.get(b"Encrypt").is_ok() {
        return Err(protected());
    }
    if matches!(document.xref_recovery, Some(XrefRecovery::Reconstructed)) && !has_end(content) {
        return Err(damaged());
    }
    let pages: Vec<_> = document.page_iter().take(MOST_PAGES + 1).collect();
    let is_page = |id: &ObjectId| document.get_dictionary(*id).is_ok();
    match pages.len() {
        0 => Err(Unreadable::new("has no pages")),
        count if count > MOST_PAGES => Err(Unreadable(format!("has more than {MOST_PAGES} pages"))),
        count if declared_pages(&document) != i64::try_from(count).ok() || !pages.iter().all(is_page) => Err(damaged()),
        _ => Ok(Pdf { document, pages }),
    }
}

/// At most how many streams of objects there are: each is named, perhaps with letters written as hexadecimal.
fn object_streams(content: &[u8]) -> usize {
    let escapes: [&[u8]; 6] = [b"#4f", b"#62", b"#6a", b"#53", b"#74", b"#6d"];
    let escaped = content.windows(3).filter(|part| escapes.iter().any(|escape| part.eq_ignore_ascii_case(escape)));
    content.windows(6).filter(|part| *part == b"ObjStm").count() + escaped.count()
}

/// The end of the file is where it should be: in its last kilobyte.
fn has_end(content: &[u8]) -> bool {
    content[content.len().saturating_sub(1_024)..].windows(5).any(|window| window == b"%%EOF")
}

/// The page count that the document declares.
fn declared_pages(document: &Document) -> Option<i64> {
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
    Unreadable::new("is a damaged PDF: print it to a new PDF")
}
