//! Attaching, removing and downloading the files of a response.
//!
//! Nothing of a file is ever shown in a page: it is given back as it came, as an attachment. What a file must be is
//! checked by SQL, by its content.

use std::sync::Arc;
use std::time::Duration;

use axum::Form;
use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sqlx::PgConnection;
use tokio::time::timeout;

use super::case::Case;
use super::done::Done;
use super::evidence::{SAME_MOMENT, TRIES};
use super::fields;
use super::sent::Sent;
use crate::console::extract::Path;
use crate::console::failure::{Failure, refusal};
use crate::console::form::Problems;
use crate::console::parts::encoded;
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, guard};
use crate::desk::checklist;
use crate::evidence::merge;
use crate::store::{queries, responses, sqlstate};

/// Most bytes of all files of a response.
const MOST_BYTES: usize = checklist::MOST_BYTES as usize;
/// The largest form with files, in bytes.
pub(in crate::console) const LARGEST_FORM: usize = MOST_BYTES + (64 << 10);
/// How long sending the files may take: before the request as a whole is ended, so that a page can say why.
const UPLOAD_LIMIT: Duration = guard::UPLOAD_LIMIT.saturating_sub(Duration::from_secs(15));
/// How long one waits while two others send files.
const TURN: Duration = Duration::from_secs(10);
/// While two others send files.
const BUSY: &str = "two other uploads are under way, so yours was not taken. Choose the file again in a moment.";
/// Longest name of a file, in bytes.
const LONGEST_NAME: usize = 255;

/// What a form with files holds.
#[derive(Debug, Default)]
struct Sending {
    /// The SHA-256 of the file that the page showed, in hexadecimal; empty for none.
    was: String,
    /// Names and contents.
    files: Vec<(String, Vec<u8>)>,
}

pub(in crate::console) async fn attach(
    State(console): State<Arc<Console>>,
    who: Who,
    Path((id, field)): Path<(String, String)>,
    sent: Result<Multipart, MultipartRejection>,
) -> Result<Response, Failure> {
    let sent = sent.map_err(|_| Failure::Unreadable("This form holds no file.".to_owned()))?;
    let read = {
        let Ok(Ok(_turn)) = timeout(TURN, console.uploads.acquire()).await else {
            let sentence = format!("{field}: {BUSY}");
            return console.not_attached(&who, &id, &field, StatusCode::SERVICE_UNAVAILABLE, sentence).await;
        };
        timeout(UPLOAD_LIMIT, read(sent, &field)).await
    };
    let read = read.unwrap_or_else(|_| Err(format!("{field}: sending it took too long. Try again.")));
    let made = match read {
        Ok(Sending { was, files }) => made(field.clone(), files).await.map(|document| (was, document)),
        Err(sentence) => Err(sentence),
    };
    let (was, (name, content)) = match made {
        Ok(made) => made,
        Err(sentence) => {
            return console.not_attached(&who, &id, &field, StatusCode::UNPROCESSABLE_ENTITY, sentence).await;
        }
    };
    console.attach(&who, &id, &field, &was, (&name, &content)).await
}

/// One document of what was sent, made on a thread of its own: it may be hostile.
async fn made(field: String, files: Vec<(String, Vec<u8>)>) -> Result<(String, Vec<u8>), String> {
    let unreadable = format!("{field}: the files cannot be read");
    tokio::task::spawn_blocking(move || document(&field, files)).await.unwrap_or(Err(unreadable))
}

/// What the button to remove a file sends.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Removal {
    was: String,
}

pub(in crate::console) async fn remove(
    State(console): State<Arc<Console>>,
    who: Who,
    Path((id, field)): Path<(String, String)>,
    sent: Result<Form<Removal>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(Removal { was }) = sent.map_err(|_| Failure::Unreadable("This form names no file.".to_owned()))?;
    for _ in 0..TRIES {
        let mut tx = console.acting(&who).await?;
        let case = Case::load(&mut tx, &id).await?;
        match case.file(&field) {
            None => return Ok(console.see(&Done::Removed.path(&id))),
            Some(file) if file.sha256 != was => {
                drop(tx);
                let sentence =
                    format!("{field}: somebody attached another file meanwhile. Look at it before you remove it.");
                return console.not_attached(&who, &id, &field, StatusCode::CONFLICT, sentence).await;
            }
            Some(_) => {}
        }
        match queries::detach_evidence_file(&mut tx, &id, &field, Some(case.version())).await {
            Ok(_) => {
                tx.commit().await?;
                return Ok(console.see(&Done::Removed.path(&id)));
            }
            Err(error) if sqlstate::is_any(&error, &["CB409"]) => {}
            Err(error) => {
                drop(tx);
                return console.refused(&who, &id, &field, error).await;
            }
        }
    }
    console.not_attached(&who, &id, &field, StatusCode::CONFLICT, format!("{field}: {SAME_MOMENT}")).await
}

/// A file as it was attached, never to be shown by the browser itself.
pub(in crate::console) async fn download(
    State(console): State<Arc<Console>>,
    who: Who,
    Path((id, field)): Path<(String, String)>,
) -> Result<Response, Failure> {
    if !who.may(Right::Payloads) {
        return Err(Failure::Forbidden(Right::Payloads));
    }
    let mut tx = console.reading().await?;
    let (name, content) = content(&mut tx, &id, &field).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, disposition(&name)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    Ok((headers, content).into_response())
}

async fn content(conn: &mut PgConnection, id: &str, field: &str) -> Result<(String, Vec<u8>), Failure> {
    let none = || Failure::NotFound(format!("Dispute {id} has no file for {field}."));
    let dispute = super::case::dispute(conn, id).await?;
    let files = responses::files(conn, id, &dispute.phase).await?;
    let file = files.into_iter().find(|file| file.field == field).ok_or_else(none)?;
    let gone = || Failure::NotFound("The dispute is closed, and this file is no longer kept.".to_owned());
    Ok((file.name, responses::content(conn, file.id).await?.ok_or_else(gone)?))
}

/// `attachment` with the name, in the forms of RFC 6266.
fn disposition(name: &str) -> HeaderValue {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_ ".contains(c) { c } else { '_' }).collect();
    let value = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", encoded(name));
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}

impl Console {
    /// Attaches a document, if the field still has the file that the page showed. One that is there already is not
    /// attached again.
    async fn attach(
        &self,
        who: &Who,
        id: &str,
        field: &str,
        was: &str,
        (name, content): (&str, &[u8]),
    ) -> Result<Response, Failure> {
        for _ in 0..TRIES {
            let mut tx = self.acting(who).await?;
            let case = Case::load(&mut tx, id).await?;
            let now = case.file(field).map_or("", |file| &file.sha256);
            if now == digest(content) {
                return Ok(self.see(&Done::Attached.path(id)));
            }
            if now != was {
                drop(tx);
                let sentence = format!(
                    "{field}: somebody attached or removed a file meanwhile. Look at it, then attach yours again."
                );
                return self.not_attached(who, id, field, StatusCode::CONFLICT, sentence).await;
            }
            match queries::attach_evidence_file(&mut tx, id, field, (name, content), Some(case.version())).await {
                Ok(_) => {
                    tx.commit().await?;
                    return Ok(self.see(&Done::Attached.path(id)));
                }
                Err(error) if sqlstate::is_any(&error, &["CB409"]) => {}
                Err(error) => {
                    drop(tx);
                    return self.refused(who, id, field, error).await;
                }
            }
        }
        self.not_attached(who, id, field, StatusCode::CONFLICT, format!("{field}: {SAME_MOMENT}")).await
    }

    async fn refused(&self, who: &Who, id: &str, field: &str, error: sqlx::Error) -> Result<Response, Failure> {
        let Some(sentence) = refusal(&error) else { return Err(error.into()) };
        let is_about_state = sqlstate::is_any(&error, &["55000", "40001"]);
        let status = if is_about_state { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
        self.not_attached(who, id, field, status, sentence).await
    }

    /// The page of evidence, with why a file was not taken.
    async fn not_attached(
        &self,
        who: &Who,
        id: &str,
        field: &str,
        status: StatusCode,
        sentence: String,
    ) -> Result<Response, Failure> {
        let case = Case::load(&mut *self.reading().await?, id).await?;
        let problems = Problems::one(field, fields::named(field, &sentence));
        Ok(self.evidence(status, &self.view(who, &case, &Sent::default(), &problems)))
    }
}

/// Reads the form. Errors are sentences that name the field.
async fn read(mut sent: Multipart, field: &str) -> Result<Sending, String> {
    let mut sending = Sending::default();
    let said = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            format!("{field}: all files together may have at most 4.5 MB ({MOST_BYTES} bytes); what was sent has more")
        }
        _ => format!("{field}: the file did not arrive whole. Try again."),
    };
    while let Some(part) = sent.next_field().await.map_err(said)? {
        let (name, file_name) = (part.name().unwrap_or_default().to_owned(), part.file_name().map(cleaned));
        let content = part.bytes().await.map_err(said)?;
        match (name.as_str(), file_name) {
            ("was", _) => sending.was = String::from_utf8_lossy(&content).into_owned(),
            ("file", Some(file_name)) if !content.is_empty() || !file_name.is_empty() => {
                sending.files.push((file_name, content.into()));
            }
            _ => {}
        }
    }
    Ok(sending)
}

/// One file as it is, or several as one PDF, with its name.
fn document(field: &str, mut files: Vec<(String, Vec<u8>)>) -> Result<(String, Vec<u8>), String> {
    if files.len() > 1 {
        let merged = merge(&files).map_err(|error| format!("{field}: {error}"))?;
        return Ok((format!("{}.pdf", field.replace(['[', ']'], "")), merged));
    }
    let (name, content) = files.pop().ok_or_else(|| format!("{field}: choose a file first"))?;
    match content.len() {
        0 => Err(format!("{field}: the file {name} is empty")),
        1..=MOST_BYTES => Ok((name, content)),
        bytes => Err(format!(
            "{field}: all files together may have at most 4.5 MB ({MOST_BYTES} bytes); {name} has {bytes} bytes"
        )),
    }
}

/// The last part of a file's name, without control characters, of at most 255 bytes.
fn cleaned(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut cleaned: String = last.chars().filter(|c| !c.is_control()).collect();
    let end = (0..=LONGEST_NAME.min(cleaned.len())).rev().find(|end| cleaned.is_char_boundary(*end));
    cleaned.truncate(end.unwrap_or_default());
    if cleaned.trim().is_empty() && !name.is_empty() { "file".to_owned() } else { cleaned }
}

fn digest(content: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(&Sha256::digest(content)[..])
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_last_part_without_control_characters_and_of_255_bytes() {
        for (given, name) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\fakepath\\a.pdf", "a.pdf"),
            ("a\n\"b\u{0}.pdf", "a\"b.pdf"),
            ("/", "file"),
            ("", ""),
        ] {
            assert_eq!(cleaned(given), name);
        }
        assert_eq!(cleaned(&"ü".repeat(200)).len(), 254);
    }

    #[test]
    fn a_download_is_an_attachment_whatever_its_name() {
        assert_eq!(
            disposition("a\"ü;.pdf").to_str().unwrap(),
            "attachment; filename=\"a___.pdf\"; filename*=UTF-8''a%22%C3%BC%3B.pdf"
        );
    }

    #[test]
    fn a_refused_file_is_named_with_the_limit_and_what_was_given() {
        let refused = |files| document("receipt", files).unwrap_err();
        let large = vec![("big.pdf".to_owned(), vec![0; MOST_BYTES + 1])];
        assert_eq!(
            refused(large),
            "receipt: all files together may have at most 4.5 MB (4500000 bytes); big.pdf has 4500001 bytes"
        );
        assert_eq!(refused(Vec::new()), "receipt: choose a file first");
        assert_eq!(refused(vec![("a.pdf".to_owned(), Vec::new())]), "receipt: the file a.pdf is empty");
    }
}
