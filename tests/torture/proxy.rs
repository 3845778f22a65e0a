//! A TCP proxy before Postgres, whose network fails in the ways that networks do.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// The delay of a slow network, for each piece that it carries.
const SLOW: Duration = Duration::from_millis(150);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Whole,
    /// Connections are closed, old and new.
    Cut,
    /// New connections are closed, old ones work.
    Refused,
    /// The service's data arrives; Postgres's replies are dropped.
    Mute,
    /// All data arrives late.
    Slow,
    /// Connections are open, and nothing arrives until this ends.
    Silent,
}

pub struct Proxy {
    pub port: u16,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    wire: Wire,
    /// Where Postgres listens on loopback.
    server: u16,
    /// How often it was cut, so that a connection also notices a cut that was restored at once.
    cuts: u32,
    /// How often all connections were left half-open.
    strandings: u32,
}

impl Proxy {
    /// A working proxy to a port on loopback.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (state, states) = watch::channel(State { wire: Wire::Whole, server, cuts: 0, strandings: 0 });
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !matches!(states.borrow().wire, Wire::Cut | Wire::Refused) {
                    tokio::spawn(carry(client, states.clone()));
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

    /// Leads new connections to another port.
    pub fn lead_to(&self, server: u16) {
        self.state.send_modify(|state| state.server = server);
    }

    /// Leaves every connection half-open: Postgres has lost it, the service is not told and gets no answer. New ones
    /// work.
    pub fn strand(&self) {
        self.state.send_modify(|state| state.strandings += 1);
    }
}

async fn carry(client: TcpStream, mut states: watch::Receiver<State>) {
    let born = *states.borrow();
    // While Postgres is down, the connection is closed.
    let Ok(server) = TcpStream::connect(("127.0.0.1", born.server)).await else { return };
    let (mut questions, mut client) = client.into_split();
    let (mut answers, mut server) = server.into_split();
    let (questioning, answering) = (states.clone(), states.clone());
    // Whichever ends first ends the others, and so closes both connections.
    tokio::select! {
        // A change comes first: what a silence held back does not arrive after it.
        biased;
        _ = states.wait_for(|now| now.cuts != born.cuts || now.strandings != born.strandings) => {}
        () = pump(&mut questions, &mut server, questioning, false) => return,
        () = pump(&mut answers, &mut client, answering, true) => return,
    }
    if states.borrow().cuts == born.cuts {
        drop((answers, server));
        swallow(questions).await;
    }
}

async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut states: watch::Receiver<State>,
    are_answers: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let wire = states.borrow().wire;
        match wire {
            Wire::Slow => sleep(SLOW).await,
            Wire::Silent => drop(states.wait_for(|now| now.wire != Wire::Silent).await),
            Wire::Mute if are_answers => continue,
            Wire::Whole | Wire::Cut | Wire::Refused | Wire::Mute => {}
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Takes what comes, until the client gives up.
async fn swallow(mut client: OwnedReadHalf) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(1..) = client.read(&mut buffer).await {}
}
