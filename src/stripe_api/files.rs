//! Upload of files as evidence, to the host for files.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::answer::Answer;
use super::client::Calls;
use super::error::Error;
use super::key::IdempotencyKey;
use super::path::Path;
use super::request::{Multipart, Request};

/// A file to be uploaded.
#[derive(Clone)]
pub struct EvidenceFile<'a> {
    /// Its name. Folders before it are left out.
    pub name: &'a str,
    /// Its media type, such as `application/pdf`: found from its content, not from its name.
    pub media_type: &'a str,
    /// Its content.
    pub content: Bytes,
}

impl Calls {
    /// Uploads a file with the purpose `dispute_evidence`.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Malformed`] when the media type is none.
    pub async fn upload_evidence(&self, file: &EvidenceFile<'_>, key: &IdempotencyKey) -> Result<Answer, Error> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"/+-.".contains(&c);
        if !file.media_type.contains('/') || !file.media_type.bytes().all(plain) {
            return Err(Error::malformed("POST /v1/files", "the media type of the file is malformed"));
        }
        // Not to be guessed by whoever wrote the file.
        let boundary = Uuid::new_v4().simple().to_string();
        let request = Request::upload(Path::of("/v1/files"), multipart(file, boundary), key);
        self.send(&request).await
    }

    /// Asks for an upload without a file, which Stripe refuses with [`Error::Refused`] when the key may upload files,
    /// and with [`Error::Key`] when it may not.
    ///
    /// # Errors
    /// [`Error`], always.
    pub async fn upload_nothing(&self, key: &IdempotencyKey) -> Result<Answer, Error> {
        let boundary = Uuid::new_v4().simple().to_string();
        let purpose = "Content-Disposition: form-data; name=\"purpose\"\r\n\r\ndispute_evidence";
        let body = Bytes::from(format!("--{boundary}\r\n{purpose}\r\n--{boundary}--\r\n"));
        self.send(&Request::upload(Path::of("/v1/files"), Multipart { boundary, body }, key)).await
    }
}

fn multipart(file: &EvidenceFile<'_>, boundary: String) -> Multipart {
    let name = file_name(file.name);
    let media_type = file.media_type;
    let mut body = BytesMut::new();
    body.put(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\ndispute_evidence\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: {media_type}\r\n\r\n"
        )
        .as_bytes(),
    );
    body.put(file.content.as_ref());
    body.put(format!("\r\n--{boundary}--\r\n").as_bytes());
    Multipart { boundary, body: body.freeze() }
}

/// The last part of a path, safe within a quoted header value.
fn file_name(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if safe.trim().is_empty() { "file".to_owned() } else { safe.replace('"', "%22") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_its_header() {
        let names = [
            ("receipt.pdf", "receipt.pdf"),
            ("/home/me/a b.pdf", "a b.pdf"),
            ("C:\\x\\ü.png", "ü.png"),
            ("a\"; x=\"\r\n--b", "a%22; x=%22  --b"),
            ("/", "file"),
            ("", "file"),
        ];
        for (given, sent) in names {
            assert_eq!(file_name(given), sent);
        }
    }
}
