//! Promise: `simulate` and `sign` make what a receiver accepts, and say plainly what is wrong.

use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::binary::{Ended, run};
use crate::harness::{SECRET, TestApp, tell};

const SIGNED: (&str, &str) = ("STRIPE_WEBHOOK_SECRETS", SECRET);
const SIMULATED: (&str, &str) = ("CLAWBACK_SIMULATE_SECRET", SECRET);

/// Sees that it ended with this code and one line of these words.
fn assert_one_line(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(code), 1), "{ended:?}");
    assert!(ended.stderr.starts_with("clawback: ") && !ended.stderr.contains(SECRET), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word} is not in {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn simulate_lists_the_scenarios_and_its_help_says_so() {
    let ended = run(&["simulate", "--list"], &[]).await;
    assert_eq!(ended.code, Some(0));
    let names: Vec<_> = ended.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in ["paid", "full-refund", "chargeback-won", "inquiry-escalated", "prevented", "two-disputes"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let help = run(&["simulate", "--help"], &[]).await.stdout;
    assert!(help.contains("clawback simulate [OPTIONS] <SCENARIO>\n"), "{help}");
    assert!(help.contains("clawback simulate --list\n"), "{help}");
    let none = run(&["simulate"], &[]).await;
    assert!(none.code == Some(2) && none.stderr.contains("<SCENARIO>"), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn simulate_delivers_a_story_to_a_receiver() {
    let app = TestApp::start().await;
    let url = format!("{}/webhooks/stripe", app.url);
    let simulate = ["simulate", "chargeback-lost", "--url", &url, "--order", "o_1", "--shuffle", "--duplicate", "3"];
    let ended = run(&simulate, &[SIMULATED, ("HTTP_PROXY", "http://127.0.0.1:1")]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    app.db.settle().await;
    let order = app.db.rows("select state, amount_lost from clawback_v1.orders where order_id = 'o_1'").await;
    assert_eq!(order, [json!({ "state": "charged_back", "amount_lost": 12_000 })]);
    assert!(ended.stdout.contains("see the order with `clawback orders show o_1` (database: "), "{}", ended.stdout);
    let delivered = ended.stdout.lines().filter(|line| line.starts_with("200 ")).count();
    assert_eq!(app.db.value("select 3 * count(*) from clawback_v1.events").await, delivered);
    let elsewhere =
        run(&["simulate", "paid", "--url", &url, "--order", "o 2", "--order-key", "ref"], &[SIMULATED]).await;
    let said = "a receiver with CLAWBACK_ORDER_KEY=ref links it to an order: `clawback orders show 'o 2'`";
    assert!(elsewhere.stdout.contains(said), "{}", elsewhere.stdout);
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_make_no_story_are_refused_in_one_line() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["chargeback-wom"], &["chargeback-wom", "did you mean chargeback-won?", "--list"]),
        (&["happy-end"], &["happy-end", "no such scenario", "--list"]),
        (&["paid", "--order", ""], &["--order", "must not be empty"]),
        (&["paid", "--order", "  "], &["--order", "must not be empty"]),
        (&["paid", "--order-key", ""], &["--order-key", "must not be empty"]),
        (&["paid", "--amount", "99"], &["--amount", "100 to 99999999 minor units"]),
        (&["paid", "--amount", "12.50"], &["--amount", "whole number of minor units"]),
        (&["paid", "--currency", "euro"], &["--currency", "three letters, such as eur"]),
        (&["paid", "--url", "localhost:8080"], &["--url", "such as http://127.0.0.1:8080"]),
    ];
    for (arguments, words) in cases {
        let ended = run(&[&["simulate"], *arguments].concat(), &[SIMULATED]).await;
        assert_one_line(&ended, 2, words);
    }
    let ended = run(&["simulate", "paid", "--live", "--url", "https://your.host/webhooks/stripe"], &[SIMULATED]).await;
    assert_one_line(&ended, 1, &["--live", "this machine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_missing_or_wrong_is_told() {
    let app = TestApp::start().await;
    let url = format!("{}/webhooks/stripe", app.url);
    let ended = run(&["simulate", "paid", "--url", &url], &[SIGNED]).await;
    assert_one_line(&ended, 2, &["CLAWBACK_SIMULATE_SECRET is missing", "test:whsec_", "clawback dev"]);
    let ended = run(&["simulate", "paid", "--url", &url, "--secret", "whsec_other"], &[SIGNED]).await;
    assert_one_line(&ended, 1, &["answered 400", "signature does not match"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_nothing_answers_is_named_with_one_cause() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let url = format!("http://{free}/webhooks/stripe");
    let ended = run(&["simulate", "paid", "--url", &url], &[SIMULATED]).await;
    let said = format!(
        "clawback: cannot connect to {free}: Connection refused; start a receiver with `clawback dev`, \
         or set --url\n"
    );
    assert_eq!((ended.code, ended.stderr), (Some(1), said));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sign_prints_is_accepted() {
    let app = TestApp::start().await;
    let body = tell("paid", "o_1").remove(0).body;
    let signature = sign(&["-"], &body).await;
    assert_eq!(app.post(&body, signature.trim_end()).await.status(), 200);
    let header = sign(&["--header", "-"], &body).await;
    let (name, value) = header.trim_end().split_once(": ").expect("a header");
    assert_eq!(name, "Stripe-Signature");
    assert_eq!(app.request(&body).header(name, value).send().await.expect("an answer").status(), 200);
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_reads_a_file_and_says_which_one_it_cannot_read() {
    let file = std::env::temp_dir().join(format!("clawback-body-{}", std::process::id()));
    std::fs::write(&file, "{}").expect("a file");
    let from_file = run(&["sign", "--timestamp", "7", file.to_str().expect("UTF-8")], &[SIGNED]).await;
    std::fs::remove_file(&file).expect("the file");
    assert_eq!(from_file.stdout, sign(&["--timestamp", "7", "-"], "{}").await);
    let ended = run(&["sign", "/no/such/body"], &[SIGNED]).await;
    assert_one_line(&ended, 1, &["cannot read the body from /no/such/body"]);
}

/// What `sign` prints with this body on standard input.
async fn sign(arguments: &[&str], body: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawback"));
    command.arg("sign").args(arguments).env_clear().env(SIGNED.0, SIGNED.1);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(body.as_bytes()).await.expect("it reads");
    let output = child.wait_with_output().await.expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}
