//! What the reason of a dispute calls for and where it comes from, and what is left of Stripe's limits.

use serde::Serialize;
use sqlx::PgConnection;

use crate::app::database;
use crate::store::queries::{self, Dispute, Response};

/// Most characters of all texts.
const MOST_CHARACTERS: usize = 150_000;
/// Most bytes of all files.
const MOST_BYTES: i64 = 4_500_000;

/// An evidence field that the reason calls for.
#[derive(Serialize)]
pub(super) struct Need {
    pub(super) field: String,
    pub(super) is_strong: bool,
    /// `staged`, `attached`, `filled in by Stripe` or `missing`.
    pub(super) source: &'static str,
}

/// How much of Stripe's limits a response uses. Pages of text and of files that Stripe holds are not counted.
#[derive(Serialize)]
pub(super) struct Limits {
    characters: usize,
    bytes: i64,
    pages: i64,
    /// None when this role may not read it.
    most_pages: Option<i32>,
}

/// What the reason calls for; none when this role may not read it.
pub(super) async fn needs(
    conn: &mut PgConnection,
    dispute: &Dispute,
    response: Option<&Response>,
) -> sqlx::Result<Option<Vec<Need>>> {
    let product = response.and_then(|response| response.fields.get("product_kind")).map(String::as_str);
    let called = database::permitted(queries::called_for(conn, dispute.reason.as_deref(), product).await)?;
    let need = |called: queries::Called| Need {
        source: source(response, &called.field),
        field: called.field,
        is_strong: called.is_strong,
    };
    Ok(called.map(|called| called.into_iter().map(need).collect()))
}

fn source(response: Option<&Response>, field: &str) -> &'static str {
    match response {
        Some(response) if response.fields.contains_key(field) => "staged",
        Some(response) if response.files.iter().any(|file| file.field == field) => "attached",
        Some(response) if response.held.contains_key(field) => "filled in by Stripe",
        Some(_) | None => "missing",
    }
}

pub(super) async fn limits(conn: &mut PgConnection, response: &Response) -> sqlx::Result<Limits> {
    let most = database::permitted(queries::page_limit(conn, &response.dispute_id, &response.phase).await)?.flatten();
    let texts = response.fields.iter().chain(response.held.iter());
    let counted = texts.filter(|(field, text)| *field != "product_kind" && !text.starts_with("file_"));
    Ok(Limits {
        characters: counted.map(|(_, text)| text.chars().count()).sum(),
        bytes: response.files.iter().map(|file| file.bytes).sum(),
        pages: response.files.iter().filter_map(|file| file.pages).sum(),
        most_pages: most,
    })
}

impl Limits {
    /// For people, with what is left.
    pub(super) fn said(&self) -> String {
        let characters = MOST_CHARACTERS.saturating_sub(self.characters);
        let pages = self
            .most_pages
            .map_or_else(String::new, |most| format!(", {} of {most} pages", i64::from(most) - self.pages));
        let bytes = MOST_BYTES - self.bytes;
        format!("\nLeft: {characters} of {MOST_CHARACTERS} characters, {bytes} of {MOST_BYTES} bytes{pages}\n")
    }
}
