//! One pass: from where it is to its end, page by page.

use std::time::{Duration, SystemTime};

use sqlx::{Acquire, PgConnection};
use time::OffsetDateTime;
use tokio::time::sleep;

use super::part::{Item, Part, Reach, Source, parts};
use super::{Error, Found, Sync, is_dispensable, is_out_of_reach};
use crate::apply;
use crate::store::api_calls;
use crate::store::inbox::{self, NewEvent};
use crate::store::known;
use crate::store::syncs::{self, Held, Holder, Kind};
use crate::stripe::fetched::answered_at;
use crate::stripe_api::{Calls, Created, Mode, Page, Scope, TimeLimit};
use crate::telemetry;

/// How long one call may take, with its retries.
const CALL: Duration = Duration::from_secs(60);

/// A pass that is held, and what it has found so far.
#[derive(Debug)]
pub struct Pass<'a> {
    sync: &'a Sync,
    holder: Holder,
    effect: Effect,
    /// Where it began.
    pub held: Held,
    /// What it has found since.
    pub found: Found,
}

/// Whether a pass stores what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Stored,
    /// Nothing changes.
    Counted,
}

/// What a pass has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A page was stored.
    Read(&'a Found),
    /// It waits until the service has processed what was stored.
    Waiting,
}

impl<'a> Pass<'a> {
    /// A pass from where it is held.
    #[must_use]
    pub fn new(sync: &'a Sync, holder: Holder, held: Held) -> Self {
        Self { sync, holder, effect: Effect::Stored, held, found: Found::default() }
    }

    /// A pass that nobody holds and that changes nothing: it counts what a new one would find.
    #[must_use]
    pub fn rehearsal(sync: &'a Sync, holder: Holder, reads_from: OffsetDateTime) -> Self {
        let started_at = SystemTime::now().into();
        let held = Held { started_at, reads_from, part: 0, position: None, listed: 0, added: 0 };
        Self { effect: Effect::Counted, ..Self::new(sync, holder, held) }
    }

    /// Goes on to the end. `report` is called after each page.
    ///
    /// # Errors
    /// [`Error`]: the next one to hold the pass goes on from the last page that was stored.
    pub async fn run(&mut self, conn: &mut PgConnection, report: impl Fn(Step<'_>)) -> Result<(), Error> {
        let calls = self.calls()?;
        let lists = parts(self.holder.kind, self.reach());
        let begun = usize::try_from(self.held.part).unwrap_or_default();
        for (index, part) in (0..).zip(&lists).skip(begun) {
            let position = self.held.position.take();
            match (self.read(conn, &calls, (index, *part), position, &report).await, part) {
                (Err(error), Part::Objects(list)) if is_dispensable(*list, &error) => {
                    self.found.passed_over.push(list.name());
                }
                (read, _) => read?,
            }
            self.advance(conn, (index + 1, None), (0, 0)).await?;
        }
        let every = self.sync.pace.every.as_secs_f64();
        let is_over = self.effect == Effect::Counted || syncs::finish(conn, &self.holder, every).await?;
        if is_over { Ok(()) } else { Err(Error::Lost) }
    }

    /// One list, from the newest object that was not read yet to the oldest.
    async fn read(
        &mut self,
        conn: &mut PgConnection,
        calls: &Calls,
        (index, part): (i32, Part),
        mut position: Option<String>,
        report: &impl Fn(Step<'_>),
    ) -> Result<(), Error> {
        let before = position.as_ref().and_then(|second| second.parse().ok());
        let created = Created { from: Some(self.held.reads_from.unix_timestamp()), before };
        let Some(mut pages) = part.pages(calls, created) else {
            return self.read_known(conn, calls, index, position.unwrap_or_default(), report).await;
        };
        loop {
            self.wait_for_the_service(conn, (index, position.as_deref()), report).await?;
            self.turn(conn).await?;
            let Some(page) = pages.next().await? else { return Ok(()) };
            position = self.take_in(conn, (index, part), page).await?.or(position);
            report(Step::Read(&self.found));
        }
    }

    /// What we know and Stripe may have changed long ago, one object after another.
    async fn read_known(
        &mut self,
        conn: &mut PgConnection,
        calls: &Calls,
        index: i32,
        mut last: String,
        report: &impl Fn(Step<'_>),
    ) -> Result<(), Error> {
        loop {
            let objects = known::after(conn, &self.holder.account, self.holder.livemode, &last).await?;
            let Some(end) = objects.last() else { return Ok(()) };
            let end = end.id.clone();
            for object in objects {
                self.turn(conn).await?;
                let Some(page) = self.sync.retrieve(calls, &object).await? else { continue };
                // The page's own position is a time; this part goes by id.
                self.take_in_at(conn, (index, Part::Known), page, Some(object.id)).await?;
                report(Step::Read(&self.found));
            }
            last = end;
        }
    }

    /// An import waits while many events are pending: new webhooks are processed after them.
    async fn wait_for_the_service(
        &self,
        conn: &mut PgConnection,
        place: (i32, Option<&str>),
        report: &impl Fn(Step<'_>),
    ) -> Result<(), Error> {
        while self.holder.kind == Kind::Import && syncs::is_behind(conn, self.sync.pace.most_pending).await? {
            report(Step::Waiting);
            self.advance(conn, place, (0, 0)).await?;
            sleep(self.sync.pace.poll).await;
        }
        Ok(())
    }

    /// Waits for a turn under the rate of all replicas. Every other one is left to refunds.
    pub(super) async fn turn(&self, conn: &mut PgConnection) -> Result<(), Error> {
        let (rate, Holder { account, livemode, .. }) = (self.sync.pace.rate, &self.holder);
        let wait = api_calls::take_tokens(conn, account, *livemode, rate, 1.0).await?;
        sleep(Duration::from_secs_f64(wait.max(2.0 / rate.per_second))).await;
        Ok(())
    }

    /// Stores a page, and how far the pass is now: the second of the last object is read again, for there may be more of
    /// it on the next page.
    async fn take_in(
        &mut self,
        conn: &mut PgConnection,
        place: (i32, Part),
        page: Page,
    ) -> Result<Option<String>, Error> {
        self.take_in_at(conn, place, page, None).await
    }

    async fn take_in_at(
        &mut self,
        conn: &mut PgConnection,
        (index, part): (i32, Part),
        page: Page,
        at: Option<String>,
    ) -> Result<Option<String>, Error> {
        let items = self.items(part, &page);
        let last = items.last().map(|item| item.created);
        let position = at.or_else(|| last.map(|created| (created + 1).to_string()));
        let mut events: Vec<NewEvent> = items.into_iter().map(|item| item.event).collect();
        if !matches!(part, Part::Events(_)) {
            events = apply::only_news(conn, events, &self.sync.rules).await?;
        }
        events.sort_by(|a, b| a.envelope.id.cmp(&b.envelope.id));
        events.dedup_by(|a, b| a.envelope.id == b.envelope.id);
        let new = match self.effect {
            Effect::Stored => self.store(conn, (index, position.as_deref()), page.items.len(), &events).await?,
            Effect::Counted => {
                let ids: Vec<String> = events.iter().map(|event| event.envelope.id.clone()).collect();
                syncs::unknown(conn, &ids).await?
            }
        };
        self.count(page.items.len(), last, &events, &new);
        Ok(position)
    }

    fn items(&self, part: Part, page: &Page) -> Vec<Item> {
        let now = OffsetDateTime::from(SystemTime::now()).unix_timestamp();
        let answered = answered_at(page.date, page.took, now);
        let at = match self.holder.kind {
            Kind::Missed => answered,
            // What an import reads is history, however long it takes. Changes since its beginning come by webhook.
            Kind::Import => answered.min(self.held.started_at.unix_timestamp() - 1),
        };
        let account = Some(self.holder.account.as_str()).filter(|account| !account.is_empty());
        let source = Source { account, livemode: self.holder.livemode, at };
        page.items.iter().filter_map(|json| source.item(part, json)).collect()
    }

    /// Stores a page, and how far the pass is now. Returns the ids of what is new.
    async fn store(
        &self,
        conn: &mut PgConnection,
        place: (i32, Option<&str>),
        listed: usize,
        events: &[NewEvent],
    ) -> Result<Vec<String>, Error> {
        let mut tx = conn.begin().await?;
        let stored = inbox::record(&mut tx, events).await?;
        self.advance(&mut tx, place, (number(listed), number(stored.len()))).await?;
        tx.commit().await?;
        metrics::counter!(telemetry::SYNC_FOUND).increment(stored.len() as u64);
        Ok(stored)
    }

    async fn advance(
        &self,
        conn: &mut PgConnection,
        place: (i32, Option<&str>),
        counts: (i64, i64),
    ) -> Result<(), Error> {
        let lease = self.sync.pace.lease.as_secs_f64();
        let is_held =
            self.effect == Effect::Counted || syncs::advance(conn, &self.holder, lease, place, counts).await?;
        if is_held { Ok(()) } else { Err(Error::Lost) }
    }

    fn count(&mut self, listed: usize, last: Option<i64>, events: &[NewEvent], new: &[String]) {
        self.found.listed += listed as u64;
        self.found.back_to = last.or(self.found.back_to);
        for event in events.iter().filter(|event| new.contains(&event.envelope.id)) {
            *self.found.new.entry(event.envelope.event_type.clone()).or_default() += 1;
        }
    }

    pub(super) fn calls(&self) -> Result<Calls, Error> {
        Ok(self.sync.client.calls(&self.scope(), TimeLimit::PerCall(CALL))?)
    }

    fn reach(&self) -> Reach {
        let Held { started_at, reads_from, .. } = self.held;
        if is_out_of_reach(started_at, reads_from) { Reach::Cut } else { Reach::Complete }
    }

    fn scope(&self) -> Scope {
        let mode = if self.holder.livemode { Mode::Live } else { Mode::Test };
        let account = Some(self.holder.account.clone()).filter(|account| !account.is_empty());
        Scope { account, ..Scope::own(mode) }
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
