//! What the reason of a dispute calls for and where it comes from, and how much of Stripe's limits is used: for the
//! commands and the console, which show it.

use serde::Serialize;
use sqlx::PgConnection;

use super::fields::takes_file;
use crate::store::queries::{self, Dispute, Response};
use crate::store::sqlstate;

/// Most characters of all texts.
pub const MOST_CHARACTERS: usize = 150_000;
/// Most bytes of all files.
pub const MOST_BYTES: i64 = 4_500_000;

/// Characters of text that count as a page.
pub const CHARACTERS_OF_A_PAGE: usize = 3_000;
/// The text of an appeal, without which it cannot be submitted.
pub const APPEAL_REASON: &str = "appeal.card.reason_for_filing";
/// The first file of an appeal.
const APPEAL_FILES: &str = "appeal.card.supporting_files[0]";

/// An evidence field that the reason calls for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its name.
    pub field: String,
    /// It makes winning more likely.
    pub is_strong: bool,
    /// `staged`, `attached`, `filled in by Stripe`; `missing` where it helps most, and otherwise `not there`.
    pub source: &'static str,
}

/// How much of Stripe's limits a response uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Characters of all texts, of at most [`MOST_CHARACTERS`].
    pub characters: usize,
    /// Bytes of all files, of at most [`MOST_BYTES`].
    pub bytes: i64,
    /// Of files and of text. A file that Stripe holds counts as one page, and one whose pages are not counted yet as none.
    pub pages: i64,
    /// None when this role may not read it.
    pub most_pages: Option<i32>,
}

/// What the reason of a dispute calls for, or what an appeal takes, and what is there of it in `response`. None when this
/// role may not read it.
///
/// # Errors
/// The database's.
pub async fn needs(
    conn: &mut PgConnection,
    dispute: &Dispute,
    response: Option<&Response>,
) -> sqlx::Result<Option<Vec<Need>>> {
    if dispute.phase == "appeal" {
        return Ok(Some(vec![need(response, APPEAL_REASON, true), need(response, APPEAL_FILES, false)]));
    }
    let product = response.and_then(|response| response.fields.get("product_kind")).map(String::as_str);
    let called = sqlstate::permitted(queries::called_for(conn, dispute.reason.as_deref(), product).await)?;
    let need = |called: &queries::Called| need(response, &called.field, called.is_strong);
    Ok(called.map(|called| called.iter().map(need).collect()))
}

fn need(response: Option<&Response>, field: &str, is_strong: bool) -> Need {
    let source = response.and_then(|response| source(response, field));
    let absent = if is_strong { "missing" } else { "not there" };
    Need { field: field.to_owned(), is_strong, source: source.unwrap_or(absent) }
}

/// Where a field comes from; none when it is not there.
fn source(response: &Response, field: &str) -> Option<&'static str> {
    // Any place of the list counts.
    let is_it =
        |name: &str| name == field || field == APPEAL_FILES && name.starts_with("appeal.card.supporting_files[");
    if response.fields.contains_key(field) {
        Some("staged")
    } else if response.files.iter().any(|file| is_it(&file.field)) {
        Some("attached")
    } else {
        response.held.contains_key(field).then_some("filled in by Stripe")
    }
}

/// What a response uses, counted as `clawback.evidence_problems` does.
///
/// # Errors
/// The database's.
pub async fn limits(conn: &mut PgConnection, response: &Response) -> sqlx::Result<Limits> {
    let most = sqlstate::permitted(queries::page_limit(conn, &response.dispute_id, &response.phase).await)?.flatten();
    let texts = response.fields.iter().chain(response.held.iter());
    let counted = texts.filter(|(field, _)| *field != "product_kind" && !takes_file(field));
    let characters: usize = counted.map(|(_, text)| text.chars().count()).sum();
    let of_text = characters.div_ceil(CHARACTERS_OF_A_PAGE);
    let held = response.held.keys().filter(|field| takes_file(field)).count();
    let of_files: i64 = response.files.iter().filter_map(|file| file.pages).sum();
    Ok(Limits {
        characters,
        bytes: response.files.iter().map(|file| file.bytes).sum(),
        pages: of_files + i64::try_from(of_text + held).unwrap_or(i64::MAX),
        most_pages: most,
    })
}
