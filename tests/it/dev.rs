//! Promise: `clawback dev` prints a line for each event with what it changed, and keeps its data if told where.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use clawback::store::feed;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::binary::{Ended, run};
use crate::guide::{bash, blocks};
use crate::harness::{PATIENCE, SECRET, TestApp, client, header, tell, until};

/// What the test's own environment says about Postgres.
pub fn environment() -> Vec<(&'static str, String)> {
    ["PATH", "PG_BIN"].into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?))).collect()
}

/// A folder of a test's own, which the user that runs Postgres can enter.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("clawback-dev-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a new folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("our folder");
        Self(folder)
    }

    pub fn inside(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.0.join(name)).expect(name).permissions().mode() & 0o777
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// `clawback dev` on ports of its own.
struct Dev {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Dev {
    /// Starts it, and waits until it answers.
    async fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawback"));
        command.arg("dev").args(arguments).env_clear().envs(environment()).envs(variables.iter().copied());
        command.envs(
            ["CLAWBACK_LISTEN", "CLAWBACK_ADMIN_LISTEN", "CLAWBACK_CONSOLE_LISTEN"].map(|of| (of, "127.0.0.1:0")),
        );
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok(Some(line)) = stdout.next_line().await {
                read.lock().expect("no panic").push(line);
            }
        });
        let dev = Self { child, lines };
        until("dev says where it listens", async || dev.said("endpoint").is_some()).await;
        let (client, ready) = (client(), dev.endpoint().replace("/webhooks/stripe", "/readyz"));
        until("dev is ready", async || client.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200))
            .await;
        dev
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// The lines of events: those that begin with a time such as `08:09:21Z`.
    fn event_lines(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.get(8..11) == Some("Z  ")).collect()
    }

    /// What the welcome says under this heading.
    fn said(&self, heading: &str) -> Option<String> {
        let lines = self.lines();
        lines.iter().find_map(|line| Some(line.strip_prefix(heading)?.strip_prefix(" ")?.trim().to_owned()))
    }

    fn endpoint(&self) -> String {
        self.said("endpoint").expect("it says where it listens")
    }

    async fn deliver(&self, body: &str) {
        let request = client().post(self.endpoint()).header("Stripe-Signature", header(body)).body(body.to_owned());
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }

    /// Plays a story with the secret that it named.
    async fn simulate(&self, story: &str, order: &str) -> Ended {
        let secret = self.said("secret").expect("it names its secret");
        let arguments = ["simulate", story, "--order", order, "--url", &self.endpoint()];
        run(&arguments, &[("CLAWBACK_SIMULATE_SECRET", &secret)]).await
    }

    /// Waits for the line of an event, and returns what stands behind its id.
    async fn line_of(&self, event_id: &str) -> String {
        let behind = || self.event_lines().iter().find_map(|line| Some(line.split_once(event_id)?.1.trim().to_owned()));
        until(event_id, async || behind().is_some()).await;
        behind().expect("waited for")
    }

    async fn stop(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill runs").success());
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it ends in time").expect("a status");
        assert!(ended.success(), "{ended}");
        until("it says that it stops", async || self.lines().iter().any(|line| line == "stopping …")).await;
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }
}

fn event(id: &str, kind: &str, object: &serde_json::Value) -> String {
    json!({ "id": id, "object": "event", "type": kind, "created": 1_785_000_000, "livemode": false,
            "data": { "object": object } })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_welcome_has_a_link_to_the_console_unless_it_is_off() {
    let dev = Dev::start(&[], &[]).await;
    let link = dev.said("console").expect("it names the console");
    let (address, token) = link.split_once("/login?token=").expect("a link");
    assert!(token.len() == 64 && address.starts_with("http://127.0.0.1:"), "{link}");
    client().get(&link).send().await.expect("the console answers");
    dev.stop().await;
    let dev = Dev::start(&["--console", "off"], &[]).await;
    assert_eq!(dev.said("console"), None);
    dev.stop().await;
    let ended = run(&["dev", "--console", "0.0.0.0:8081"], &[]).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("loopback"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_one_line_that_says_what_it_changed() {
    let dev = Dev::start(&[], &[("STRIPE_WEBHOOK_SECRETS", SECRET)]).await;
    let story = tell("chargeback-open", "order-7");
    for event in &story {
        dev.deliver(&event.body).await;
        let line = dev.line_of(&event.id).await;
        let said = match event.r#type.as_str() {
            "payment_intent.created" => "order-7: pending",
            "charge.succeeded" => "order-7: pending → paid",
            "charge.dispute.created" => "order-7: paid → disputed, 5 follow-ups",
            _ => "no change",
        };
        assert_eq!(line, said, "{}", event.r#type);
    }
    dev.deliver(&event("evt_ignored", "product.created", &json!({ "id": "prod_1", "object": "product" }))).await;
    assert!(dev.line_of("evt_ignored").await.starts_with("ignored: "));
    dev.deliver(&event("evt_failed", "charge.succeeded", &json!({ "id": "ch_1", "object": "charge" }))).await;
    let failed = dev.line_of("evt_failed").await;
    assert!(failed.starts_with("failed: ") && failed.contains("amount"), "{failed}");
    assert_eq!(dev.event_lines().len(), story.len() + 2, "{:#?}", dev.lines());
    assert!(!dev.lines().iter().any(|line| line.starts_with('{')), "the service's log repeats or drowns them");
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_of_the_feed_is_made_again() {
    let dev = Dev::start(&[], &[("STRIPE_WEBHOOK_SECRETS", SECRET)]).await;
    let url = dev.said("database").expect("it says where the database is");
    let mut conn = PgConnection::connect(&url).await.expect("a connection");
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
               where pid <> pg_backend_pid() and query like '%with changed as%'";
    let ended: i64 = sqlx::query_scalar(end).fetch_one(&mut conn).await.expect("it is ended");
    assert_eq!(ended, 1);
    dev.deliver(&event("evt_1", "product.created", &json!({ "id": "prod_1", "object": "product" }))).await;
    assert!(dev.line_of("evt_1").await.starts_with("ignored: "));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_thrown_away_unless_a_folder_is_named() {
    let folder = Folder::new();
    let dev = Dev::start(&[], &[("TMPDIR", &folder.inside(""))]).await;
    assert_eq!(dev.said("data").as_deref(), Some("deleted when you stop; --data DIR keeps it"));
    assert_eq!(fs::read_dir(&folder.0).expect("our folder").count(), 1);
    dev.stop().await;
    assert_eq!(fs::read_dir(&folder.0).expect("our folder").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_folder_keeps_database_and_secret_even_when_it_is_killed() {
    let folder = Folder::new();
    let data = folder.inside("data");
    let dev = Dev::start(&["--data", &data], &[]).await;
    let secret = dev.said("secret");
    assert_eq!(dev.said("data"), Some(format!("kept in {data}")));
    assert_eq!((folder.mode("data"), folder.mode("data/signing-secret")), (0o700, 0o600));
    assert_eq!(folder.mode("data/database-password"), 0o600);
    assert_eq!(dev.simulate("paid", "order-1").await.code, Some(0));
    dev.kill().await;

    let dev = Dev::start(&["--data", &data], &[]).await;
    assert_eq!(dev.said("secret"), secret);
    assert_eq!(dev.simulate("paid", "order-2").await.code, Some(0));
    let url = dev.said("database").expect("it says where its database is");
    for order in ["order-1", "order-2"] {
        let there = async || run(&["orders", "show", order], &[("DATABASE_URL", &url)]).await.code == Some(0);
        until(order, there).await;
    }
    dev.stop().await;
    assert_eq!(folder.mode("data/signing-secret"), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_in_use_or_holds_something_else_is_refused() {
    let folder = Folder::new();
    let data = folder.inside("data");
    let dev = Dev::start(&["--data", &data], &[]).await;
    let ports = ["CLAWBACK_LISTEN", "CLAWBACK_ADMIN_LISTEN", "CLAWBACK_CONSOLE_LISTEN"].map(|of| (of, "127.0.0.1:0"));
    let ended = run(&["dev", "--data", &data], &ports).await;
    let refusal = format!("clawback: {data} is in use by another clawback dev: stop it, or name another folder\n");
    assert_eq!((ended.code, ended.stderr), (Some(1), refusal));
    dev.stop().await;

    fs::create_dir(folder.0.join("photos")).expect("a folder");
    fs::write(folder.0.join("photos/cat.jpg"), "").expect("a file");
    let photos = folder.inside("photos");
    let ended = run(&["dev", "--data", &photos], &ports).await;
    let refusal = format!("clawback: {photos} holds other files: name a new or empty folder\n");
    assert_eq!((ended.code, ended.stderr), (Some(1), refusal));
    assert_eq!(fs::read_dir(&photos).expect("the folder").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_of_a_batch_count_for_the_last_event_that_changed_something() {
    let app = TestApp::start().await;
    let story = tell("chargeback-open", "order-7");
    let held = app.db.hold_batches().await;
    app.deliver_all(&story).await;
    let mut conn = app.db.pool.acquire().await.expect("a connection");
    held.rollback().await.expect("the lock ends");
    app.db.settle().await;
    let processed = feed::processed_since(&mut conn, OffsetDateTime::UNIX_EPOCH).await.expect("rows");
    let ids: Vec<_> = processed.iter().map(|event| &event.event_id).collect();
    assert_eq!(ids, story.iter().map(|event| &event.id).collect::<Vec<_>>());
    let counted = processed.iter().filter(|event| event.follow_ups > 0);
    let counted: Vec<_> = counted.map(|event| (event.event_type.as_str(), event.follow_ups)).collect();
    assert_eq!(counted, [("charge.dispute.created", 5)]);
    assert!(feed::processed_since(&mut conn, processed[0].at).await.expect("rows").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_gets_the_webhooks_of_its_double_of_stripe() {
    let dev = Dev::start(&["--with-stripe", "127.0.0.1:0"], &[]).await;
    let said = dev.said("stripe").expect("it says where the double listens");
    let url = format!("{}/v1/payment_intents", said.split(',').next().expect("an address"));
    let body = "amount=1200&currency=eur&confirm=true&payment_method=pm_card_visa&metadata[order_id]=o_double";
    let request = client().post(url).bearer_auth("sk_test_1").body(body);
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    until("the order is paid", async || {
        dev.lines().iter().any(|line| line.contains("o_double: ") && line.contains("paid"))
    })
    .await;
    let database = dev.said("database").expect("it says where its database is");
    let request = ["refunds", "request", "o_double", "--all", "--key", "return-1"];
    let requested = run(&request, &[("DATABASE_URL", &database)]).await;
    assert!(requested.stdout.contains("12.00 EUR of payment"), "{requested:?}");
    until("the refund is made at the double", async || {
        dev.lines().iter().any(|line| line.contains("o_double: ") && line.contains("refunded"))
    })
    .await;
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_answers_a_dispute_of_the_double_by_the_commands_of_the_page() {
    let (dev, folder) = (Dev::start(&["--with-stripe", "127.0.0.1:0"], &[]).await, Folder::new());
    let said = dev.said("stripe").expect("it says where the double listens");
    let double = said.strip_prefix("http://").and_then(|rest| rest.split(',').next()).expect("an address");
    let database = dev.said("database").expect("it says where its database is");
    let page = include_str!("../../docs/DISPUTES.md").replace("127.0.0.1:12111", double);
    let page = page.replace("postgres://…", &format!("'{database}'"));
    let run = async |names: &[&str]| {
        let script: Vec<_> = names.iter().map(|name| blocks(&page, name)).collect();
        let mut command = Command::from(bash(&script.join("\n"), &[("USER", "ada")]));
        let output = command.current_dir(&folder.0).output().await.expect("bash runs");
        assert!(output.status.success(), "{names:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    run(&["try"]).await;
    until("the order is disputed", async || {
        dev.lines().iter().any(|line| line.contains("o_1: ") && line.contains("disputed"))
    })
    .await;
    let answered = run(&["try-settings", "sample-files", "dispute"]).await;
    assert!(answered.contains("JD0146"), "{answered}");
    let uncounted = "select count(*) from clawback.evidence_files where pages is null";
    until("the pages are counted", async || {
        let mut conn = PgConnection::connect(&database).await.expect("a connection");
        sqlx::query_scalar::<_, i64>(uncounted).fetch_one(&mut conn).await.expect("a number") == 0
    })
    .await;
    run(&["try-settings", "dispute-submit"]).await;
    until("the dispute is won", async || run(&["try-settings", "dispute-outcome"]).await.contains("won")).await;
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_welcome_with_a_double_says_how_to_make_a_dispute_as_the_page_does() {
    let dev = Dev::start(&["--with-stripe", "127.0.0.1:0"], &[]).await;
    let page = blocks(include_str!("../../docs/DISPUTES.md"), "try").replace(" \\\n ", "");
    let (_, arguments) = page.split_once("/v1/payment_intents").expect("the request");
    let printed = dev.lines().into_iter().any(|line| line.contains("curl") && line.ends_with(arguments.trim_end()));
    assert!(printed, "{arguments} in {:#?}", dev.lines());
    dev.stop().await;
}
