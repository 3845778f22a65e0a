//! One read: an object, or a list of objects, that the facts called for or a thin event named.

use std::time::SystemTime;

use sqlx::PgPool;
use time::OffsetDateTime;

use super::outcome::{Outcome, Shown, Step};
use super::record::entry;
use super::{Executor, Lease};
use crate::apply;
use crate::domain::ReadKind;
use crate::store::inbox::NewEvent;
use crate::store::ledger;
use crate::stripe::fetched::{Fetched, answered_at};
use crate::stripe::thin::Thin;
use crate::stripe_api::{Answer, Calls, Error, Of, Pages, Scope};

/// What a charge is fetched with: how much of it moved tells what its capture released.
const WITH_CHARGE: &[&str] = &["balance_transaction"];

impl Executor {
    /// Reads, unless it is of no use any more.
    pub(super) async fn read(&self, pool: &PgPool, lease: &Lease, kind: ReadKind) -> sqlx::Result<Outcome> {
        let (object, round) = (lease.call.subject.as_str(), lease.call.round.as_str());
        let mut conn = pool.acquire().await?;
        if !apply::is_still_wanted(&mut conn, kind, object, round, &self.rules).await? {
            return Ok(Outcome::Over);
        }
        // Of the other kinds the round is no event's id.
        let bodies = if kind == ReadKind::Related { ledger::bodies(&mut conn, &[round]).await? } else { [].into() };
        drop(conn);
        let thin = bodies.get(round).and_then(|body| Thin::read(body));
        if kind == ReadKind::Related && thin.is_none() {
            return Ok(Outcome::Over);
        }
        let fetched = match self.client.calls(&scope(lease, thin.as_ref()), lease.limit()) {
            Ok(calls) => fetch(&calls, kind, object, thin.as_ref()).await,
            Err(error) => Err(error),
        };
        Ok(match fetched {
            Ok(shown) => Outcome::Read(shown.iter().map(|shown| event(lease, thin.as_ref(), shown)).collect()),
            // Asking again cannot help.
            Err(error @ (Error::NotFound(_) | Error::Malformed { .. })) => Outcome::Vain(error),
            Err(error) => Outcome::Failed { error, step: Step::Read },
        })
    }
}

/// A thin event says itself in whose context its object is.
fn scope(lease: &Lease, thin: Option<&Thin>) -> Scope {
    match thin {
        Some(thin) => Scope { account: None, context: thin.context.clone(), ..lease.scope() },
        None => lease.scope(),
    }
}

async fn fetch(calls: &Calls, kind: ReadKind, object: &str, thin: Option<&Thin>) -> Result<Vec<Shown>, Error> {
    match kind {
        ReadKind::Charge => one(calls.retrieve_charge(object, WITH_CHARGE).await),
        ReadKind::PaymentIntent => one(calls.retrieve_payment_intent(object, &[]).await),
        ReadKind::Refund => one(calls.retrieve_refund(object).await),
        ReadKind::Dispute => one(calls.retrieve_dispute(object).await),
        ReadKind::DisputesOfCharge => all(calls.disputes_of(Of::Charge(object))).await,
        ReadKind::RefundsOfCharge => {
            let mut shown = all(calls.refunds_of(Of::Charge(object))).await?;
            shown.extend(one(calls.retrieve_charge(object, WITH_CHARGE).await)?);
            Ok(shown)
        }
        ReadKind::Related => match thin {
            Some(thin) if thin.object_type == "charge" => one(calls.retrieve_charge(object, WITH_CHARGE).await),
            Some(thin) => one(calls.retrieve_related(&thin.url).await),
            None => Ok(Vec::new()),
        },
    }
}

fn one(answer: Result<Answer, Error>) -> Result<Vec<Shown>, Error> {
    Ok(vec![Shown::from(answer?)])
}

async fn all(mut pages: Pages) -> Result<Vec<Shown>, Error> {
    let mut shown = Vec::new();
    while let Some(page) = pages.next().await? {
        let (date, took, request_id) = (page.date, page.took, page.request_id);
        shown.extend(page.items.into_iter().map(|json| Shown { json, date, took, request_id: request_id.clone() }));
    }
    Ok(shown)
}

fn event(lease: &Lease, thin: Option<&Thin>, shown: &Shown) -> NewEvent {
    let now = OffsetDateTime::from(SystemTime::now()).unix_timestamp();
    entry(&Fetched {
        account: Some(lease.call.account.as_str()).filter(|account| !account.is_empty()),
        livemode: lease.call.livemode,
        at: answered_at(shown.date, shown.took, now),
        thin_type: thin.map(|thin| thin.event_type.as_str()),
        object: &shown.json,
    })
}
