//! The wire between the service and Postgres, which can be cut.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Whole,
    /// Connections are closed, old and new.
    Cut,
    /// What the service says arrives; what Postgres says is lost.
    Mute,
}

pub struct Proxy {
    pub port: u16,
    wire: watch::Sender<Wire>,
}

impl Proxy {
    /// A whole wire to a port on loopback.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (wire, state) = watch::channel(Wire::Whole);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, state.clone()));
            }
        });
        Self { port, wire }
    }

    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn carry(client: TcpStream, server: u16, mut state: watch::Receiver<Wire>) {
    let answering = state.clone();
    let server = TcpStream::connect(("127.0.0.1", server)).await.expect("Postgres listens");
    let (mut questions, client) = client.into_split();
    let (answers, mut server) = server.into_split();
    // Whichever ends first takes the others with it, and so both connections.
    tokio::select! {
        _ = copy(&mut questions, &mut server) => {}
        () = answer(answers, client, answering) => {}
        _ = state.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}

async fn answer(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, state: watch::Receiver<Wire>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = server.read(&mut buffer).await {
        if *state.borrow() != Wire::Mute && client.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
