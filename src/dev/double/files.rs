//! Files: uploaded with a purpose, listed and retrieved. Their bytes are looked at for type and size, and dropped.

use super::books::{Books, File};
use super::lists::Page;
use super::params::Params;
use super::refusal::{Answer, Refusal};
use bytes::Bytes;

/// Bytes of a receipt that Stripe makes.
const RECEIPT: usize = 48_213;

const PURPOSES: [&str; 8] = [
    "account_requirement",
    "additional_verification",
    "business_icon",
    "business_logo",
    "customer_signature",
    "dispute_evidence",
    "identity_document",
    "tax_document_user_upload",
];

/// The file of a multipart request.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) filename: String,
    pub(super) bytes: Bytes,
}

/// Reads a multipart body: its fields as pairs, and its file.
///
/// # Errors
/// What is wrong with the body.
pub(super) async fn read(body: Bytes, content_type: &str) -> Result<(Vec<(String, String)>, Option<Upload>), String> {
    let boundary = multer::parse_boundary(content_type).map_err(|error| error.to_string())?;
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(body)]);
    let mut parts = multer::Multipart::new(stream, boundary);
    let (mut pairs, mut upload) = (Vec::new(), None);
    while let Some(field) = parts.next_field().await.map_err(|error| error.to_string())? {
        let (name, filename) = (field.name().unwrap_or_default().to_owned(), field.file_name().map(str::to_owned));
        let bytes = field.bytes().await.map_err(|error| error.to_string())?;
        match filename {
            Some(filename) if name == "file" => upload = Some(Upload { filename, bytes }),
            _ => pairs.push((name, String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
    Ok((pairs, upload))
}

/// `POST /v1/files`
pub(super) fn create(books: &mut Books, upload: Option<&Upload>, mut params: Params) -> Answer {
    let missing = |name: &str| Refusal::invalid("parameter_missing", name, format!("Missing required param: {name}."));
    let purpose = params.word("purpose", &PURPOSES)?.ok_or_else(|| missing("purpose"))?;
    params.finish()?;
    let upload = upload.ok_or_else(|| missing("file"))?;
    if upload.bytes.is_empty() {
        return Err(Refusal::invalid("", "file", "The file you uploaded is empty."));
    }
    let kind = kind(&upload.bytes);
    if purpose == "dispute_evidence" && !["pdf", "jpg", "png"].contains(&kind) {
        let message = "Invalid file type: files with the purpose dispute_evidence must be PDF, JPEG or PNG.";
        return Err(Refusal::invalid("", "file", message));
    }
    let id = books.account.ids.mint("file_1");
    let (created, size) = (books.account.now, upload.bytes.len());
    let pages = pages(&upload.bytes, kind);
    let file = File { id: id.clone(), created, filename: upload.filename.clone(), purpose, kind, size, pages };
    let shown = file.show();
    books.files.insert(id, file);
    Ok(shown)
}

/// `GET /v1/files/:id`
pub(super) fn retrieve(books: &Books, id: &str, params: Params) -> Answer {
    params.finish()?;
    books.files.get(id).map(File::show).ok_or_else(|| Refusal::missing("file", "file", id))
}

/// `GET /v1/files`
pub(super) fn list(books: &Books, mut params: Params) -> Answer {
    let page = Page::take(&mut params)?;
    let purpose = params.word("purpose", &PURPOSES)?;
    params.finish()?;
    let wanted = |file: &&File| page.wants(file.created) && purpose.is_none_or(|purpose| purpose == file.purpose);
    let all: Vec<_> = books.files.values().rev().filter(wanted).collect();
    page.cut(("file", "/v1/files"), &all, |file| &file.id, |file| file.show())
}

/// The receipt that Stripe makes of a charge, as it fills it in as evidence.
pub(super) fn make_receipt(books: &mut Books) -> String {
    let id = books.account.ids.mint("file_1");
    let (created, filename, purpose) = (books.account.now, "receipt.pdf".to_owned(), "dispute_evidence");
    let file = File { id: id.clone(), created, filename, purpose, kind: "pdf", size: RECEIPT, pages: 1 };
    books.files.insert(id.clone(), file);
    id
}

/// An image is a page, and so is a PDF of which the pages cannot be counted: they may be compressed.
fn pages(bytes: &[u8], kind: &str) -> usize {
    if kind == "pdf" { page_objects(bytes).max(1) } else { 1 }
}

/// How often `/Type /Page` is in a PDF, which is not `/Type /Pages`.
fn page_objects(bytes: &[u8]) -> usize {
    let starts = bytes.windows(5).enumerate().filter(|(_, window)| window == b"/Type").map(|(place, _)| place + 5);
    let is_page = |start: &usize| {
        let rest = bytes[*start..].trim_ascii_start();
        rest.strip_prefix(b"/Page").is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric))
    };
    starts.filter(is_page).count()
}

/// The type, by how the bytes begin.
fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'%', b'P', b'D', b'F', ..] => "pdf",
        [0xff, 0xd8, 0xff, ..] => "jpg",
        [0x89, b'P', b'N', b'G', ..] => "png",
        _ => "txt",
    }
}
