//! The private Postgres that is tortured: databases on it, its processes, its crashes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use clawback::app::migrate::for_stories;
use clawback::dev::local_postgres::{Durability, Folder, LocalPostgres, Options};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::harness::Database;
use crate::proxy::Proxy;
use crate::usage;

/// The role that owns the databases, as the documents advise: no superuser, so that rights and limits hold for it.
const OWNER: &str = "service";

/// A Postgres in a folder of its own, and a way to it that outlives its crashes.
pub struct Server {
    postgres: Mutex<Option<LocalPostgres>>,
    /// Removed at the end.
    pub folder: PathBuf,
    /// Always leads to the running server.
    straight: Proxy,
    durability: Durability,
    databases: AtomicU32,
}

impl Server {
    pub async fn start(durability: Durability) -> Self {
        let folder = std::env::temp_dir().join(format!("clawback-torture-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&folder).expect("a folder");
        // The user who runs Postgres must be able to enter.
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("a folder of our own");
        let postgres = boot(&folder, durability).await;
        let straight = Proxy::to(port(&postgres)).await;
        let databases = AtomicU32::new(0);
        let server = Self { postgres: Mutex::new(Some(postgres)), folder, straight, durability, databases };
        server.admin(&format!("create role {OWNER} login password '{OWNER}'")).await;
        server
    }

    /// A new database with the tables of the service, in a tablespace or in the usual one. Its handle is a superuser's.
    pub async fn database(&self, tablespace: Option<&Path>) -> Database {
        let name = format!("t_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let space = match tablespace {
            None => String::new(),
            Some(folder) => {
                self.admin(&format!("create tablespace of_{name} location '{}'", folder.display())).await;
                format!(" tablespace of_{name}")
            }
        };
        self.admin(&format!("create database {name} owner {OWNER}{space}")).await;
        for_stories(&options(&self.owner_url(&name, self.straight.port))).await.expect("the migrations run");
        let url = self.url(&name).await;
        Database::at(name, url)
    }

    /// Runs a statement in the database `postgres`, as a superuser.
    pub async fn admin(&self, statement: &str) {
        let mut conn = options(&self.url("postgres").await).connect().await.expect("Postgres answers");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await.expect(statement);
        conn.close().await.expect("a clean end");
    }

    /// Drops all databases of trials.
    pub async fn clear(&self) {
        for number in 0..self.databases.load(Ordering::Relaxed) {
            self.admin(&format!("drop database if exists t_{number} with (force)")).await;
            self.admin(&format!("drop tablespace if exists of_t_{number}")).await;
        }
    }

    /// The URL of the service's role by a port.
    pub fn owner_url(&self, database: &str, port: u16) -> String {
        format!("postgres://{OWNER}:{OWNER}@127.0.0.1:{port}/{database}")
    }

    /// The port that always leads to the running server.
    pub fn straight_port(&self) -> u16 {
        self.straight.port
    }

    /// A proxy of its own to the server.
    pub async fn proxy(&self) -> Proxy {
        Proxy::to(self.straight.port).await
    }

    /// A program that came with the server.
    pub fn program(&self, name: &str) -> PathBuf {
        let postgres = fs::read_link(format!("/proc/{}/exe", self.postmaster().expect("it runs")));
        postgres.expect("a program").with_file_name(name)
    }

    /// A file of the user who runs the server.
    pub fn own_file(&self) -> PathBuf {
        self.folder.join("pg/data/PG_VERSION")
    }

    /// The server's processes, its own first.
    pub fn processes(&self) -> Vec<u32> {
        let Some(postmaster) = self.postmaster() else { return Vec::new() };
        let all = fs::read_dir("/proc").expect("the processes");
        let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let children = pids.filter(|pid| usage::parent(*pid).is_ok_and(|parent| parent == postmaster));
        std::iter::once(postmaster).chain(children).collect()
    }

    fn postmaster(&self) -> Option<u32> {
        fs::read_to_string(self.folder.join("pg/data/postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
    }

    /// Kills the server and all of its processes, and starts it again.
    pub async fn crash(&self) {
        let mut postgres = self.postgres.lock().await;
        signal("KILL", &self.processes()).await;
        if let Some(dead) = postgres.take() {
            dead.stop().await.expect("it ends");
        }
        let next = boot(&self.folder, self.durability).await;
        self.straight.lead_to(port(&next));
        *postgres = Some(next);
    }

    pub async fn stop(&self) {
        if let Some(postgres) = self.postgres.lock().await.take() {
            postgres.stop().await.expect("it ends");
        }
    }

    /// A URL of the superuser that outlives crashes.
    async fn url(&self, database: &str) -> String {
        let postgres = self.postgres.lock().await;
        let postgres = postgres.as_ref().expect("it runs");
        postgres.url(database).replace(&format!(":{}/", port(postgres)), &format!(":{}/", self.straight.port))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's cleaning of temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn boot(folder: &Path, durability: Durability) -> LocalPostgres {
    let folder = Folder::open(&folder.join("pg")).expect("a folder");
    LocalPostgres::start_in(Some(folder), &Options::from_env(durability)).await.expect("Postgres starts")
}

fn port(postgres: &LocalPostgres) -> u16 {
    options(&postgres.url("postgres")).get_port()
}

fn options(url: &str) -> PgConnectOptions {
    PgConnectOptions::from_str(url).expect("a URL of our own making")
}

/// Sends a signal; processes that are gone do not matter.
pub async fn signal(name: &str, pids: &[u32]) {
    if !pids.is_empty() {
        let pids = pids.iter().map(u32::to_string);
        let kill = Command::new("kill").arg(format!("-{name}")).args(pids).output().await;
        kill.expect("kill runs");
    }
}
