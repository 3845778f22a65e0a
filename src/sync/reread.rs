//! Reads again what may change without a webhook: open disputes and live refunds, at a modest pace over all replicas.

use std::time::{Duration, SystemTime};

use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::time::sleep;

use super::Sync;
use super::part::{Part, Source};
use crate::apply;
use crate::store::api_calls;
use crate::store::inbox;
use crate::store::known::{self, Known};
use crate::stripe::fetched::answered_at;
use crate::stripe_api::{Calls, Error, Mode, Page, Scope, TimeLimit};
use crate::telemetry;

/// How long one call may take, with its retries.
const CALL: Duration = Duration::from_secs(60);

impl Sync {
    /// Reads the object that was read longest ago, if one is due.
    pub(super) async fn reread(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let modes: Vec<bool> = self.modes.iter().map(|mode| *mode == Mode::Live).collect();
        let (every, after) = (self.pace.reread.as_secs_f64(), self.pace.reread_after.as_secs_f64());
        let Some(object) = known::next(conn, &modes, every, after).await? else { return Ok(()) };
        let wait = api_calls::take_tokens(conn, &object.account, object.livemode, self.pace.rate, 1.0).await?;
        sleep(Duration::from_secs_f64(wait)).await;
        let answer = match self.client.calls(&scope(&object), TimeLimit::PerCall(CALL)) {
            Ok(calls) => self.retrieve(&calls, &object).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(Some(page)) => self.enter(conn, &object, &page).await,
            Ok(None) => Ok(()),
            Err(error) => {
                let Known { kind, id, .. } = &object;
                tracing::info!("the {kind} {id} could not be read again: {error}");
                Ok(())
            }
        }
    }

    /// An object as a page of its own; none when Stripe does not know it.
    pub(super) async fn retrieve(&self, calls: &Calls, object: &Known) -> Result<Option<Page>, Error> {
        let answer = match object.kind.as_str() {
            "dispute" => calls.retrieve_dispute(&object.id).await,
            _ => calls.retrieve_refund(&object.id).await,
        };
        match answer {
            Ok(answer) => {
                let (date, took, request_id) = (answer.date, answer.took, answer.request_id.clone());
                let items = vec![answer.into_json()];
                Ok(Some(Page { items, last_id: None, has_more: false, date, took, request_id }))
            }
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn enter(&self, conn: &mut PgConnection, object: &Known, page: &Page) -> sqlx::Result<()> {
        let now = OffsetDateTime::from(SystemTime::now()).unix_timestamp();
        let source = Source {
            account: Some(object.account.as_str()).filter(|account| !account.is_empty()),
            livemode: object.livemode,
            at: answered_at(page.date, page.took, now),
        };
        let items = page.items.iter().filter_map(|json| source.item(Part::Known, json));
        let events = apply::only_news(conn, items.map(|item| item.event).collect(), &self.rules).await?;
        let outcome = if events.is_empty() { "unchanged" } else { "fetched" };
        metrics::counter!(telemetry::API_CALLS, "kind" => format!("read_{}", object.kind), "outcome" => outcome)
            .increment(1);
        inbox::record(conn, &events).await.map(drop)
    }
}

fn scope(object: &Known) -> Scope {
    let mode = if object.livemode { Mode::Live } else { Mode::Test };
    Scope { account: Some(object.account.clone()).filter(|account| !account.is_empty()), ..Scope::own(mode) }
}
