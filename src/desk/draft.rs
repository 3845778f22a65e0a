//! What a draft of a response can be filled with, from the ledger and the merchant's policy. Stages nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;
use time::Date;

use crate::evidence::{self, Attached, Bodies, CalledFor, Filled, Letter, Policy, PolicyFile, Product, Sources, ce3};
use crate::store::queries::{self, Dispute, Response};
use crate::store::sources;

/// The field of the cover letter.
pub const LETTER: &str = "uncategorized_text";

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was sold.
    pub product: Product,
    /// Texts to stage, the letter last.
    pub fields: Vec<Filled>,
    /// Documents of the policy to attach.
    pub files: Vec<PolicyFile>,
    /// What a person should look at.
    pub notes: Vec<String>,
}

/// Why nothing can be drafted.
#[derive(Debug, thiserror::Error)]
pub enum CannotDraft {
    /// The dispute cannot be read.
    #[error("the event that showed dispute {0} is gone or cannot be read: nothing can be drafted")]
    Unreadable(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Finds values for what is neither in the draft nor filled in by Stripe. The letter is written again unless a person
/// changed it; `today` is its date.
pub async fn find(
    conn: &mut PgConnection,
    dispute: &Dispute,
    response: Option<&Response>,
    policy: &Policy,
    today: Date,
) -> Result<Found, CannotDraft> {
    let unreadable = || CannotDraft::Unreadable(dispute.dispute_id.clone());
    let bodies = sources::of_dispute(conn, &dispute.dispute_id).await?;
    let others = sources::of_same_people(conn, &dispute.dispute_id).await?;
    let sources =
        Sources::read(&sorted(dispute, &bodies, &others).ok_or_else(unreadable)?).map_err(|_| unreadable())?;
    let chosen = response.and_then(|response| response.fields.get("product_kind")?.parse().ok());
    let product = chosen.or_else(|| policy.product(&sources)).unwrap_or(Product::Physical);
    let called = queries::called_for(conn, dispute.reason.as_deref(), Some(&product.to_string())).await?;
    let called_for: Vec<_> =
        called.into_iter().map(|called| CalledFor { field: called.field, is_strong: called.is_strong }).collect();
    let already = already(response);
    let evidence::Draft { mut fields, files, mut notes } =
        evidence::draft(&sources, policy, product, &called_for, &already);
    match ce3::pair(&sources, policy, product) {
        Ok(pair) => {
            fields.extend(pair.fields.into_iter().filter(|filled| !already.contains_key(&filled.field)));
            notes.extend(pair.notes);
        }
        Err(ce3::Why::OtherReason(_)) => {}
        Err(why) => notes.push(why.to_string()),
    }
    let former = sources::letter(conn, &dispute.dispute_id, &dispute.phase).await?;
    if already.get(LETTER).is_none_or(|text| Some(text) == former.as_ref()) {
        let mut texts = already.clone();
        texts.remove(LETTER);
        texts.extend(fields.iter().map(|filled| (filled.field.clone(), filled.value.clone())));
        let attached: Vec<String> = files.iter().map(|file| file.field.clone()).chain(attached(response)).collect();
        let attached: Vec<_> = attached.iter().map(|field| Attached { field }).collect();
        let about = Letter {
            sources: &sources,
            policy,
            product,
            texts: &texts,
            files: &attached,
            called_for: &called_for,
            on: today,
        };
        let letter =
            Filled { field: LETTER.to_owned(), value: evidence::letter(&about), source: "a cover letter".to_owned() };
        fields.push(letter);
    }
    Ok(Found { product, fields, files, notes })
}

/// Ours, and what Stripe filled in: text by field; for a file, its name.
fn already(response: Option<&Response>) -> BTreeMap<String, String> {
    let Some(response) = response else { return BTreeMap::new() };
    let files = response.files.iter().map(|file| (file.field.clone(), file.name.clone()));
    let texts = response.held.iter().chain(response.fields.iter()).map(|(field, text)| (field.clone(), text.clone()));
    texts.chain(files).collect()
}

/// The fields that hold a file: ours, and what Stripe filled in.
fn attached(response: Option<&Response>) -> impl Iterator<Item = String> {
    let ours = response.into_iter().flat_map(|response| response.files.iter().map(|file| file.field.clone()));
    let held = response.into_iter().flat_map(|response| response.held.iter());
    ours.chain(held.filter(|(_, value)| value.starts_with("file_")).map(|(field, _)| field.clone()))
}

/// The bodies by what they show. None without the dispute.
fn sorted<'a>(dispute: &Dispute, bodies: &'a [sources::Body], others: &'a [String]) -> Option<Bodies<'a>> {
    let mut found = Bodies { others: others.iter().map(String::as_str).collect(), ..Bodies::default() };
    let mut shown = None;
    // By ID, so that the last body of an object replaces the first.
    let (mut refunds, mut reviews) = (BTreeMap::new(), BTreeMap::new());
    for body in bodies {
        let text = body.payload.as_str();
        match kind(text).as_deref() {
            Some("dispute") if body.object_id == dispute.dispute_id => shown = Some(text),
            Some("charge") if Some(&body.object_id) == dispute.charge_id.as_ref() => {
                found.first_charge = found.first_charge.or(Some(text));
                found.charge = Some(text);
            }
            Some("payment_intent") => found.intent = Some(text),
            Some("checkout.session") => found.session = Some(text),
            Some("refund") => drop(refunds.insert(&body.object_id, text)),
            Some("review") => drop(reviews.insert(&body.object_id, text)),
            Some(_) | None => {}
        }
    }
    found.refunds = refunds.into_values().collect();
    found.reviews = reviews.into_values().collect();
    Some(Bodies { dispute: shown?, ..found })
}

/// What an event shows.
fn kind(event: &str) -> Option<String> {
    let event: Value = serde_json::from_str(event).ok()?;
    Some(event.pointer("/data/object/object")?.as_str()?.to_owned())
}
