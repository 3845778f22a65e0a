//! A server that plays a script, byte by byte: one reply per request, each on a connection of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clawback::stripe_api::{Base, Calls, Client, Keys, Limits, Mode, Scope, Settings, TimeLimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const KEY: &str = "sk_test_51TopSecret";

/// What is written, and whether the connection then stays open without a word.
pub(crate) struct Reply {
    bytes: Vec<u8>,
    then: Then,
}

enum Then {
    Close,
    Hang,
}

impl Reply {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), then: Then::Close }
    }

    pub(crate) fn and_hang(self) -> Self {
        Self { then: Then::Hang, ..self }
    }

    /// A whole answer. `headers` are lines, each with its end.
    pub(crate) fn of(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::new(format!(
            "HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        ))
    }
}

pub(crate) struct Stub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Plays the replies in order. A request beyond them is recorded and answered with nothing.
    pub(crate) async fn play(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let stub = Self { address: listener.local_addr().expect("an address"), requests: Arc::default() };
        let (requests, mut replies) = (stub.requests.clone(), replies.into_iter().collect::<Vec<_>>().into_iter());
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                requests.lock().expect("requests").push(request);
                let reply = replies.next().unwrap_or_else(|| Reply::new(""));
                // The client may have hung up already.
                let _written = stream.write_all(&reply.bytes).await;
                match reply.then {
                    Then::Close => drop(stream),
                    Then::Hang => open.push(stream),
                }
            }
        });
        stub
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("requests").clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn calls(&self) -> Calls {
        self.calls_within(Duration::from_secs(15))
    }

    pub(crate) fn calls_within(&self, time: Duration) -> Calls {
        calls(&client(&self.url(), Limits { per_second: 1_000, at_once: 2 }), time)
    }
}

pub(crate) fn client(url: &str, limits: Limits) -> Client {
    let base = Base::parse(url).expect("a base");
    let keys = Keys::parse(KEY).expect("a key");
    Client::new(Settings { keys, api_base: base.clone(), files_base: base, limits }).expect("a client")
}

pub(crate) fn calls(client: &Client, time: Duration) -> Calls {
    client.calls(&Scope::own(Mode::Test), TimeLimit::PerCall(time)).expect("a key")
}

/// Head and body of a request.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return text;
        }
        if stream.read_buf(&mut bytes).await.expect("a request") == 0 {
            return text;
        }
    }
}

fn content_length(head: &str) -> usize {
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |length| length.parse().expect("a length"))
}
