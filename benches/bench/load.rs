//! The load generator: connections that send prepared requests, as fast as they are answered or at a fixed rate. It
//! shares the machine with what it measures, so it does as little as it can.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::corpus::{Corpus, Kind};

/// What to send, and how.
#[derive(Clone)]
pub struct Load {
    /// Where to send it; connections are spread evenly.
    pub receivers: Vec<SocketAddr>,
    /// Number of connections, each with one request in flight.
    pub connections: usize,
    /// When the next request is sent.
    pub pace: Pace,
    /// The range of the corpus' deliveries.
    pub deliveries: (usize, usize),
    /// When to stop, even if not all are sent.
    pub at_most: Duration,
}

/// When a connection sends its next request.
#[derive(Clone, Copy)]
pub enum Pace {
    /// When the previous one is answered.
    Closed,
    /// At a fixed rate, in requests a second over all connections.
    Open(f64),
}

/// The answer to one request.
#[derive(Clone, Copy)]
pub struct Answer {
    /// Index in the corpus' deliveries.
    pub delivery: usize,
    /// The HTTP status.
    pub status: u16,
    /// From the first byte sent to the last one read.
    pub took: Duration,
    /// When it was read.
    pub at: Instant,
}

/// The answers to a load.
pub struct Answers {
    /// In no order.
    pub all: Vec<Answer>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Answers {
    /// Acknowledged deliveries, repeats included.
    pub fn accepted(&self) -> impl Iterator<Item = &Answer> {
        self.all.iter().filter(|answer| answer.status == 200)
    }

    /// Deliveries that were answered with 503, to be sent again.
    pub fn unavailable(&self) -> impl Iterator<Item = &Answer> {
        self.all.iter().filter(|answer| answer.status == 503)
    }

    /// Acknowledged deliveries a second.
    pub fn accepted_per_second(&self) -> f64 {
        self.accepted().count() as f64 / self.elapsed.as_secs_f64()
    }

    /// A quantile of the time to acknowledgement, in milliseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        quantile(self.accepted().map(|answer| answer.took.as_secs_f64() * 1e3).collect(), share)
    }
}

/// A quantile of some values; 0 if there are none.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

struct Shared {
    load: Load,
    corpus: Arc<Corpus>,
    next: AtomicUsize,
    started: Instant,
}

/// Sends and collects the answers.
///
/// # Errors
/// When a receiver cannot be reached, breaks off, accepts a forgery, or answers a genuine delivery with anything but 200 and
/// 503.
pub async fn run(load: Load, corpus: &Arc<Corpus>) -> anyhow::Result<Answers> {
    let mut streams = Vec::new();
    for number in 0..load.connections {
        streams.push(connect(load.receivers[number % load.receivers.len()]).await?);
    }
    let (next, started) = (AtomicUsize::new(load.deliveries.0), Instant::now());
    let shared = Arc::new(Shared { load, corpus: Arc::clone(corpus), next, started });
    let mut connections = JoinSet::new();
    for stream in streams {
        connections.spawn(send(stream, Arc::clone(&shared)));
    }
    let mut all = Vec::new();
    while let Some(ended) = connections.join_next().await {
        all.extend(ended??);
    }
    Ok(Answers { all, elapsed: started.elapsed() })
}

async fn connect(receiver: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(receiver).await.with_context(|| format!("cannot connect to {receiver}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One connection, until everything is sent or the time is up.
async fn send(mut stream: TcpStream, shared: Arc<Shared>) -> anyhow::Result<Vec<Answer>> {
    let (mut answers, mut buffer) = (Vec::new(), Vec::with_capacity(4096));
    while let Some(place) = shared.next().await {
        let delivery = shared.corpus.deliveries[place];
        let sent = Instant::now();
        stream.write_all(shared.corpus.request(delivery)).await?;
        let status = read_answer(&mut stream, &mut buffer).await?;
        let at = Instant::now();
        let is_right = match delivery.kind {
            Kind::New | Kind::Repeat => matches!(status, 200 | 503),
            Kind::Forged => (400..500).contains(&status),
        };
        ensure!(is_right, "a delivery ({:?}) was answered {status}", delivery.kind);
        answers.push(Answer { delivery: place, status, took: at - sent, at });
    }
    Ok(answers)
}

impl Shared {
    /// The next delivery, once it is due.
    async fn next(&self) -> Option<usize> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let (first, end) = self.load.deliveries;
        if let Pace::Open(per_second) = self.load.pace {
            sleep_until(self.started + Duration::from_secs_f64((place - first) as f64 / per_second)).await;
        }
        (place < end && self.started.elapsed() < self.load.at_most).then_some(place)
    }
}

/// Reads one answer and returns its status.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the receiver closed a connection");
        }
        if let Some((status, length)) = head(buffer)
            && buffer.len() >= length
        {
            return Ok(status);
        }
    }
}

/// The status, and the length of the whole answer; none while its head is incomplete.
fn head(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    Some((status, end + length.unwrap_or(0)))
}
