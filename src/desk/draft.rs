//! What a draft of a response can be filled with, from the ledger and the merchant's policy; and staging it, for a person or
//! by itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use time::Date;

use crate::evidence::{self, Attached, Bodies, CalledFor, Filled, Letter, Policy, PolicyFile, Product, Sources, ce3};
use crate::store::queries::{self, Dispute, Response};
use crate::store::{desk, sources};
use crate::terminal::error_chain::error_chain;

/// The field of the cover letter.
pub const LETTER: &str = "uncategorized_text";

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was sold; none: nobody said, and a physical product is assumed.
    pub product: Option<Product>,
    /// Texts to stage, the letter last.
    pub fields: Vec<Filled>,
    /// Documents of the policy to attach.
    pub files: Vec<PolicyFile>,
    /// What a person should look at.
    pub notes: Vec<String>,
}

/// Who drafts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A person: Stripe no longer responds by itself, and says whether Visa Compelling Evidence 3.0 qualifies.
    Person,
    /// The service, when a dispute arrives: nothing changes at Stripe.
    Itself,
}

/// Why nothing can be drafted.
#[derive(Debug, thiserror::Error)]
pub enum CannotDraft {
    /// A document of the policy.
    #[error("cannot read {path} for {field}")]
    Document {
        /// The file, as configured.
        path: String,
        /// The evidence field.
        field: String,
        /// Why.
        source: std::io::Error,
    },
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
    let said = chosen.or_else(|| policy.product(&sources));
    let product = said.unwrap_or(Product::Physical);
    let called = queries::called_for(conn, dispute.reason.as_deref(), Some(&product.to_string())).await?;
    let called_for: Vec<_> =
        called.into_iter().map(|called| CalledFor { field: called.field, is_strong: called.is_strong }).collect();
    let already = already(response);
    let evidence::Draft { fields, files, notes } = evidence::draft(&sources, policy, product, &called_for, &already);
    let mut found = Found { product: said, fields, files, notes };
    found.note_what_is_unsure();
    found.add_compelling(ce3::pair(&sources, policy, product), &already);
    let former = sources::letter(conn, &dispute.dispute_id, &dispute.phase).await?;
    if already.get(LETTER).is_none_or(|text| Some(text) == former.as_ref()) {
        let known = Letter {
            sources: &sources,
            policy,
            product,
            texts: &BTreeMap::new(),
            files: &[],
            called_for: &called_for,
            on: today,
        };
        found.add_letter(known, &already, response);
    }
    Ok(found)
}

impl Found {
    /// Notes what a person must look at before this is staged.
    fn note_what_is_unsure(&mut self) {
        if self.product.is_none() {
            let note = "a physical product is assumed: set product_kind to physical, digital or service, or set the product in the policy";
            self.notes.push(note.to_owned());
        }
        let unreadable = self.files.iter().filter_map(|file| read(file).err());
        self.notes.extend(unreadable.map(|error| error_chain(&error)));
    }

    /// Adds the earlier payments for Visa Compelling Evidence 3.0, or why there are none.
    fn add_compelling(&mut self, pair: Result<ce3::Pair, ce3::Why>, already: &BTreeMap<String, String>) {
        match pair {
            Ok(pair) => {
                self.fields.extend(pair.fields.into_iter().filter(|filled| !already.contains_key(&filled.field)));
                self.notes.extend(pair.notes);
            }
            Err(ce3::Why::OtherReason(_)) => {}
            Err(why) => self.notes.push(why.to_string()),
        }
    }

    /// Adds the cover letter for what is there and what was found.
    fn add_letter(&mut self, known: Letter<'_>, already: &BTreeMap<String, String>, response: Option<&Response>) {
        let mut texts = already.clone();
        texts.remove(LETTER);
        texts.extend(self.fields.iter().map(|filled| (filled.field.clone(), filled.value.clone())));
        let fields: Vec<String> = self.files.iter().map(|file| file.field.clone()).chain(attached(response)).collect();
        let files: Vec<_> = fields.iter().map(|field| Attached { field }).collect();
        let value = evidence::letter(&Letter { texts: &texts, files: &files, ..known });
        self.fields.push(Filled { field: LETTER.to_owned(), value, source: "a cover letter".to_owned() });
    }

    /// The texts as they are staged, with what was sold.
    fn texts(&self) -> Value {
        let texts = self.fields.iter().map(|filled| (filled.field.clone(), Value::from(filled.value.as_str())));
        let product = self.product.map(|product| ("product_kind".to_owned(), Value::from(product.to_string())));
        texts.chain(product).collect()
    }

    fn is_compelling(&self) -> bool {
        self.fields.iter().any(|filled| filled.field.starts_with(ce3::PREFIX))
    }
}

/// Attaches the documents and stages the texts, if the draft still is this version. In a transaction of the caller's. The
/// new version.
pub async fn stage(
    tx: &mut PgConnection,
    dispute: &Dispute,
    found: &Found,
    mut version: i64,
    by: By,
) -> Result<i64, CannotDraft> {
    let id = &dispute.dispute_id;
    for file in &found.files {
        let content = read(file)?;
        let name = Path::new(&file.path).file_name().unwrap_or_default().to_string_lossy();
        version = match by {
            By::Person => queries::attach_evidence_file(tx, id, &file.field, (&name, &content), Some(version)).await?,
            By::Itself => desk::attach_to_draft(tx, id, &file.field, (&name, &content), version).await?,
        };
    }
    version = match by {
        By::Person => queries::stage_evidence(tx, id, &found.texts(), Some(version)).await?,
        By::Itself => desk::stage_draft(tx, id, &found.texts(), version).await?,
    };
    if let Some(letter) = found.fields.iter().find(|filled| filled.field == LETTER) {
        sources::set_letter(tx, id, &dispute.phase, &letter.value).await?;
    }
    if by == By::Person && found.is_compelling() {
        desk::dry_run(tx, id, &dispute.phase).await?;
    }
    Ok(version)
}

fn read(file: &PolicyFile) -> Result<Vec<u8>, CannotDraft> {
    let PolicyFile { path, field, .. } = file;
    std::fs::read(path).map_err(|source| CannotDraft::Document { path: path.clone(), field: field.clone(), source })
}

/// Begins the draft of a dispute by itself, once for each phase. Returns whether it did.
///
/// # Errors
/// [`CannotDraft`].
pub async fn begin(
    conn: &mut PgConnection,
    dispute_id: &str,
    policy: &Policy,
    today: Date,
) -> Result<bool, CannotDraft> {
    let Some(dispute) = queries::dispute(conn, dispute_id).await? else { return Ok(false) };
    let response = queries::response(conn, dispute_id, Some(&dispute.phase)).await?;
    let version = response.as_ref().map_or(0, |response| response.version);
    // An appeal begins empty, and a response with a network's fee is a person's to begin.
    if version > 0 || !matches!(dispute.phase.as_str(), "inquiry" | "chargeback") {
        return Ok(false);
    }
    let found = find(conn, &dispute, response.as_ref(), policy, today).await?;
    let mut tx = conn.begin().await?;
    stage(&mut tx, &dispute, &found, version, By::Itself).await?;
    tx.commit().await?;
    Ok(true)
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
