//! A private Postgres for `dev`, `demo` and the tests: reachable on a loopback port only, stopped together with the
//! process that started it. Its data is in a temporary folder that is removed at the end, or in a [`Folder`] that
//! is kept.
//!
//! Not done here: installing Postgres (`make setup`), creating databases, running migrations. Never for production.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::{interval, timeout};
use uuid::Uuid;

use account::Account;
pub use folder::{Folder, FolderError};
use home::Home;

mod account;
mod binaries;
mod folder;
mod home;
#[cfg(test)]
mod tests;

/// Holds the server for as long as its standard input stays open. A script, because only another
/// process can still clean up after this one was killed.
const SUPERVISOR: &str = include_str!("local_postgres/supervisor.sh");

/// A test suite runs many tests at once, each with a pool of its own: more than Postgres' default of 100.
const MAX_CONNECTIONS: u16 = 300;

/// Creating and starting a server takes 0.6–2.8 s; the rest is for machines under load.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How long a server whose owner was killed may take to end.
const GONE_WITHIN: Duration = Duration::from_secs(15);

/// A port that was free can be taken by another process before the server binds it.
const PORT_ATTEMPTS: usize = 5;

/// A running private Postgres.
///
/// It ends when this is dropped, and when the process that holds it ends in whatever way, SIGKILL
/// included. Only [`LocalPostgres::stop`] waits until it has ended.
pub struct LocalPostgres {
    supervisor: Child,
    home: Home,
    log: File,
    port: u16,
    password: String,
}

/// What may be lost when the *machine* goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed: as in production. For `dev` and `demo`.
    Durable,
    /// Anything. For tests, where `fsync` would be most of the time; `synchronous_commit` stays on.
    FsyncOff,
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// What a crash of the machine may cost.
    pub durability: Durability,
    /// The folder of `initdb` and `postgres`; none: searched for.
    pub pg_bin: Option<PathBuf>,
    /// Where commands are searched, as in `PATH`.
    pub path: OsString,
    /// The server's folder is made inside this one.
    pub temp_dir: PathBuf,
}

impl Options {
    /// Options with everything else from the environment: `PG_BIN`, `PATH` and `TMPDIR`.
    pub fn from_env(durability: Durability) -> Self {
        Self {
            durability,
            pg_bin: std::env::var_os("PG_BIN").and_then(|bin| std::path::absolute(bin).ok()),
            path: std::env::var_os("PATH").unwrap_or_default(),
            temp_dir: std::env::temp_dir(),
        }
    }
}

/// Why no server was started. Each message says what was tried and how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No folder of the search has both `initdb` and `postgres`.
    #[error(
        "Postgres was not found: no `initdb` and `postgres` together in {searched}. Run \
         `make setup` or `apt-get install postgresql`, or set PG_BIN to the folder that holds them"
    )]
    NoBinaries {
        /// The folders that were looked into.
        searched: String,
    },
    /// A server that was started in a kept folder before has not ended yet.
    #[error("a Postgres still runs in {}: wait until it has ended, or stop it", .0.display())]
    StillRunning(PathBuf),
    /// Postgres refuses to run as root, and there is no other user to run it.
    #[error(
        "Postgres does not run as root, and /etc/passwd has no user `postgres` or `nobody` to run \
         it: run this as an ordinary user, or `useradd --system postgres`"
    )]
    NoUser,
    /// The server's folder could not be made.
    #[error("could not make the folder {} for Postgres: set TMPDIR to one that can be written", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The user that the server has to run as cannot enter its folder.
    #[error(
        "{user} could not run a shell inside {}: set TMPDIR to a folder that {user} can enter, \
         /tmp for instance", folder.display()
    )]
    Unreachable {
        /// Who was to run it.
        user: String,
        /// The folder that it was to run in.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No loopback port was free.
    #[error("could not find a free port on 127.0.0.1")]
    Port(#[source] io::Error),
    /// The server ended before it was ready.
    #[error("Postgres ended before it was ready; the end of its log says why:\n{log}")]
    Ended {
        /// The last lines of its log.
        log: String,
    },
    /// The server was not ready in time.
    #[error("Postgres was not ready within {READY_WITHIN:?}; the end of its log:\n{log}")]
    TimedOut {
        /// The last lines of its log.
        log: String,
    },
}

impl LocalPostgres {
    /// Creates and starts a server, and returns once it answers: after 1–3 s, at most 30.
    ///
    /// # Errors
    ///
    /// When Postgres is not installed, cannot be run by this user, or does not become ready. Nothing
    /// is left running then.
    pub async fn start(options: &Options) -> Result<Self, StartError> {
        Self::start_in(None, options).await
    }

    /// The same with the data in a folder that is kept; none: in a temporary one. What an earlier run left there is
    /// used again, even if that run was killed.
    ///
    /// # Errors
    ///
    /// As for [`LocalPostgres::start`]; also when a server that ran there before has not ended.
    pub async fn start_in(folder: Option<Folder>, options: &Options) -> Result<Self, StartError> {
        let bin = binaries::find(options)?;
        let mut home = folder.map(Home::Kept);
        let mut attempt = 1;
        loop {
            let mut server = Self::spawn(home.take(), options, &bin).await?;
            match server.until_ready().await {
                Ok(()) => return Ok(server),
                Err(StartError::Ended { log }) if log.contains("Address already in use") && attempt < PORT_ATTEMPTS => {
                    attempt += 1;
                    home = server.home.again();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The URL of a database of this server, password included. `postgres` always exists; the name
    /// goes in as it is, so it must be a plain word.
    pub fn url(&self, database: &str) -> String {
        let Self { port, password, .. } = self;
        format!("postgres://clawback:{password}@127.0.0.1:{port}/{database}")
    }

    /// The server's log: its warnings, errors and what it says about itself, each line with time,
    /// process and database, of this run.
    pub fn log_file(&self) -> PathBuf {
        self.home.log_file()
    }

    /// Stops the server and waits until its processes, and its folder unless it is kept, are gone. Open connections
    /// are cut.
    ///
    /// # Errors
    ///
    /// When the system cannot say whether it ended.
    pub async fn stop(self) -> io::Result<()> {
        let Self { mut supervisor, home, .. } = self;
        // `wait` closes the pipe first, and that is what stops the server.
        tokio::task::spawn_blocking(move || supervisor.wait()).await??;
        home.remove_rest();
        Ok(())
    }

    async fn spawn(home: Option<Home>, options: &Options, bin: &Path) -> Result<Self, StartError> {
        let temporary = || options.temp_dir.join(format!("clawback-{}", Uuid::new_v4().simple()));
        let home = home.unwrap_or_else(|| Home::Temporary(temporary()));
        let (folder, port) = (home.path(), free_port().map_err(StartError::Port)?);
        let broken = |source| StartError::Folder { folder: folder.to_path_buf(), source };
        let (output, log) = home.open_log().map_err(broken)?;
        until_free(&output, folder).await?;
        let password = home.password().map_err(broken)?;
        let mut arguments = vec![bin.as_os_str().to_owned()];
        arguments.extend(server_arguments(port, options.durability).into_iter().map(OsString::from));
        let supervisor = supervise(&home, &arguments, output, &password).inspect_err(|_| home.remove_rest())?;
        Ok(Self { supervisor, home, log, port, password })
    }

    async fn until_ready(&mut self) -> Result<(), StartError> {
        match timeout(READY_WITHIN, self.ready_or_ended()).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.home.remove_rest();
                Err(StartError::Ended { log: self.end_of_log() })
            }
            Err(_elapsed) => Err(StartError::TimedOut { log: self.end_of_log() }),
        }
    }

    async fn ready_or_ended(&mut self) -> bool {
        let mut ticks = interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if !matches!(self.supervisor.try_wait(), Ok(None)) {
                return false;
            }
            if self.says_ready() && self.answers().await {
                return true;
            }
        }
    }

    /// What `pg_ctl --wait` looks at. Asked first, because somebody else's server may answer on the
    /// port, and because a connection that comes too early leaves a FATAL in the log.
    fn says_ready(&self) -> bool {
        fs::read_to_string(self.home.path().join("data/postmaster.pid"))
            .is_ok_and(|state| state.lines().nth(7).is_some_and(|line| line.trim() == "ready"))
    }

    async fn answers(&self) -> bool {
        match PgConnection::connect(&self.url("postgres")).await {
            Ok(connection) => connection.close().await.is_ok(),
            Err(_not_yet) => false,
        }
    }

    /// Reads from the file held open: the file itself goes with the folder when the server ends.
    fn end_of_log(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Err(error) = self.log.read_to_end(&mut bytes) {
            return format!("(not readable: {error})");
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Starts the supervisor, which makes the database if there is none, and runs the server.
fn supervise(home: &Home, arguments: &[OsString], output: File, password: &str) -> Result<Child, StartError> {
    let folder = home.path();
    let broken = |source| StartError::Folder { folder: folder.to_path_buf(), source };
    let account = Account::for_owner_of(&home.own_file())?;
    account.take_over(folder).map_err(broken)?;

    let mut command = account.command(folder, Path::new("/bin/sh"));
    command.args(["-c", SUPERVISOR, "clawback-postgres"]).arg(folder).args(arguments);
    command.env("CLAWBACK_KEEP", home.keep());
    command.stdin(Stdio::piped()).stderr(output.try_clone().map_err(broken)?).stdout(output);
    let mut supervisor = command.spawn().map_err(|source| StartError::Unreachable {
        user: account.name().to_owned(),
        folder: folder.to_path_buf(),
        source,
    })?;
    if let Some(stdin) = &mut supervisor.stdin {
        // It fails only if the supervisor has ended: `until_ready` finds that, and the reason.
        let _ = writeln!(stdin, "{password}");
    }
    Ok(supervisor)
}

fn server_arguments(port: u16, durability: Durability) -> Vec<String> {
    let fsync = match durability {
        Durability::Durable => "on",
        Durability::FsyncOff => "off",
    };
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        // No socket: its path would be too long in many a temporary folder.
        "unix_socket_directories=".to_owned(),
        format!("max_connections={MAX_CONNECTIONS}"),
        format!("fsync={fsync}"),
        "log_min_messages=warning".to_owned(),
        "log_line_prefix=%m [%p] %d ".to_owned(),
    ];
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Locks the log, and empties it. The server's processes hold it open, and with it the lock: so one that outlived its
/// owner in the same folder is waited for.
async fn until_free(log: &File, folder: &Path) -> Result<(), StartError> {
    let mut ticks = interval(Duration::from_millis(50));
    let free = async {
        while let Err(TryLockError::WouldBlock) = log.try_lock() {
            ticks.tick().await;
        }
    };
    timeout(GONE_WITHIN, free).await.map_err(|_| StartError::StillRunning(folder.to_path_buf()))?;
    log.set_len(0).map_err(|source| StartError::Folder { folder: folder.to_path_buf(), source })
}
