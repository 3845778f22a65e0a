//! A service for each test: the real one on loopback, with its own database on a private Postgres that ends with the
//! test run.
//!
//! Helpers deliver events, wait until they are processed, and read state. Nothing waits for a fixed time, and nothing
//! is mocked.

use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use clawback::app::migrate::for_stories;
use clawback::app::{Acting, Console, Service};
use clawback::console::settings::{Entry, PublicUrl, Settings};
use clawback::console::users::{Recognition, Users};
use clawback::desk::Policy;
use clawback::dev::local_postgres::{Durability, LocalPostgres, Options};
use clawback::dev::stories::{Cast, Story, StoryEvent, find};
use clawback::domain::Marks;
use clawback::stripe::signature::{Secret, Secrets, sign};
use clawback::stripe_api::{self, Base, Keys, Limits};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgPool, Postgres, Transaction};
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

pub const SECRET: &str = "whsec_of_the_tests";

/// The key of the batch's advisory lock: "clawback" in ASCII.
const BATCH_LOCK: i64 = 0x636c_6177_6261_636b;

/// The role of services on a migrated database. It owns nothing.
pub const SERVICE_ROLE: &str = "clawback_service";

/// Longer than anything takes on a slow machine; each wait ends as soon as its condition holds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// All state that services may read, except times of our clock and ids that we generate.
pub const STATE: [&str; 5] = [
    "select order_id, account, livemode, currency, state, amount_paid, amount_refunded, amount_disputed, amount_lost,
            hold, open_disputes, evidence_due_by from clawback_v1.orders order by order_id",
    "select payment_id, order_id, charge_id, account, livemode, currency, amount, amount_paid, amount_refunded,
            amount_disputed, amount_lost, state, hold, evidence_due_by from clawback_v1.payments order by payment_id",
    "select refund_id, payment_id, order_id, charge_id, amount, currency, status, reason, failure_reason, created_at
     from clawback_v1.refunds order by refund_id",
    "select dispute_id, payment_id, order_id, charge_id, amount, currency, reason, network_reason_code, status, phase,
            outcome, evidence_due_by, has_evidence, past_due, submission_count, is_charge_refundable, amount_withdrawn,
            amount_reinstated, fee, settlement_currency, created_at from clawback_v1.disputes order by dispute_id",
    "select kind, subject, round, order_id, payment_id, payload, due_at from clawback_v1.follow_ups
     where wanted order by kind, subject, round",
];

static POSTGRES: OnceCell<LocalPostgres> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The server of this test run, with a migrated database to copy.
async fn postgres() -> &'static LocalPostgres {
    POSTGRES
        .get_or_init(async || {
            let postgres =
                LocalPostgres::start(&Options::from_env(Durability::FsyncOff)).await.expect("Postgres starts");
            admin(&postgres, "create database template_migrated").await;
            for_stories(&options(&postgres.url("template_migrated"))).await.expect("the migrations run");
            grant_service(&postgres).await;
            postgres
        })
        .await
}

/// A role that has what `clawback grants ROLE --service` prints, in each copy of the migrated database, and nothing else.
/// Services of tests run as it.
async fn grant_service(postgres: &LocalPostgres) {
    admin(postgres, &format!("create role {SERVICE_ROLE} login password '{SERVICE_ROLE}'")).await;
    let grants = Command::new(env!("CARGO_BIN_EXE_clawback")).args(["grants", SERVICE_ROLE, "--service"]).output();
    let grants = String::from_utf8(grants.expect("the binary runs").stdout).expect("text");
    let mut conn = options(&postgres.url("template_migrated")).connect().await.expect("Postgres answers");
    sqlx::raw_sql(AssertSqlSafe(grants)).execute(&mut conn).await.expect("the grants");
    conn.close().await.expect("it closes");
}

async fn admin(postgres: &LocalPostgres, statement: &str) {
    let pool = PgPool::connect_with(options(&postgres.url("postgres"))).await.expect("Postgres answers");
    pool.execute(AssertSqlSafe(statement)).await.expect(statement);
    pool.close().await;
}

pub fn options(url: &str) -> PgConnectOptions {
    PgConnectOptions::from_str(url).expect("a URL of our own making")
}

/// The settings of a client of Stripe's API with these keys.
pub fn stripe_settings(keys: &str, base: &str) -> stripe_api::Settings {
    let base = Base::parse(base).expect("a base");
    let limits = Limits { per_second: 1_000, at_once: 100 };
    stripe_api::Settings { keys: Keys::parse(keys).expect("keys"), api_base: base.clone(), files_base: base, limits }
}

/// A migrated database for one test. Dropping it checks the server log for its errors.
pub struct Database {
    pub name: String,
    pub url: String,
    pub pool: PgPool,
    /// Whether services on it run as its owner, since it has no other role for them.
    owns: bool,
    expected_errors: Vec<&'static str>,
}

impl Database {
    pub async fn migrated() -> Self {
        let mut db = Self::copied_from("template_migrated").await;
        db.owns = false;
        db
    }

    pub async fn empty() -> Self {
        Self::copied_from("template0").await
    }

    /// A migrated database on a server of the test's own.
    pub async fn on(postgres: &LocalPostgres, name: &str) -> Self {
        admin(postgres, &format!("create database {name}")).await;
        let url = postgres.url(name);
        for_stories(&options(&url)).await.expect("the migrations run");
        let mut db = Self::at(name.to_owned(), url);
        // What the test asks is not logged.
        let quiet = options(&db.url).options([("statement_timeout", "60s"), ("auto_explain.log_min_duration", "-1")]);
        db.pool = PgPoolOptions::new().max_connections(5).connect_lazy_with(quiet);
        db
    }

    async fn copied_from(template: &str) -> Self {
        let postgres = postgres().await;
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        admin(postgres, &format!("create database {name} template {template}")).await;
        Self::at(name.clone(), postgres.url(&name))
    }

    /// One that exists on a server of the test's own.
    pub fn at(name: String, url: String) -> Self {
        // A statement that never gets its lock fails its test.
        let bounded = options(&url).options([("statement_timeout", "60s")]);
        let pool = PgPoolOptions::new().max_connections(5).connect_lazy_with(bounded);
        Self { name, url, pool, owns: true, expected_errors: Vec::new() }
    }

    /// Log errors that contain one of these texts are expected in this test.
    pub fn expect_errors(&mut self, errors: &[&'static str]) {
        self.expected_errors.extend(errors);
    }

    /// The rows of a query, as JSON objects.
    pub async fn rows(&self, query: &str) -> Vec<Value> {
        let query = format!("select to_jsonb(r) from ({query}) r");
        sqlx::query_scalar(AssertSqlSafe(query.as_str())).fetch_all(&self.pool).await.expect(&query)
    }

    /// The only value of the only row of a query, as JSON.
    pub async fn value(&self, query: &str) -> Value {
        let query = format!("select coalesce(to_jsonb(({query})), 'null')");
        sqlx::query_scalar(AssertSqlSafe(query.as_str())).fetch_one(&self.pool).await.expect(&query)
    }

    /// Makes this database read-only, or writable again, for new connections; existing ones keep
    /// their mode.
    pub async fn set_read_only(&self, read_only: bool) {
        let (name, setting) = (&self.name, if read_only { "on" } else { "off" });
        admin(postgres().await, &format!("alter database {name} set default_transaction_read_only = {setting}")).await;
    }

    /// Ends all connections to this database, as a server that restarts does.
    pub async fn end_connections(&self) {
        let all = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'", self.name);
        admin(postgres().await, &all).await;
    }

    /// Runs statements as the owner.
    pub async fn execute(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&self.pool).await.expect(statements);
    }

    /// The database's error for a statement that it refuses.
    pub async fn refusal(&self, statement: &str) -> String {
        let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.pool).await;
        refused.expect_err(statement).as_database_error().expect("a refusal").message().to_owned()
    }

    /// Runs statements in a transaction that stays open until it is ended or dropped.
    pub async fn begin(&self, statements: &str) -> Transaction<'static, Postgres> {
        let mut transaction = self.pool.begin().await.expect("a transaction");
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *transaction).await.expect(statements);
        transaction
    }

    /// Keeps every processor from starting a batch until the transaction ends. Events that arrive meanwhile stay
    /// pending, and go into one batch afterwards.
    pub async fn hold_batches(&self) -> Transaction<'static, Postgres> {
        self.begin(&format!("select pg_advisory_xact_lock({BATCH_LOCK})")).await
    }

    /// Makes every lease expire.
    pub async fn expire_leases(&self) {
        self.execute(
            "update clawback.follow_ups set leased_until = now() - interval '1 second' where state = 'leased'",
        )
        .await;
    }

    /// Waits until a query whose only value is a boolean returns true.
    pub async fn until(&self, query: &str) {
        until(query, async || self.value(query).await == Value::Bool(true)).await;
    }

    /// Waits until no event is pending.
    pub async fn settle(&self) {
        self.until("select not exists (select from clawback.pending_events)").await;
    }

    /// Another handle on the same database, for a second service. Call `expect_errors` before.
    pub fn again(&self) -> Self {
        let Self { name, url, pool, owns, expected_errors } = self;
        let (name, url, pool) = (name.clone(), url.clone(), pool.clone());
        Self { name, url, pool, owns: *owns, expected_errors: expected_errors.clone() }
    }

    /// How a service connects: as a role that owns nothing, where there is one.
    pub fn service(&self) -> PgConnectOptions {
        let owner = options(&self.url);
        if self.owns { owner } else { owner.username(SERVICE_ROLE).password(SERVICE_ROLE) }
    }

    /// The first lines of the statements that were run on connections with `log_statement = all`.
    pub fn logged_statements(&self) -> Vec<String> {
        let is_one = |line: &&str| line.contains("LOG:  execute ") || line.contains("LOG:  statement: ");
        let of_mine = format!("] {} ", self.name);
        log().lines().filter(|line| line.contains(&of_mine)).filter(is_one).map(str::to_owned).collect()
    }

    fn unexpected_errors(&self) -> Vec<String> {
        let log = log();
        let of_mine = format!("] {} ", self.name);
        let bad = |line: &str| ["ERROR:", "FATAL:", "PANIC:", "deadlock"].iter().any(|word| line.contains(word));
        let expected = |line: &str| self.expected_errors.iter().any(|error| line.contains(error));
        log.lines().filter(|line| line.contains(&of_mine) && bad(line) && !expected(line)).map(str::to_owned).collect()
    }
}

/// The log of the server of this test run.
fn log() -> String {
    let file = POSTGRES.get().map(LocalPostgres::log_file);
    file.and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default()
}

impl Drop for Database {
    /// No deadlock and no unexpected error, in any test.
    fn drop(&mut self) {
        let errors = self.unexpected_errors();
        assert!(std::thread::panicking() || errors.is_empty(), "Postgres logged errors of this test: {errors:#?}");
    }
}

/// A running service on a database of its own.
pub struct TestApp {
    pub db: Database,
    pub url: String,
    pub admin_url: String,
    /// Of the console, as a browser sees it, without a slash at the end; none when there is no console.
    pub console_url: Option<String>,
    pub client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl TestApp {
    /// A service that is ready.
    pub async fn start() -> Self {
        let app = Self::start_on(Database::migrated().await, |_| {}).await;
        app.ready().await;
        app
    }

    /// A service that is ready, with a console on a free port. `users`: lines as in the users' file.
    pub async fn start_with_console(users: &str, entry: Entry) -> Self {
        let db = Database::migrated().await;
        let console = console(&db, users, entry).await;
        let app = Self::start_on(db, |service| service.console = Some(console)).await;
        app.ready().await;
        app
    }

    /// A service with other settings, or on a prepared database.
    pub async fn start_on(db: Database, change: impl FnOnce(&mut Service)) -> Self {
        let mut service = Service {
            desk: Policy::default(),
            poll: Duration::from_millis(200),
            notify: None,
            notify_hour: 0,
            notify_poll: Duration::from_millis(50),
            retention: None,
            retention_poll: Duration::from_millis(50),
            acting: Acting::with(stripe_settings("", "https://api.stripe.com")).expect("a client"),
            database: db.service(),
            secrets: Secrets::parse(SECRET).expect("a secret"),
            sources: None,
            tolerance: Duration::from_secs(300),
            max_body: 1 << 20,
            order_key: "order_id".to_owned(),
            order_key_changed: false,
            marks: Marks::default(),
            migrate: true,
            console: None,
        };
        change(&mut service);
        let public = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let private = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", public.local_addr().expect("an address"));
        let admin_url = format!("http://{}", private.local_addr().expect("an address"));
        let console_url = service.console.as_ref().map(|console| console.settings.url.to_string());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(service.run(public, private, async move { drop(stopped.await) }));
        Self { db, url, admin_url, console_url, client: client(), stop: Some(stop), running }
    }

    /// Waits until the service reports that it is ready.
    pub async fn ready(&self) {
        until("the service is ready", async || self.get("/readyz").await.status() == 200).await;
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.url)).send().await.expect("an answer")
    }

    /// Delivers a body with a signature made now.
    pub async fn deliver(&self, body: &str) -> reqwest::Response {
        self.delivery(body).send().await.expect("an answer")
    }

    /// A delivery signed now, not sent yet.
    pub fn delivery(&self, body: &str) -> reqwest::RequestBuilder {
        self.request(body).header("Stripe-Signature", header(body))
    }

    /// Posts a body with this signature header.
    pub async fn post(&self, body: &str, signature: &str) -> reqwest::Response {
        self.request(body).header("Stripe-Signature", signature).send().await.expect("an answer")
    }

    /// An unsigned request to the webhook, not sent yet.
    pub fn request(&self, body: impl AsRef<[u8]>) -> reqwest::RequestBuilder {
        self.client.post(format!("{}/webhooks/stripe", self.url)).body(body.as_ref().to_vec())
    }

    /// Delivers events one after another; each must be acknowledged.
    pub async fn deliver_all<'a>(&self, events: impl IntoIterator<Item = &'a StoryEvent>) {
        for event in events {
            let answer = self.deliver(&event.body).await;
            assert_eq!(answer.status(), 200, "{} {}", event.r#type, event.id);
        }
    }

    /// Delivers hand-made events one after another and waits until all are processed.
    pub async fn see(&self, bodies: &[String]) {
        self.take_in(bodies).await;
        self.db.settle().await;
    }

    /// Delivers hand-made events one after another; each must be acknowledged.
    pub async fn take_in(&self, bodies: &[String]) {
        for body in bodies {
            assert_eq!(self.deliver(body).await.status(), 200, "{body}");
        }
    }

    /// Another service on the same database.
    pub async fn replica(&self) -> Self {
        Self::start_on(self.db.again(), |_| {}).await
    }

    /// Delivers a whole story as it happened and waits until all of it is processed.
    pub async fn live(&self, story: &str, order_id: &str) -> Vec<StoryEvent> {
        let events = tell(story, order_id);
        self.deliver_all(&events).await;
        self.db.settle().await;
        events
    }

    /// Ends the service as SIGKILL does.
    pub async fn kill(&mut self) {
        self.running.abort();
        drop((&mut self.running).await);
    }

    /// Stops the service as SIGTERM does, and returns its result.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        // Of a statement that the service gave up.
        self.db.expect_errors(&["connection to client lost"]);
        drop(self.stop.take());
        timeout(PATIENCE, &mut self.running)
            .await
            .expect("the service drains in time")
            .expect("the service does not panic")
    }
}

/// A console on a free port of loopback, to change and start by [`TestApp::start_on`]. `users`: lines as in the users'
/// file.
pub async fn console(db: &Database, users: &str, entry: Entry) -> Console {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let authority = listener.local_addr().expect("an address").to_string();
    let recognition = match entry {
        Entry::Password | Entry::Token { .. } => Recognition::Password,
        Entry::Proxy { .. } => Recognition::Proxy,
    };
    let settings = Settings {
        url: PublicUrl { is_https: false, authority, prefix: String::new(), is_loopback: true },
        users: Users::parse(users, recognition).expect("lines of users"),
        entry,
        is_read_only: false,
        database: options(&db.url),
    };
    Console { listener: listener.into(), settings }
}

/// Waits until a check succeeds, by repeating it.
pub async fn until(what: &str, there: impl AsyncFn() -> bool) {
    let asking = async {
        let mut ticks = interval(Duration::from_millis(10));
        while !there().await {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

pub fn client() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().timeout(PATIENCE).build().expect("a client")
}

/// The signature header of a body, made now.
pub fn header(body: &str) -> String {
    sign(&Secret::from_key(SECRET), unix_now(), body.as_bytes())
}

pub fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock past 1970");
    i64::try_from(since.as_secs()).expect("a clock before the year 292 billion")
}

pub fn story(name: &str) -> &'static Story {
    find(name).unwrap_or_else(|| panic!("no story is called {name}"))
}

/// The events of a story that ends now.
pub fn tell(name: &str, order_id: &str) -> Vec<StoryEvent> {
    tell_with(name, Cast::new(order_id, 0))
}

/// The events of a story that ends now, with this cast.
pub fn tell_with(name: &str, cast: Cast) -> Vec<StoryEvent> {
    let story = story(name);
    story.tell(&Cast { start: unix_now() - story.span(&cast), ..cast })
}
