//! Promise: what the README and the guide show works as it is written there, with the rights that they name.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::harness::{Database, TestApp};

pub const README: &str = include_str!("../../README.md");
const GUIDE: &str = include_str!("../../docs/GUIDE.md");

/// All code under `<!-- test: name -->` lines of a page.
pub fn blocks(page: &str, name: &str) -> String {
    let mark = format!("<!-- test: {name} -->\n");
    let marked = page.split(&mark).skip(1);
    let blocks: Vec<_> = marked
        .map(|rest| {
            let (_, rest) = rest.split_once('\n').expect("a fence opens");
            rest.split_once("\n```").expect("the fence closes").0
        })
        .collect();
    assert!(!blocks.is_empty(), "no block is marked with {name}");
    blocks.join("\n")
}

/// A shell that finds the binary, and has no environment but this.
fn bash(script: &str, environment: &[(&str, &str)]) -> Command {
    let binaries = Path::new(env!("CARGO_BIN_EXE_clawback")).parent().expect("a folder");
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").expect("a path"));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).env_clear().env("PATH", path).envs(environment.iter().copied());
    command
}

async fn receiver_with_stories() -> TestApp {
    let app = TestApp::start().await;
    for story in ["partial-refund", "refund-fails-later", "chargeback-lost", "chargeback-open"] {
        app.live(story, &format!("order-{story}")).await;
    }
    app
}

/// The name and URL of a role that has what `clawback grants ROLE --read --work` prints, and nothing else.
pub async fn consumer_role(db: &Database) -> (String, String) {
    let role = format!("consumer_of_{}", db.name);
    let grants = Command::new(env!("CARGO_BIN_EXE_clawback")).args(["grants", &role, "--read", "--work"]).output();
    let grants = String::from_utf8(succeeded(grants.expect("the binary runs")).stdout).expect("statements");
    db.execute(&format!("create role {role} login password 'consumer'; {grants}")).await;
    let (_, address) = db.url.rsplit_once('@').expect("a URL with a password");
    let url = format!("postgres://{role}:consumer@{address}");
    (role, url)
}

fn succeeded(output: Output) -> Output {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn the_psql_session_of_the_guide_runs_and_shows_what_it_says() {
    let app = receiver_with_stories().await;
    let (_, url) = consumer_role(&app.db).await;
    let script = scratch().join("session.sql");
    std::fs::write(&script, blocks(GUIDE, "psql")).expect("the scratch folder can be written");
    let output = Command::new("psql").args(["-X", "-v", "ON_ERROR_STOP=1", &url, "-f"]).arg(&script).output();
    let shown = String::from_utf8(succeeded(output.expect("psql runs")).stdout).expect("text");
    for word in ["partially_refunded", "disputed", "chargeback", "charged_back", "collect_evidence"] {
        assert!(shown.contains(word), "{word} is not in:\n{shown}");
    }
}

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_services_own_write_and_the_completion_of_a_follow_up_share_one_transaction() {
    let app = receiver_with_stories().await;
    app.db.execute("create table refund_mails (refund_id text primary key)").await;
    let claim = "select * from clawback_v1.claim_follow_ups('mailer', array['notify_refund'], 1)";
    let claimed = app.db.rows(claim).await.pop().expect("something to claim");
    let (id, token) = (&claimed["id"], claimed["lease_token"].as_str().expect("a token"));
    let work =
        format!("insert into refund_mails values ('re_1'); select clawback_v1.complete_follow_up({id}, '{token}')");
    let done = format!(
        "select (select count(*) from refund_mails) || ' ' || state from clawback_v1.follow_ups where id = {id}"
    );
    app.db.begin(&work).await.rollback().await.expect("a rollback");
    assert_eq!(app.db.value(&done).await, "0 leased");
    app.db.begin(&work).await.commit().await.expect("a commit");
    assert_eq!(app.db.value(&done).await, "1 done");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_the_readme_takes_the_payment_that_the_readme_sends() {
    let db = Database::migrated().await;
    let serve = blocks(README, "serve")
        .replace("postgres://clawback:password@localhost/clawback", &format!("'{}'", db.url))
        .replace("whsec_…", "whsec_of_the_endpoint,test:whsec_trial")
        .replace("clawback serve", "exec clawback serve");
    // Ports of its own, on loopback only.
    let here = [("CLAWBACK_LISTEN", "127.0.0.1:0"), ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0")];
    let mut service = bash(&serve, &here).stdout(Stdio::piped()).spawn().expect("bash runs");
    let mut log = BufReader::new(service.stdout.take().expect("a pipe")).lines();
    let listening = log.find_map(|line| line.ok().filter(|line| line.contains("listening on"))).expect("it listens");
    let listening: serde_json::Value = serde_json::from_str(&listening).expect("a line of JSON");
    let address = listening["public"].as_str().expect("an address");
    // Its log has to be read on, or it would stop to write.
    let rest = std::thread::spawn(move || log.for_each(drop));
    let simulate = blocks(README, "simulate").replace("127.0.0.1:8080", address);
    succeeded(bash(&simulate, &[]).output().expect("bash runs"));
    db.settle().await;
    assert_eq!(db.value("select state from clawback_v1.orders where order_id = 'my-first-order'").await, "disputed");
    let stopped = Command::new("kill").args(["-TERM", &service.id().to_string()]).status().expect("kill runs");
    assert!(stopped.success() && service.wait().expect("it is waited for").success());
    rest.join().expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grants_of_the_guide_go_through_psql() {
    let db = Database::migrated().await;
    db.execute("create role billing_of_the_guide").await;
    let grants = blocks(GUIDE, "grants").replace("billing", "billing_of_the_guide");
    succeeded(bash(&grants, &[("DATABASE_URL", &db.url)]).output().expect("bash runs"));
    let may = "select has_function_privilege('billing_of_the_guide', 'clawback_v1.find(text)', 'execute')";
    assert_eq!(db.value(may).await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_installs_beside_the_tables_of_an_application_with_the_rights_of_the_guide() {
    let db = Database::empty().await;
    db.execute("create table orders (id bigint primary key)").await;
    let rights = blocks(GUIDE, "beside").replace("database shop", &format!("database {}", db.name));
    db.execute(&rights.replace("role clawback", "role clawback_beside").replace("to clawback;", "to clawback_beside;"))
        .await;
    let (_, address) = db.url.rsplit_once('@').expect("a URL with a password");
    let url = format!("postgres://clawback_beside:change%20me@{address}");
    succeeded(bash("clawback migrate", &[("DATABASE_URL", &url)]).output().expect("bash runs"));
    assert_eq!(db.value("select count(*) from clawback_v1.orders").await, 0);
    assert_eq!(db.value("select count(*) from public.orders").await, 0);
}
