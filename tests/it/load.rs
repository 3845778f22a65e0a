//! Load: many connections that deliver events without a pause. As Stripe does, each event is sent again until it is
//! acknowledged, to wherever the service is by then.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{header, unix_now, until};

/// Where the events go; none while no service runs.
type Target = Option<SocketAddr>;

pub struct Load {
    target: watch::Sender<Target>,
    acknowledged: Arc<AtomicUsize>,
    senders: JoinSet<Vec<String>>,
}

impl Load {
    pub fn start(connections: usize) -> Self {
        let (target, _) = watch::channel(None);
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut senders = JoinSet::new();
        for number in 0..connections {
            senders.spawn(send(number, target.subscribe(), Arc::clone(&acknowledged)));
        }
        Self { target, acknowledged, senders }
    }

    pub fn aim(&self, target: Target) {
        self.target.send_replace(target);
    }

    /// How many events were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub async fn until_acknowledged(&self, count: usize) {
        until("enough events are acknowledged", async || self.acknowledged() >= count).await;
    }

    /// Ends the load, and returns the ids of all events that were acknowledged. A delivery in progress is finished, or
    /// lost with its connection.
    pub async fn end(self) -> Vec<String> {
        drop(self.target);
        self.senders.join_all().await.concat()
    }
}

async fn send(number: usize, mut target: watch::Receiver<Target>, count: Arc<AtomicUsize>) -> Vec<String> {
    let mut ids = Vec::new();
    let mut connection = None;
    // Ends when the load does. Nothing was promised about an event that is not acknowledged by then.
    while target.has_changed().is_ok() {
        let id = format!("evt_load_{number}_{}", ids.len());
        let request = request(&event(&id));
        while !acknowledged(&mut connection, &mut target, &request).await {
            connection = None;
            if target.has_changed().is_err() {
                return ids;
            }
        }
        ids.push(id);
        count.fetch_add(1, Ordering::Relaxed);
    }
    ids
}

/// Delivers once.
async fn acknowledged(
    connection: &mut Option<TcpStream>,
    target: &mut watch::Receiver<Target>,
    request: &[u8],
) -> bool {
    if connection.is_none() {
        let Ok(address) = target.wait_for(Option::is_some).await.map(|address| *address) else { return false };
        let Ok(stream) = TcpStream::connect(address.expect("waited for")).await else {
            // The service is gone: wait until the test says where it is now.
            drop(target.changed().await);
            return false;
        };
        stream.set_nodelay(true).expect("a socket");
        *connection = Some(stream);
    }
    let stream = connection.as_mut().expect("connected");
    deliver(stream, request).await.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200 "))
}

async fn deliver(stream: &mut TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    let mut answer = Vec::with_capacity(512);
    // Every answer's body is one JSON object without another inside.
    while !answer.ends_with(b"}") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(answer)
}

/// A small event about a payment of its own.
fn event(id: &str) -> String {
    let now = unix_now();
    format!(
        r#"{{"id":"{id}","object":"event","type":"charge.refunded","created":{now},"livemode":false,"data":{{"object":{{"id":"ch_{id}","object":"charge","amount":1200,"amount_captured":1200,"amount_refunded":500,"captured":true,"currency":"eur","created":{now},"status":"succeeded"}}}}}}"#
    )
}

fn request(body: &str) -> Vec<u8> {
    let (header, length) = (header(body), body.len());
    format!("POST /webhooks/stripe HTTP/1.1\r\nHost: test\r\nStripe-Signature: {header}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}
