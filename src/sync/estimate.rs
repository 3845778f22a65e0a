//! How much an import will read, by the first page of each list.

use serde::Deserialize;
use sqlx::PgConnection;

use super::part::{IMPORTED, List};
use super::{Error, Pass, is_dispensable};
use crate::stripe_api::{Created, Page};

/// Objects on a page.
const PAGE: u64 = 100;

/// How much is on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The list.
    pub list: List,
    /// How many objects, to the nearest thousand or so where there is more than a page.
    pub objects: u64,
    /// Calls that read them.
    pub calls: u64,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    created: i64,
}

impl Pass<'_> {
    /// Reads the first page of each list of an import, and estimates the rest from how close in time its objects are.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn estimate(&self, conn: &mut PgConnection) -> Result<Vec<Estimate>, Error> {
        let (calls, from) = (self.calls()?, self.held.reads_from.unix_timestamp());
        let mut estimates = Vec::new();
        for list in IMPORTED {
            self.turn(conn).await?;
            let page = list.pages(&calls, Created { from: Some(from), before: None }).next().await;
            let page = match page.map_err(Error::from) {
                Err(error) if is_dispensable(list, &error) => continue,
                page => page?,
            };
            let objects = page.map_or(0, |page| objects(&page, from));
            estimates.push(Estimate { list, objects, calls: objects.div_ceil(PAGE).max(1) });
        }
        Ok(estimates)
    }
}

/// The newest objects come first.
fn objects(page: &Page, from: i64) -> u64 {
    let listed = page.items.len() as u64;
    let created =
        |json: &serde_json::value::RawValue| serde_json::from_str::<Head>(json.get()).ok().map(|it| it.created);
    let newest = page.items.first().and_then(|json| created(json));
    let oldest = page.items.last().and_then(|json| created(json));
    match (page.has_more, newest, oldest) {
        (true, Some(newest), Some(oldest)) => {
            let (window, span) = (newest.saturating_sub(from).max(1), newest.saturating_sub(oldest).max(1));
            listed.saturating_mul(window.unsigned_abs()) / span.unsigned_abs()
        }
        _ => listed,
    }
}
