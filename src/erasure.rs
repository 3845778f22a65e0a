//! Erases personal data: payment by payment, beside the running service.
//!
//! A payment is erased in one transaction, under the lock that one batch holds: so no batch is reading its bodies or
//! writing who paid. What was done is done: an erasure that was interrupted is run again, and finds what is left. Payments
//! that share a reference that is replaced are erased in one transaction together.
//!
//! Not here: what of a body is personal ([`crate::handlers::erased`]), and the statements ([`crate::store::erasure`]).

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};

use crate::domain::{Erasure, Facts, RULES_VERSION, Replace};
use crate::handlers;
use crate::store::erasure::{self, Body, Rows};
use crate::store::payments::StoredPayment;
use crate::store::queries::{self, Via};
use crate::store::{ledger, payments};

/// How long a payment that cannot be erased now is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// Bodies without a payment that are erased in one transaction.
const PAGE: usize = 200;

/// Whose personal data is erased.
#[derive(Clone, Debug, Default)]
pub struct Whose {
    /// Order references: all payments of the order.
    pub orders: Vec<String>,
    /// Payments, by their own id.
    pub payments: Vec<String>,
    /// Stripe's ids of customers.
    pub customers: Vec<String>,
    /// E-mail addresses, but for case.
    pub emails: Vec<String>,
    /// All that were erased before, and about which something arrived since.
    pub again: bool,
}

/// What there is to erase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The payments, by id.
    pub payments: Vec<String>,
    /// The events about no payment, by id.
    pub loose: Vec<String>,
    /// Payments that are not among them, and whose events have the reference that is replaced.
    pub others: Vec<String>,
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Payments.
    pub payments: i64,
    /// Bodies of events.
    pub bodies: i64,
    /// The other rows.
    pub rows: Rows,
}

/// How it is done.
#[derive(Clone, Debug)]
pub struct How {
    /// What is kept.
    pub erasure: Erasure,
    /// Evidence of open disputes too.
    pub even_needed: bool,
    /// Rolled back: only counted.
    pub is_dry_run: bool,
    /// Who does it; none: the database role.
    pub actor: Option<String>,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is in use, or needed.
    #[error("payment {0} {1}")]
    NotNow(String, String),
    /// Its body is still to be read.
    #[error("event {0} is not processed yet")]
    NotProcessed(String),
    /// The lock of a batch was not to be had.
    #[error("the service is busy with a batch")]
    Busy,
    /// The database refused a statement or is unreachable.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Counts {
    /// Adds those of another part.
    pub fn add(&mut self, other: Self) {
        self.payments += other.payments;
        self.bodies += other.bodies;
        self.rows.people += other.rows.people;
        self.rows.evidence += other.rows.evidence;
        self.rows.notes += other.rows.notes;
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let Rows { people, evidence, notes } = self.rows;
        let Self { payments, bodies, .. } = self;
        json!({ "payments": payments, "bodies": bodies, "people": people, "evidence": evidence, "notes": notes })
    }
}

/// Finds what there is to erase. Reads every body where a person or a replaced reference is looked for.
///
/// # Errors
/// When the database refuses a statement or is unreachable.
pub async fn find(conn: &mut PgConnection, whose: &Whose, erasure: &Erasure) -> sqlx::Result<Found> {
    let mut found = Found { payments: whose.payments.clone(), loose: Vec::new(), others: Vec::new() };
    for order in &whose.orders {
        found.payments.extend(erasure::of_order(conn, order).await?);
    }
    if !whose.customers.is_empty() || !whose.emails.is_empty() {
        found.payments.extend(erasure::of_people(conn, &whose.customers, &whose.emails).await?);
    }
    if whose.again {
        found.payments.extend(erasure::returned(conn).await?);
    }
    let people = people_patterns(whose);
    if !people.is_empty() {
        found.payments.extend(erasure::of_refunds(conn, &people).await?);
        let (owned, loose) = search(conn, &people).await?;
        found.payments.extend(owned);
        found.loose.extend(loose);
    }
    found.payments.sort_unstable();
    found.payments.dedup();
    if let Some(pattern) = reference_pattern(erasure) {
        let (owned, loose) = search(conn, &[pattern]).await?;
        found.others = owned.into_iter().filter(|id| !found.payments.contains(id)).collect();
        found.loose.extend(loose);
    }
    found.loose.sort_unstable();
    found.loose.dedup();
    Ok(found)
}

/// The payments that bodies with one of these patterns are about, and the events about none.
async fn search(conn: &mut PgConnection, patterns: &[String]) -> sqlx::Result<(Vec<String>, Vec<String>)> {
    let (mut payments, mut loose, mut after) = (Vec::new(), Vec::new(), String::new());
    loop {
        let searched = erasure::search(conn, &after, patterns).await?;
        let Some(last) = searched.last else { break };
        after = last;
        let (of_payments, of_none) = erasure::owners(conn, &searched.found).await?;
        payments.extend(of_payments);
        loose.extend(of_none);
    }
    payments.sort_unstable();
    payments.dedup();
    Ok((payments, loose))
}

/// What finds these people in JSON, as regular expressions of Postgres: a whole address or id, not a part of another.
fn people_patterns(whose: &Whose) -> Vec<String> {
    // After an escape such as `\n`, whose last character is a letter, an address may begin.
    let begins = r"(?:(?<![[:alnum:]._%+-])|(?<=\\[nrtbf]))";
    let ends = r"(?![[:alnum:]_-]|\.[[:alnum:]])";
    let people = whose.customers.iter().chain(&whose.emails);
    people.map(|person| format!("{begins}{}{ends}", literal(person))).collect()
}

/// What finds the reference that is replaced, where it is one.
fn reference_pattern(erasure: &Erasure) -> Option<String> {
    let Replace { from, .. } = erasure.replace.as_ref()?;
    let key = literal(&erasure.order_key);
    Some(format!(r#"(?c)"(?:{key}|client_reference_id)"\s*:\s*"?{}"?\s*[,}}]"#, literal(from)))
}

/// A text in JSON as a pattern, with or without escapes.
fn literal(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { escapable(c) }).collect()
}

/// As it is, as JSON may write it, or by its code units.
fn escapable(c: char) -> String {
    let json = Value::from(c.to_string()).to_string();
    let plain: String = json[1..json.len() - 1].chars().map(|c| format!("\\{c}")).collect();
    let units: String = c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\\\u{unit:04x}")).collect();
    format!("(?:{plain}|\\\\{plain}|{units})")
}

/// The first reason why one of these payments cannot be erased, with its payment; none: all can.
///
/// # Errors
/// When the database refuses a statement or is unreachable.
pub async fn obstacle(conn: &mut PgConnection, found: &Found, how: &How) -> sqlx::Result<Option<(String, String)>> {
    for payment_id in &found.payments {
        if let Some(reason) = erasure::obstacle(conn, payment_id, how.even_needed).await? {
            return Ok(Some((payment_id.clone(), reason)));
        }
    }
    Ok(None)
}

/// Erases what was found. `on_part` is given what was erased so far.
///
/// # Errors
/// [`Failure`]. What was erased by then is erased: run it again.
pub async fn erase(
    conn: &mut PgConnection,
    found: &Found,
    whose: &Whose,
    how: &How,
    mut on_part: impl FnMut(Counts),
) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    // A rehearsal counts nothing twice.
    for part in parts(found, whose, how.erasure.replace.is_some() || how.is_dry_run) {
        counts.add(patiently(conn, &part, how).await?);
        on_part(counts);
    }
    Ok(counts)
}

/// What is erased in one transaction.
#[derive(Default)]
struct Part<'a> {
    payments: &'a [String],
    /// Events about no payment.
    loose: &'a [String],
    /// What is left of them elsewhere.
    people: Option<&'a Whose>,
}

/// A payment each, then the rest; or everything at once.
fn parts<'a>(found: &'a Found, whose: &'a Whose, together: bool) -> Vec<Part<'a>> {
    if together {
        return vec![Part { payments: &found.payments, loose: &found.loose, people: Some(whose) }];
    }
    let payments = found.payments.chunks(1).map(|payments| Part { payments, ..Part::default() });
    let loose = found.loose.chunks(PAGE).map(|loose| Part { loose, ..Part::default() });
    payments.chain(loose).chain([Part { people: Some(whose), ..Part::default() }]).collect()
}

/// One transaction, tried again while something is in use. Then a pause as long as it took, for the service.
async fn patiently(conn: &mut PgConnection, what: &Part<'_>, how: &How) -> Result<Counts, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let began = Instant::now();
        match erase_part(conn, what, how).await {
            Ok(counts) => {
                sleep(began.elapsed()).await;
                return Ok(counts);
            }
            Err(Failure::Database(error)) => return Err(error.into()),
            Err(failure) if Instant::now() > deadline => return Err(failure),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn erase_part(conn: &mut PgConnection, what: &Part<'_>, how: &How) -> Result<Counts, Failure> {
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, how.actor.as_deref(), Via::Cli).await?;
    if !ledger::try_lock(&mut tx, RULES_VERSION).await? {
        return Err(Failure::Busy);
    }
    let mut counts = Counts::default();
    for payment in locked(&mut tx, what.payments).await? {
        counts.add(erase_payment(&mut tx, payment, how).await?);
    }
    if let Some(pending) = erasure::pending(&mut tx, what.loose).await? {
        return Err(Failure::NotProcessed(pending));
    }
    let bodies = erasure::bodies(&mut tx, what.loose).await?;
    counts.bodies += save_erased(&mut tx, bodies, how).await?;
    if let Some(whose) = what.people {
        counts.add(erase_people(&mut tx, whose, how).await?);
    }
    if let Some(replace) = &how.erasure.replace {
        erasure::replace_reference(&mut tx, &replace.from, &replace.to).await?;
    }
    if how.is_dry_run {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(counts)
}

/// These payments, or those that they were merged into, locked.
async fn locked(tx: &mut PgConnection, ids: &[String]) -> Result<Vec<StoredPayment>, Failure> {
    let owners = payments::owners(tx, ids).await?;
    let mut current: Vec<String> = ids.iter().map(|id| owners.get(id).unwrap_or(id).clone()).collect();
    current.sort_unstable();
    current.dedup();
    let locked = payments::lock(tx, &current).await?;
    match current.into_iter().find(|id| !locked.iter().any(|payment| payment.payment_id == *id)) {
        Some(held) => Err(Failure::NotNow(held, "is held by another transaction".to_owned())),
        None => Ok(locked),
    }
}

async fn erase_payment(tx: &mut PgConnection, payment: StoredPayment, how: &How) -> Result<Counts, Failure> {
    let StoredPayment { payment_id, facts, rules, .. } = payment;
    if let Some(reason) = erasure::obstacle(tx, &payment_id, how.even_needed).await? {
        return Err(Failure::NotNow(payment_id, reason));
    }
    let Some(mut facts) = facts.filter(|_| rules == RULES_VERSION) else {
        let reason = format!("was derived by another release: run `clawback rebuild {payment_id}` first");
        return Err(Failure::NotNow(payment_id, reason));
    };
    facts.erase(&how.erasure);
    let document = serde_json::to_string(&facts).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let is_changed = erasure::save_facts(tx, &payment_id, &document, &metadata(&facts)).await?;
    let all = how.erasure.replace.is_some();
    let mut bodies = erasure::bodies_of(tx, &payment_id, all).await?;
    bodies.extend(erasure::unvouched_of(tx, &payment_id, all).await?);
    let bodies = save_erased(tx, bodies, how).await?;
    let rows = erasure::erase_payment(tx, &payment_id).await?;
    let counts = Counts { payments: 1, bodies, rows };
    if !is_changed && bodies == 0 && rows == Rows::default() {
        return Ok(Counts::default());
    }
    erasure::record(tx, "payment", &payment_id, counts.json()).await?;
    Ok(counts)
}

/// The metadata that is left of each refund.
fn metadata(facts: &Facts) -> Vec<(String, Value)> {
    let refunds = facts.refunds.iter();
    refunds.filter_map(|(id, refund)| Some((id.clone(), refund.best.value.metadata.clone()?))).collect()
}

/// Returns how many there were.
async fn save_erased(tx: &mut PgConnection, bodies: Vec<Body>, how: &How) -> sqlx::Result<i64> {
    let erased = |body: Body| Body { payload: handlers::erased(&body.payload, &how.erasure), ..body };
    let bodies: Vec<Body> = bodies.into_iter().map(erased).collect();
    erasure::save_bodies(tx, &bodies).await?;
    Ok(i64::try_from(bodies.len()).unwrap_or(i64::MAX))
}

/// What is left of the people themselves: on objects of no payment, and in events kept apart.
async fn erase_people(tx: &mut PgConnection, whose: &Whose, how: &How) -> sqlx::Result<Counts> {
    let patterns: Vec<String> = people_patterns(whose).into_iter().chain(reference_pattern(&how.erasure)).collect();
    if patterns.is_empty() {
        return Ok(Counts::default());
    }
    let bodies = erasure::unvouched_with(tx, &patterns).await?;
    let bodies = save_erased(tx, bodies, how).await?;
    let people = erasure::erase_people(tx, &whose.customers, &whose.emails).await?;
    Ok(Counts { bodies, rows: Rows { people, ..Rows::default() }, ..Counts::default() })
}
