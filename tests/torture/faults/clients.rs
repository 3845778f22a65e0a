//! Clients without the secret: a crowd of slow ones, and a flood of forgeries. They come from addresses of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::replicas::{REPLICAS, Replicas};
use crate::trial::Trial;

/// Of these connections two thirds send nothing, the others a head or a body, slowly.
const CROWD: usize = 3_000;
/// A byte of a head or body is sent this often.
const DRIP: Duration = Duration::from_secs(1);
/// Connections of a flood, and how many forgeries each sends in a second.
const FLOOD: usize = 40;
const RATE: u64 = 50;
const HEAD: &str = "POST /webhooks/stripe HTTP/1.1\r\nHost: torture\r\nContent-Type: application/json\r\n";

/// Idle and slow connections, which come back whenever they are closed.
pub async fn crowd(trial: &Trial, time: Duration) {
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        crowd.spawn(linger(Arc::clone(&trial.replicas), number));
    }
    sleep(time).await;
    crowd.shutdown().await;
}

async fn linger(replicas: Arc<Replicas>, number: usize) {
    loop {
        if let Ok(stream) = connect(&replicas, number).await {
            drop(drip(stream, number).await);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Sends as little as it can until the connection is closed.
async fn drip(mut stream: TcpStream, number: usize) -> std::io::Result<()> {
    match number % 6 {
        0 => stream.write_all(b"POST /webhooks/stripe HTTP/1.1\r\nX: ").await?,
        1 => {
            let head = format!("{HEAD}Stripe-Signature: t=1,v1=00\r\nContent-Length: 100000\r\n\r\n{{");
            stream.write_all(head.as_bytes()).await?;
        }
        _ => return stream.read(&mut [0; 64]).await.map(drop),
    }
    let (mut answers, mut bytes) = stream.into_split();
    let dripping = async {
        loop {
            sleep(DRIP).await;
            bytes.write_all(b"a").await?;
        }
    };
    tokio::select! {
        ended = dripping => ended,
        ended = async { answers.read(&mut [0; 64]).await.map(drop) } => ended,
    }
}

/// Forgeries on connections that are kept open.
pub async fn flood(trial: &Trial, time: Duration) {
    let accepted = Arc::<AtomicUsize>::default();
    let mut flood = JoinSet::new();
    for number in 0..FLOOD {
        flood.spawn(forge(Arc::clone(&trial.replicas), number, time, Arc::clone(&accepted)));
    }
    flood.join_all().await;
    let accepted = accepted.load(Ordering::Relaxed);
    if accepted > 0 {
        trial.post.tally().strange.push(format!("200 to {accepted} forgeries"));
    }
}

async fn forge(replicas: Arc<Replicas>, number: usize, time: Duration, accepted: Arc<AtomicUsize>) {
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(1_000 / RATE));
    while began.elapsed() < time {
        let Ok(mut stream) = connect(&replicas, number).await else {
            ticks.tick().await;
            continue;
        };
        for turn in 0.. {
            ticks.tick().await;
            if began.elapsed() >= time {
                return;
            }
            match timeout(Duration::from_secs(5), send(&mut stream, turn)).await {
                Ok(Ok(status)) if status.starts_with("HTTP/1.1 2") => {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
    }
}

/// Sends a forgery of one kind or another; the beginning of the answer.
async fn send(stream: &mut TcpStream, turn: usize) -> std::io::Result<String> {
    let body = format!(r#"{{"id":"evt_forged_{turn}","object":"event","type":"charge.refunded"}}"#);
    let now = crate::harness::unix_now();
    let signature = match turn % 4 {
        0 => format!("Stripe-Signature: t={now},v1={}\r\n", "0".repeat(64)),
        1 => "Stripe-Signature: t=1,v1=00\r\n".to_owned(),
        2 => "Stripe-Signature: \r\n".to_owned(),
        _ => String::new(),
    };
    let request = format!("{HEAD}{signature}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 1024];
    let count = stream.read(&mut answer).await?;
    if count == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer[..count]).into_owned())
}

/// From one of a few addresses that nobody else uses.
async fn connect(replicas: &Replicas, number: usize) -> std::io::Result<TcpStream> {
    let to = replicas.target(number % REPLICAS).ok_or(std::io::ErrorKind::NotConnected)?.address;
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 1, u8::try_from(1 + number % 8).expect("a byte")], 0)))?;
    socket.connect(to).await
}
