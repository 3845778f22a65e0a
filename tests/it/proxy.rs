//! A TCP proxy between the service and Postgres, which can be cut.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Whole,
    /// Connections are closed, old and new.
    Cut,
    /// The service's data arrives; Postgres's replies are dropped.
    Mute,
}

pub struct Proxy {
    pub port: u16,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    wire: Wire,
    /// How often it was cut, so that a connection also notices a cut that was restored at once.
    cuts: u32,
}

impl Proxy {
    /// A working proxy to a port on loopback.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (state, states) = watch::channel(State { wire: Wire::Whole, cuts: 0 });
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let now = *states.borrow();
                if now.wire != Wire::Cut {
                    tokio::spawn(carry(client, server, now.cuts, states.clone()));
                }
            }
        });
        Self { port, state }
    }

    pub fn set(&self, wire: Wire) {
        self.state.send_modify(|state| {
            state.wire = wire;
            state.cuts += u32::from(wire == Wire::Cut);
        });
    }
}

async fn carry(client: TcpStream, server: u16, cuts: u32, mut states: watch::Receiver<State>) {
    let answering = states.clone();
    let server = TcpStream::connect(("127.0.0.1", server)).await.expect("Postgres listens");
    let (mut questions, client) = client.into_split();
    let (answers, mut server) = server.into_split();
    // Whichever ends first ends the others, and so closes both connections.
    tokio::select! {
        _ = copy(&mut questions, &mut server) => {}
        () = answer(answers, client, answering) => {}
        _ = states.wait_for(|now| now.cuts != cuts) => {}
    }
}

async fn answer(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, states: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = server.read(&mut buffer).await {
        if states.borrow().wire != Wire::Mute && client.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
