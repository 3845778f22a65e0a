//! Promise: there is no console unless somebody said who may enter; it starts and stops with the service, and its
//! settings show no secret.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use clawback::console::settings::Entry;
use clawback::console::users::{Recognition, Right, Users, check};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::binary::{Ended, Serving, command, run};
use crate::dev::Folder;
use crate::harness::{Database, SECRET, TestApp};

const PASSWORD: &str = "correct horse battery";

/// Runs `clawback console password` with this on its standard input.
async fn password(arguments: &[&str], typed: &str) -> Ended {
    let mut command = command(&[&["console", "password"], arguments].concat(), &[]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may have ended without reading.
    drop(stdin.write_all(typed.as_bytes()).await);
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A line of the users' file.
async fn line(name: &str) -> String {
    password(&[name, "--rights", "read"], &format!("{PASSWORD}\n")).await.stdout
}

/// What comes back from the console behind a Unix socket.
async fn answer(socket: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.expect("the console listens");
    stream
        .write_all(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n")
        .await
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_command_prints_a_line_that_the_console_takes() {
    let ended = password(&["anna", "--rights", "respond,refund"], &format!("{PASSWORD}\nmore\n")).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let users = Users::parse(&ended.stdout, Recognition::Password).expect("a line");
    let anna = users.find("anna").expect("the user");
    assert_eq!(anna.rights, [Right::Read, Right::Refund, Right::Respond].into());
    assert!(check(Some(&anna), PASSWORD) && !check(Some(&anna), "correct horse"));
    assert_ne!(line("anna").await, line("anna").await, "the salt is random");

    let ended = password(&["b@shop.example", "--rights", "read", "--proxy"], "").await;
    assert_eq!(ended.stdout, "b@shop.example read -\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_password_or_an_unusable_name_gets_no_line() {
    for (arguments, typed, code, words) in [
        (&["anna", "--rights", "read"][..], "short\n", 1, "the password has 5 characters: it needs at least 12"),
        (&["anna", "--rights", "read"], "", 1, "the password has 0 characters"),
        (&["anna", "--rights", "read,everything"], PASSWORD, 2, "known are read, payloads, work, refund and respond"),
        (&["an na", "--rights", "read"], PASSWORD, 2, "a name has no spaces"),
        (&["anna"], PASSWORD, 2, "--rights"),
    ] {
        let ended = password(arguments, typed).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{arguments:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_refuses_a_console_that_anybody_could_enter() {
    let usual = [("DATABASE_URL", "postgres://u@127.0.0.1:1/db"), ("STRIPE_WEBHOOK_SECRETS", SECRET)];
    let listen = [("CLAWBACK_CONSOLE_LISTEN", "127.0.0.1:0")];
    for (own, words) in [
        (&[][..], "CLAWBACK_CONSOLE_USERS is missing"),
        (&[("CLAWBACK_CONSOLE_USERS", "anna read hidden_hash")], "CLAWBACK_CONSOLE_USERS: line 1: the hash is not one"),
        (
            &[("CLAWBACK_CONSOLE_USERS", "anna read -"), ("CLAWBACK_CONSOLE_USER_HEADER", "X-User")],
            "CLAWBACK_CONSOLE_TRUSTED_PROXIES is missing",
        ),
    ] {
        let ended = run(&["serve"], &[&usual[..], &listen, own].concat()).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(words) && ended.stderr.lines().count() == 1, "{ended:?}");
        assert!(!ended.stderr.contains("hidden"), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_starts_and_stops_with_the_service_and_its_log_shows_no_hash() {
    let (db, folder) = (Database::migrated().await, Folder::new());
    let (users, socket) = (folder.inside("users"), folder.inside("socket"));
    std::fs::write(&users, line("anna").await).expect("a file");
    let listen = format!("unix:{socket}");
    let settings = [
        ("CLAWBACK_CONSOLE_LISTEN", listen.as_str()),
        ("CLAWBACK_CONSOLE_URL", "https://shop.example/clawback/"),
        ("CLAWBACK_CONSOLE_USERS_FILE", &users),
        ("CLAWBACK_CONSOLE_READ_ONLY", "true"),
    ];
    let serving = Serving::start(&db.url, &settings).await;
    assert!(answer(&socket).await.starts_with("HTTP/1.1 "));
    let mode = std::fs::metadata(&socket).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "others may not connect");
    // One that was killed leaves its socket behind.
    serving.kill().await;
    let serving = Serving::start(&db.url, &settings).await;
    assert!(answer(&socket).await.starts_with("HTTP/1.1 "));
    // A second one does not take it away from the first.
    let own = [("CLAWBACK_LISTEN", "127.0.0.1:0"), ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0")];
    let usual = [("DATABASE_URL", db.url.as_str()), ("STRIPE_WEBHOOK_SECRETS", SECRET)];
    let second = run(&["serve"], &[&usual[..], &own, &settings].concat()).await;
    assert!(
        second.code == Some(1) && second.stderr.contains("set CLAWBACK_CONSOLE_LISTEN to another path"),
        "{second:?}"
    );

    let ended = serving.terminate(Duration::from_secs(10)).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(UnixStream::connect(&socket).await.is_err());
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_console = lines.iter().find(|line| line["console.url"].is_string()).expect("a line about the console");
    assert_eq!(of_console["console.url"], "https://shop.example/clawback");
    assert_eq!(of_console["console.listen"], listen.as_str());
    assert_eq!((&of_console["console.users"], &of_console["console.read_only"]), (&1.into(), &true.into()));
    assert!(!ended.stdout.contains("argon2"), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_checks_the_console() {
    let line = line("anna").await;
    let of_console = async |users: &str| {
        let settings = [("CLAWBACK_CONSOLE_LISTEN", "127.0.0.1:8081"), ("CLAWBACK_CONSOLE_USERS", users)];
        let ended = run(&["doctor", "--json"], &settings).await;
        let findings: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
        findings.into_iter().find(|finding| finding["check"] == "console").expect("a finding")
    };
    let good = of_console(&line).await;
    assert_eq!((&good["level"], &good["message"]), (&"good".into(), &"http://127.0.0.1:8081, for 1 user".into()));
    let wrong = of_console("").await;
    assert_eq!(wrong["level"], "wrong");
    assert!(wrong["message"].as_str().is_some_and(|message| message.contains("CLAWBACK_CONSOLE_USERS is missing")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_the_tests_has_a_console_of_its_own() {
    let mut app = TestApp::start_with_console(&line("anna").await, Entry::Password).await;
    let url = app.console_url.clone().expect("a console");
    app.client.get(format!("{url}/login")).send().await.expect("an answer");
    app.stop().await.expect("it stops");
    app.client.get(format!("{url}/login")).send().await.expect_err("nobody listens");
}
