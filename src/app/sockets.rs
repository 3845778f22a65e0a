//! Binds the sockets that the service listens on, or says which setting to change.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream};

use crate::http::server::MAX_CONNECTIONS;

/// Connections that may wait to be accepted. For a further one the system drops the client's first packet, which the client
/// sends again after a second.
const BACKLOG: u32 = MAX_CONNECTIONS as u32;
/// Of a Unix socket: its owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Binds an address, or says which setting names another. To be called within a runtime.
pub(crate) fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| format!("cannot listen on {address}: set {variable} to another address"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The address of a service that has just ended is free at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds a Unix socket, or says which setting names another. One that a killed service left behind is replaced.
pub(super) async fn bind_unix(path: &Path, variable: &str) -> anyhow::Result<UnixListener> {
    let bound = try_bind(path).await;
    bound.with_context(|| format!("cannot listen on {}: set {variable} to another path", path.display()))
}

async fn try_bind(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_abandoned(path).await => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

/// Whether this is a socket that nobody listens on.
async fn is_abandoned(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket && UnixStream::connect(path).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    #[cfg(target_os = "linux")] // Others allow fewer.
    #[tokio::test]
    async fn a_burst_of_connections_waits_to_be_accepted() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "CLAWBACK_LISTEN").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut connections = Vec::new();
        while connections.len() < 500 {
            // The system goes on sending a first packet that was dropped, for minutes.
            let connected = timeout(Duration::from_secs(20), TcpStream::connect(address)).await;
            connections.push(connected.unwrap_or_else(|_| panic!("only {} fit", connections.len())));
        }
        assert!(connections.iter().all(Result::is_ok));
    }
}
