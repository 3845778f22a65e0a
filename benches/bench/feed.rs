//! Follows `order_history`, as a consumer would, and records when the change made by each event becomes visible. The
//! generator and this reader share one clock.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::ensure;
use sqlx::PgConnection;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

use crate::corpus::{Corpus, Kind};
use crate::load::{Answer, Answers};

/// A reader that runs until it is ended.
pub struct Feed {
    stop: oneshot::Sender<()>,
    reading: JoinHandle<sqlx::Result<Seen>>,
}

/// When each event showed that changed an order, by its id.
pub struct Seen(HashMap<String, Instant>);

impl Feed {
    /// Begins to read every so often.
    pub fn follow(conn: PgConnection, poll: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, reading: tokio::spawn(read(conn, poll, stopped)) }
    }

    /// Reads once more, and ends.
    pub async fn end(self) -> anyhow::Result<Seen> {
        // It fails only if the reader has failed: the next line says why.
        let _ = self.stop.send(());
        Ok(self.reading.await??)
    }
}

impl Seen {
    /// Seconds from a moment of each acknowledged event's answer until its change was visible. Events that change no
    /// order are left out.
    ///
    /// # Errors
    /// When not a single change is known.
    pub fn delays(
        &self,
        corpus: &Corpus,
        answers: &Answers,
        since: impl Fn(&Answer) -> Instant,
    ) -> anyhow::Result<Vec<f64>> {
        let new = answers.accepted().filter(|answer| corpus.deliveries[answer.delivery].kind == Kind::New);
        let delay = |answer: &Answer| {
            let shown = self.0.get(corpus.event_id(corpus.deliveries[answer.delivery].event))?;
            Some(shown.saturating_duration_since(since(answer)).as_secs_f64())
        };
        let delays: Vec<f64> = new.filter_map(delay).collect();
        ensure!(!delays.is_empty(), "no event changed an order: send more");
        Ok(delays)
    }
}

async fn read(mut conn: PgConnection, poll: Duration, mut stopped: oneshot::Receiver<()>) -> sqlx::Result<Seen> {
    let (mut seen, mut last, mut ticks) = (HashMap::new(), 0_i64, interval(poll));
    loop {
        let is_last = tokio::select! {
            _ = &mut stopped => true,
            _ = ticks.tick() => false,
        };
        let new = "select id, event_id from clawback_v1.order_history where id > $1 order by id";
        let rows: Vec<(i64, Option<String>)> = sqlx::query_as(new).bind(last).fetch_all(&mut conn).await?;
        let now = Instant::now();
        last = rows.last().map_or(last, |(id, _)| *id);
        seen.extend(rows.into_iter().filter_map(|(_, event_id)| Some((event_id?, now))));
        if is_last {
            return Ok(Seen(seen));
        }
    }
}
