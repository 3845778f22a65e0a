//! Where everything runs: a private Postgres, a new database for each run, and the receivers as processes of their own.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clawback::app::migrate::for_stories;
use clawback::dev::local_postgres::{Durability, LocalPostgres, Options};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

use crate::corpus::SECRET;
use crate::usage;

/// The key of the processor's advisory lock: "clawback" in ASCII.
const BATCH_LOCK: i64 = 0x636c_6177_6261_636b;
/// Longer than a start takes on a slow machine.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// The word that makes this program the textbook handler.
pub const TEXTBOOK: &str = "textbook";

/// A private Postgres, durable and with the default settings.
pub struct World {
    server: LocalPostgres,
    /// To its database `postgres`, which nothing that is measured uses.
    pub admin: PgConnection,
    /// The process all of whose children are Postgres.
    postmaster: u32,
    logs: Folder,
    databases: usize,
}

/// A database of one run.
pub struct Database {
    name: String,
    url: String,
    /// For looking at it.
    pub conn: PgConnection,
}

/// A temporary folder, removed when this is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's cleaning of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a new database holds.
#[derive(Clone, Copy)]
pub enum Template {
    /// Nothing.
    Empty,
    /// The service's tables, without a row of data or statistics.
    Migrated,
}

/// A running receiver of webhooks.
pub struct Receiver {
    child: Child,
    /// Its process.
    pub pid: u32,
    /// Where it takes webhooks.
    pub address: SocketAddr,
}

impl World {
    /// Starts Postgres, and makes the database that is copied for each run of the service.
    pub async fn start(durability: Durability) -> anyhow::Result<Self> {
        let server = LocalPostgres::start(&Options::from_env(durability)).await?;
        let mut admin = connect(&server.url("postgres")).await?;
        let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut admin).await?;
        let postmaster = usage::parent(u32::try_from(backend)?)?;
        let logs = Folder(std::env::temp_dir().join(format!("clawback-bench-{}", std::process::id())));
        std::fs::create_dir(&logs.0).with_context(|| format!("cannot make {}", logs.0.display()))?;
        let mut world = Self { server, admin, postmaster, logs, databases: 0 };
        world.execute("create database migrated").await?;
        for_stories(&PgConnectOptions::from_str(&world.server.url("migrated"))?).await?;
        Ok(world)
    }

    /// Creates a database, and begins with no dirty pages of earlier runs.
    pub async fn database(&mut self, template: Template) -> anyhow::Result<Database> {
        self.databases += 1;
        let name = format!("run_{}", self.databases);
        let template = match template {
            Template::Empty => "template1",
            Template::Migrated => "migrated",
        };
        self.execute(&format!("create database {name} template {template}")).await?;
        self.execute("checkpoint").await?;
        let url = self.server.url(&name);
        let conn = connect(&url).await?;
        Ok(Database { name, url, conn })
    }

    /// Drops the database of a run that is over.
    pub async fn drop_database(&mut self, database: Database) -> anyhow::Result<()> {
        let Database { name, conn, .. } = database;
        conn.close().await?;
        self.execute(&format!("drop database {name} with (force)")).await
    }

    /// Starts the service, and waits until it is ready.
    pub async fn clawback(&self, database: &Database) -> anyhow::Result<Receiver> {
        let environment = [
            ("DATABASE_URL", database.url.as_str()),
            ("STRIPE_WEBHOOK_SECRETS", SECRET),
            ("CLAWBACK_LISTEN", "127.0.0.1:0"),
            ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0"),
            ("CLAWBACK_LOG_FORMAT", "json"),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawback"));
        command.arg("serve").env_clear().envs(environment);
        let receiver = Receiver::start(command, &self.log(&database.name)).await?;
        timeout(STARTS_WITHIN, receiver.until_ready()).await.context("the service is not ready in time")??;
        Ok(receiver)
    }

    /// Starts the textbook handler.
    pub async fn textbook(&self, database: &Database) -> anyhow::Result<Receiver> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([TEXTBOOK, &database.url, SECRET]).env_clear();
        Receiver::start(command, &self.log(&database.name)).await
    }

    /// The CPU time that Postgres used so far.
    pub fn postgres_cpu(&self) -> anyhow::Result<Duration> {
        usage::cpu_with_children(self.postmaster)
    }

    /// How many transactions ended in a database so far.
    pub async fn transactions(&mut self, database: &Database) -> anyhow::Result<i64> {
        let ended = "select xact_commit + xact_rollback from pg_stat_database where datname = $1";
        Ok(sqlx::query_scalar(ended).bind(&database.name).fetch_one(&mut self.admin).await?)
    }

    /// Stops Postgres and removes its data.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.admin.close().await?;
        Ok(self.server.stop().await?)
    }

    async fn execute(&mut self, statement: &str) -> anyhow::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut self.admin).await.context(statement.to_owned())?;
        Ok(())
    }

    /// The log of a receiver: a file, as where the output of a container goes.
    fn log(&self, name: &str) -> PathBuf {
        let replicas = (0..).map(|replica| self.logs.0.join(format!("{name}-{replica}.log")));
        replicas.into_iter().find(|path| !path.exists()).expect("a free name")
    }
}

impl Database {
    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Another connection.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        connect(&self.url).await
    }

    /// Keeps every processor from starting a batch until the connection that is returned is closed.
    pub async fn hold_batches(&self) -> anyhow::Result<PgConnection> {
        let mut conn = self.connect().await?;
        sqlx::query("select pg_advisory_lock($1)").bind(BATCH_LOCK).execute(&mut conn).await?;
        Ok(conn)
    }

    /// The only value of the only row, a count.
    pub async fn count(&mut self, query: &'static str) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar(query).fetch_one(&mut self.conn).await?)
    }
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    let options = PgConnectOptions::from_str(url)?.application_name("bench");
    Ok(options.connect().await?)
}

impl Receiver {
    /// Starts a process, and waits until its log says where it listens.
    async fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::create_new(log)?;
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output).kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child.id().context("it has ended")?;
        let address = timeout(STARTS_WITHIN, address_in(log, &mut child)).await;
        let address = address.with_context(|| format!("a receiver does not listen in time: {command:?}"))??;
        Ok(Self { child, pid, address })
    }

    async fn until_ready(&self) -> anyhow::Result<()> {
        let mut ticks = interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            if answer.starts_with(b"HTTP/1.1 200") {
                return Ok(());
            }
        }
    }

    /// Its CPU time so far.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        usage::cpu(self.pid)
    }

    /// Ends it. Fails if it had ended before.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "a receiver ended on its own");
        Ok(self.child.kill().await?)
    }
}

/// The address that a log names, once it does.
async fn address_in(log: &Path, child: &mut Child) -> anyhow::Result<SocketAddr> {
    let mut ticks = interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        let text = std::fs::read_to_string(log)?;
        let named = text.split_once("listening on ").map(|(_, rest)| rest);
        let address = named.and_then(|rest| rest.split([',', '\n']).next()?.parse().ok());
        match (address, child.try_wait()?) {
            (Some(address), _) => return Ok(address),
            (None, None) => {}
            (None, Some(status)) => bail!("a receiver ended, {status}: {text}"),
        }
    }
}
