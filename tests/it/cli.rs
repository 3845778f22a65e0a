//! Promise: the binary says what is wrong in one line and how to mend it, and never shows a secret.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::binary::{Ended, Serving, run};
use crate::harness::{Database, PATIENCE, SECRET, TestApp, client, header, tell, until};

type Environment = &'static [(&'static str, &'static str)];

const SOMEWHERE: (&str, &str) = ("DATABASE_URL", "postgres://u:hidden_password@127.0.0.1:1/db");
const SIGNED: (&str, &str) = ("STRIPE_WEBHOOK_SECRETS", SECRET);

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_wrong_is_one_line_that_says_how_to_mend_it() {
    let cases: &[(Environment, &[&str])] = &[
        (&[SIGNED], &["DATABASE_URL is missing", "postgres://"]),
        (&[], &["DATABASE_URL is missing", "STRIPE_WEBHOOK_SECRETS is missing"]),
        (
            &[SOMEWHERE, SIGNED, ("CLAWBACK_EVIDENCE_MARKS", "soon")],
            &["CLAWBACK_EVIDENCE_MARKS (--evidence-marks): expected"],
        ),
        (
            &[SOMEWHERE, SIGNED, ("CLAWBACK_NOTIFY_URL", "http://hooks.example/hidden")],
            &["CLAWBACK_NOTIFY_URL: expected https"],
        ),
        (&[SOMEWHERE, SIGNED, ("CLAWBACK_NOTIFY_URL", "hidden")], &["CLAWBACK_NOTIFY_URL: expected a URL"]),
        (&[SIGNED, ("DATABASE_URL", " ")], &["DATABASE_URL is missing"]),
        (&[SIGNED, ("DATABASE_URL", "hidden_password")], &["DATABASE_URL must begin with postgres://"]),
        (&[SIGNED, ("DATABASE_URL", "postgres://u:hidden#1@127.0.0.1/db")], &["DATABASE_URL", "write # as %23"]),
        (&[SIGNED, ("DATABASE_URL", "postgres://u:x?hidden=1@127.0.0.1/db")], &["cannot be read", "? as %3F"]),
        (&[SIGNED, ("DATABASE_URL", "postgres://u:@?hidden=1@127.0.0.1/db")], &["cannot be read", "@ as %40"]),
        (&[SIGNED, ("DATABASE_URL", "postgres://u:hidden/1@127.0.0.1/db")], &["cannot be read", "/ as %2F"]),
        (
            &[SIGNED, ("DATABASE_URL", "postgres://u@h/db?sslmod=require")],
            &["DATABASE_URL", "parameter sslmod", "sslmode"],
        ),
        (&[SIGNED, ("DATABASE_URL", "postgres://u@h/db?sslmode=verify_full")], &["sslmode", "verify-full"]),
        (&[SIGNED, SOMEWHERE, ("PGSSLMODE", "verify_full")], &["PGSSLMODE must be one of", "verify-full"]),
        (&[SIGNED, ("DATABASE_URL_FILE", "/no/such/file")], &["cannot read the secret file /no/such/file"]),
        (&[SOMEWHERE], &["STRIPE_WEBHOOK_SECRETS is missing", "whsec_"]),
        (&[SOMEWHERE, ("STRIPE_WEBHOOK_SECRETS", ", ")], &["no webhook signing secret"]),
        (
            &[SOMEWHERE, ("STRIPE_WEBHOOK_SECRETS", "whsec_hidden sk_hidden")],
            &["number 2 does not begin with `whsec_`"],
        ),
        (&[SOMEWHERE, ("STRIPE_WEBHOOK_SECRET", "whsec_")], &["number 1 has nothing after `whsec_`"]),
        (&[SOMEWHERE, ("STRIPE_WEBHOOK_SECRETS", "live:whsec_…")], &["number 1 is a placeholder", "Dashboard"]),
        (&[SOMEWHERE, ("STRIPE_WEBHOOK_SECRETS_FILE", "/no/such/file")], &["cannot read", "/no/such/file"]),
        (&[SOMEWHERE, ("STRIPE_WEBHOOK_SECRET_FILE", "/no/such/file")], &["cannot read", "/no/such/file"]),
        (&[SOMEWHERE, SIGNED, ("CLAWBACK_TOLERANCE", "soon")], &["CLAWBACK_TOLERANCE (--tolerance)", "such as 300s"]),
        (&[SOMEWHERE, SIGNED, ("CLAWBACK_TOLERANCE", "0")], &["--tolerance", "at least 1s"]),
        (&[SOMEWHERE, SIGNED, ("CLAWBACK_MAX_BODY", "large")], &["--max-body", "such as 1MiB"]),
        (&[SOMEWHERE, SIGNED, ("CLAWBACK_MAX_BODY", "1GiB")], &["--max-body", "64MiB"]),
        (&[SOMEWHERE, SIGNED, ("CLAWBACK_LISTEN", "8080")], &["--listen", "0.0.0.0:8080"]),
        (&[SOMEWHERE, SIGNED, ("CLAWBACK_MIGRATE", "perhaps")], &["--migrate", "[possible values: true, false]"]),
        (&[SOMEWHERE, SIGNED, ("CLAWBACK_LOG_FORMAT", "xml")], &["--log-format", "[possible values: json, pretty]"]),
    ];
    for (environment, words) in cases {
        let ended = run(&["serve"], environment).await;
        assert_one_line(&ended, 2, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_one_line_that_names_the_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (taken, free) in [("CLAWBACK_LISTEN", "CLAWBACK_ADMIN_LISTEN"), ("CLAWBACK_ADMIN_LISTEN", "CLAWBACK_LISTEN")] {
        let ended = run(&["serve"], &[SOMEWHERE, SIGNED, (free, "127.0.0.1:0"), (taken, &address)]).await;
        assert_one_line(&ended, 1, &[&address, taken, "to another address"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_may_come_from_files() {
    let db = Database::migrated().await;
    let folder = Folder::new();
    let files = [("DATABASE_URL_FILE", folder.file("url", &format!("{}\n", db.url)))];
    let ended = run(&["migrate"], &[(files[0].0, &files[0].1)]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let secret = folder.file("secret", "whsec_one\nlive:whsec_two\n");
    let ended = run(&["sign", &secret], &[("STRIPE_WEBHOOK_SECRETS_FILE", &secret)]).await;
    assert_eq!((ended.code, ended.stdout.matches("v1=").count()), (Some(0), 2), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_prints_statements_that_the_database_takes() {
    let db = Database::migrated().await;
    let role = format!("Role \"of\" {}", db.name);
    let quoted = format!("\"{}\"", role.replace('"', "\"\""));
    let ended = run(&["grants", &role, "--read", "--work", "--payloads"], &[]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let (connect, grants) = ended.stdout.split_once('\n').expect("statements");
    assert!(connect.starts_with("do $$ ") && connect.ends_with(" $$;"), "{connect}");
    assert!(grants.lines().all(|line| line.starts_with("grant ") && line.ends_with(&format!(" to {quoted};"))));
    db.execute(&format!("begin; create role {quoted}; {} rollback", ended.stdout)).await;

    let ended = run(&["grants", "r"], &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_exits_0_when_the_service_answers_and_1_when_not() {
    let mut app = TestApp::start_on(Database::empty().await, |service| service.migrate = false).await;
    app.db.expect_errors(&["relation \"clawback", "schema \"clawback"]);
    let address = app.url.strip_prefix("http://").expect("a URL").to_owned();
    // A proxy is for what lies outside.
    let check = async |arguments: &[&str]| {
        let arguments = [&["healthcheck"], arguments].concat();
        run(&arguments, &[("CLAWBACK_LISTEN", &address), ("HTTP_PROXY", "http://127.0.0.1:1")]).await
    };
    assert_eq!(check(&[]).await.code, Some(0));
    assert_one_line(&check(&["--ready"]).await, 1, &["/readyz answered 503"]);
    app.stop().await.expect("it drains");
    assert_one_line(&check(&[]).await, 1, &["no answer from", &address]);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_makes_an_empty_database_ready_and_may_run_again() {
    let db = Database::empty().await;
    for _ in 0..2 {
        let ended = run(&["migrate"], &[("DATABASE_URL", &db.url)]).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(ended.stdout.starts_with("migrated to version "), "{}", ended.stdout);
    }
    assert_eq!(db.value("select count(*) from clawback_v1.orders").await, 0);
    let ended = run(&["migrate"], &[SOMEWHERE]).await;
    assert_one_line(&ended, 1, &["cannot migrate the database on 127.0.0.1:1", "refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_write_yet_waits_whether_it_is_to_migrate_or_not() {
    for (db, code) in [(Database::migrated().await, 0), (Database::empty().await, 1)] {
        db.set_read_only(true).await;
        assert_eq!(run(&["migrate"], &[("DATABASE_URL", &db.url)]).await.code, Some(code));
        let mut app = TestApp::start_on(db, |_| {}).await;
        app.db.expect_errors(&["read-only transaction", "does not exist"]);
        until("readiness says so", async || {
            let answer = app.get("/readyz").await;
            answer.status() == 503 && answer.text().await.is_ok_and(|body| body.contains("read-only"))
        })
        .await;
        assert_eq!(app.deliver(&tell("paid", "o_1").remove(0).body).await.status(), 503);
        app.db.set_read_only(false).await;
        app.ready().await;
        app.live("paid", "o_1").await;
        app.stop().await.expect("it drains");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_it_cannot_migrate_yet_is_told_once_for_each_cause() {
    let (port, refused) = refusing(&[("28P01", "wrong password"), ("3D000", "no such database")]).await;
    let url = format!("postgres://u:hidden@127.0.0.1:{port}/db?sslmode=disable");
    let serving = Serving::listening(&url, &[("RUST_LOG", "clawback::app=info")]).await;
    timeout(PATIENCE, refused).await.expect("it asks again and again").expect("no panic");
    let ended = serving.terminate(Duration::from_secs(10)).await;
    let told: Vec<_> = ended.stdout.lines().filter(|line| line.contains("cannot migrate")).collect();
    assert_eq!((ended.code, told.len()), (Some(0), 2), "{ended:?}");
    for (line, cause) in told.iter().zip(["wrong password", "no such database"]) {
        assert!(line.contains(&format!("127.0.0.1:{port}: {cause}")), "{line}");
    }
}

/// A server that refuses eight connections for each of these reasons, and tells when it has. Half of them at
/// least are for migrations: intake asks less often.
async fn refusing(reasons: &'static [(&'static str, &'static str)]) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let refused = tokio::spawn(async move {
        for (code, message) in reasons {
            for _ in 0..8 {
                let (mut client, _) = listener.accept().await.expect("a client");
                assert_ne!(client.read(&mut [0; 1024]).await.expect("a greeting"), 0);
                let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
                let length = u32::try_from(fields.len() + 4).expect("a short message").to_be_bytes();
                client.write_all(&[b"E", length.as_slice(), fields.as_bytes()].concat()).await.expect("an answer");
            }
        }
    });
    (port, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_with_another_checksum_ends_it() {
    let db = Database::migrated().await;
    db.execute("update clawback.migrations set checksum = 'other' where version = 5").await;
    let ports = [("CLAWBACK_LISTEN", "127.0.0.1:0"), ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0")];
    for command in ["serve", "migrate"] {
        let ended = run(&[command], &[ports.as_slice(), &[SIGNED, ("DATABASE_URL", &db.url)]].concat()).await;
        assert_one_line(&ended, 1, &["checksum mismatch of migration 5:"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_a_failure_but_a_reader_who_leaves_is_none() {
    let printing = |arguments: &[&str], stdout: Stdio| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_clawback"));
        command.args(arguments).env_clear().stdout(stdout).stderr(Stdio::piped());
        let output = command.output().expect("the binary runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    for arguments in [["simulate", "--list"].as_slice(), &["--help"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
        let (code, said) = printing(arguments, full.into());
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains("cannot write to standard output: No space left on device"), "{said}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert_eq!(printing(arguments, writer.into()), (Some(0), String::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_database_is_told_once() {
    let mut db = Database::empty().await;
    db.expect_errors(&["does not exist"]);
    let ended = run(&["events", "list"], &[("DATABASE_URL", &db.url)]).await;
    let said = "clawback: the database is not migrated to the schema of this version: run `clawback migrate`\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), said));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_may_follow_the_action_and_an_empty_variable_is_none() {
    let db = Database::migrated().await;
    for arguments in [["events", "list", "--database-url", &db.url], ["follow-ups", "--database-url", &db.url, "list"]]
    {
        let ended = run(&arguments, &[SOMEWHERE]).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
    let empty = ["CLAWBACK_LISTEN", "CLAWBACK_ORDER_KEY", "CLAWBACK_MIGRATE", "DATABASE_URL_FILE"];
    let empty: Vec<_> = empty.iter().map(|variable| (*variable, "")).collect();
    let ended = run(&["serve"], &[empty.as_slice(), &[SIGNED]].concat()).await;
    assert_one_line(&ended, 2, &["DATABASE_URL is missing"]);
    let serving = Serving::start(&db.url, &[("RUST_LOG", ""), ("CLAWBACK_TOLERANCE", "")]).await;
    serving.terminate(Duration::from_secs(10)).await;
    let ended = run(&["healthcheck"], &[("CLAWBACK_LISTEN", "")]).await;
    assert!(ended.code != Some(2), "it asks on the default port: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_of_serve_has_an_environment_variable() {
    let help = run(&["serve", "--help"], &[]).await.stdout;
    let (_, options) = help.split_once("Options:").expect("options");
    // An option's text goes on until the next one.
    let options: Vec<_> = options.split("\n      --").skip(1).collect();
    assert!(options.len() >= 10, "{help}");
    for option in options {
        let text = option.split("\n  -h, --help").next().unwrap_or_default();
        assert!(text.contains("[env: "), "--{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_lines_of_json_that_name_request_and_event_and_hold_nothing_private() {
    let db = Database::migrated().await;
    let serving = Serving::start(&db.url, &[("RUST_LOG", "debug")]).await;
    let marker = "jenny.rosen@example.com";
    let good = json!({ "id": "evt_1", "type": "t", "email": marker, "data": { "object": { "object": "x" } } });
    let bad = json!({ "id": "evt_bad", "type": "charge.updated", "created": 1, "data": { "object":
        { "object": "charge", "id": "ch_1", "amount": marker } } });
    let mut signatures = Vec::new();
    for (body, status) in [(good.to_string(), 200), (bad.to_string(), 200), (marker.to_owned(), 400)] {
        let header = header(&body);
        let request = client().post(format!("http://{}/webhooks/stripe", serving.address)).body(body);
        let request = request.header("Stripe-Signature", &header).header("X-Request-Id", "req_of_the_test");
        assert_eq!(request.send().await.expect("an answer").status(), status);
        signatures.extend(header.split_once("v1=").map(|(_, hex)| hex.to_owned()));
    }
    db.settle().await;
    let ended = serving.terminate(Duration::from_secs(10)).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));

    let lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let received: Vec<_> = lines.iter().filter(|line| line["event.id"] == "evt_1").collect();
    assert!(!received.is_empty(), "{}", ended.stdout);
    assert_eq!(received[0]["span"]["request.id"], "req_of_the_test", "{}", received[0]);
    let refused: Vec<_> = lines.iter().filter(|line| line["status"] == 400).collect();
    assert_eq!(refused[0]["span"]["request.id"], "req_of_the_test", "{}", refused[0]);
    let password = db.url.split([':', '@']).nth(2).expect("a password");
    for private in signatures.iter().map(String::as_str).chain([SECRET, marker, password]) {
        assert!(!ended.stdout.contains(private), "{private} is in\n{}", ended.stdout);
    }
}

/// Sees that it ended with this code and one line, which holds these words and nothing hidden.
fn assert_one_line(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert_eq!((ended.stderr.lines().count(), ended.stderr.ends_with('\n')), (1, true), "{ended:?}");
    assert!(ended.stderr.starts_with("clawback: "), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word} is not in {}", ended.stderr);
    }
    for output in [&ended.stdout, &ended.stderr] {
        assert!(!output.contains("hidden") && !output.contains(SECRET), "{ended:?}");
    }
}

/// A folder that is gone with the test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("clawback-test-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    /// The path of a new file in it.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
