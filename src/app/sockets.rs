//! Binds the sockets that the service listens on, or says which setting to change.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Of a Unix socket: its owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Binds an address, or says which setting names another.
pub(crate) async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}: set {variable} to another address"))
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
