//! Promise: the JSON of every command keeps its shape and is documented, and people get tables that fit.

use std::collections::BTreeSet;
use std::process::Stdio;

use clawback::dev::stories::Cast;
use clawback::stripe::signature::{Secret, Secrets, sign};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::binary::run;
use crate::bodies::{charge, event, event_with, refund};
use crate::harness::{Database, TestApp, story, unix_now};

/// So far ahead that no deadline passes: 2090-01-01.
const START: i64 = 3_786_912_000;
const DOCUMENT: &str = include_str!("../../docs/CLI.md");

/// Two orders, a failed event, and a payment that is linked to no order; the same each time but for our own clock.
async fn world() -> TestApp {
    let app = TestApp::start().await;
    for name in ["partial-refund", "chargeback-open"] {
        for event in story(name).tell(&Cast::new(name, START)) {
            app.deliver_all([&event]).await;
            app.db.settle().await;
        }
    }
    for body in [
        event("evt_failed", 1, &charge("ch_failed", json!({ "amount": -1 }))),
        event("evt_unlinked", 2, &charge("ch_unlinked", json!({}))),
        event("evt_refund", 3, &refund("re_unlinked", json!({ "charge": "ch_unlinked" }))),
    ] {
        app.see(&[body]).await;
    }
    app
}

/// The id that a command lists first.
async fn first(app: &TestApp, list: &[&str], id: &str) -> String {
    let rows = app.json(list).await;
    rows[0][id].as_str().map_or_else(|| rows[0][id].to_string(), str::to_owned)
}

/// The same without times of our own clock: those of the stories are in 2023 and 2090.
fn without_clock(value: Value) -> Value {
    match value {
        Value::String(text) => match OffsetDateTime::parse(&text, &Rfc3339) {
            Ok(at) if !matches!(at.year(), 2023 | 2089 | 2090) => json!("[time]"),
            Ok(_) | Err(_) => Value::String(text),
        },
        Value::Array(items) => items.into_iter().map(without_clock).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, without_clock(value))).collect(),
        other => other,
    }
}

/// The names of all fields, but for those of payloads and metadata, which are documented elsewhere or the merchant's own.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                found.insert(name.clone());
                if !["payload", "metadata", "enqueued", "discarded", "detail", "result", "enhanced_eligibility"]
                    .contains(&name.as_str())
                {
                    names(value, found);
                }
            }
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_of_every_command_keeps_its_shape_and_every_field_is_documented() {
    let app = world().await;
    let dispute = first(&app, &["disputes", "list"], "dispute_id").await;
    let follow_up = first(&app, &["follow-ups", "list"], "id").await;
    let commands: [(&str, &[&str]); 19] = [
        ("orders-list", &["orders", "list"]),
        ("orders-show", &["orders", "show", "partial-refund"]),
        ("orders-show-unlinked", &["orders", "show", "re_unlinked"]),
        ("payments-list", &["payments", "list", "--limit", "1"]),
        ("refunds-list", &["refunds", "list", "--limit", "1"]),
        ("disputes-list", &["disputes", "list"]),
        ("disputes-show", &["disputes", "show", &dispute]),
        ("disputes-report", &["disputes", "report", "--since", "2023-01-01"]),
        ("events-list", &["events", "list", "--limit", "1"]),
        ("events-show", &["events", "show", "evt_failed"]),
        ("events-replay-dry-run", &["events", "replay", "--state", "failed", "--dry-run"]),
        ("follow-ups-list", &["follow-ups", "list", "--limit", "1"]),
        ("follow-ups-requeue-dry-run", &["follow-ups", "requeue", "--state", "ready", "--dry-run"]),
        ("follow-ups-requeue", &["follow-ups", "requeue", &follow_up, "--reason", "a test"]),
        ("follow-ups-show", &["follow-ups", "show", &follow_up]),
        ("rebuild-dry-run", &["rebuild", "partial-refund", "--dry-run"]),
        ("rebuild", &["rebuild", "partial-refund"]),
        ("migrate", &["migrate"]),
        ("payments-link", &["payments", "link", "ch_unlinked", "order-9"]),
    ];
    let mut fields = BTreeSet::new();
    for (name, arguments) in commands {
        let printed = app.json(arguments).await;
        names(&printed, &mut fields);
        // Whether a test build keeps the order of fields depends on what other crates ask of serde_json.
        insta::with_settings!({ sort_maps => true }, { insta::assert_json_snapshot!(name, without_clock(printed)) });
    }
    let missing: Vec<_> = fields.iter().filter(|name| !DOCUMENT.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in docs/CLI.md: {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_fits_the_width_it_is_given_and_says_the_mode() {
    let app = world().await;
    let url = app.db.url.as_str();
    for (name, arguments) in [
        ("orders", ["orders", "list"].as_slice()),
        ("disputes", &["disputes", "list"]),
        ("payments-80", &["payments", "list", "--unlinked"]),
        ("follow-ups", &["follow-ups", "list", "--state", "ready"]),
    ] {
        for width in [80, 200] {
            let columns = width.to_string();
            let printed = run(arguments, &[("DATABASE_URL", url), ("COLUMNS", &columns)]).await.stdout;
            let widest = printed.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= width, "{name}: {widest} characters wide\n{printed}");
            assert!(printed.starts_with("test mode") && !printed.contains('\u{1b}'), "{printed}");
        }
    }
    let orders = run(&["orders", "list"], &[("DATABASE_URL", url)]).await.stdout;
    let lines: Vec<&str> =
        orders.lines().map(|line| line.split("  20").next().unwrap_or_default().trim_end()).collect();
    insta::assert_snapshot!(lines[2..].join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_page_by_page() {
    let app = world().await;
    for (list, id) in [
        ("orders", "order_id"),
        ("payments", "payment_id"),
        ("refunds", "refund_id"),
        ("events", "event_id"),
        ("follow-ups", "id"),
        ("disputes", "dispute_id"),
    ] {
        let all = app.json(&[list, "list"]).await;
        let (mut pages, mut before) = (Vec::new(), None::<String>);
        while pages.len() < all.as_array().map_or(0, Vec::len) {
            let page: Vec<&str> = before.iter().flat_map(|id| ["--before", id.as_str()]).collect();
            let printed = app.json(&[&[list, "list", "--limit", "1"], page.as_slice()].concat()).await;
            let row = printed[0].clone();
            before = Some(row[id].as_str().map_or_else(|| row[id].to_string(), str::to_owned));
            assert!(!row.is_null(), "{list} ends early");
            pages.push(row);
        }
        assert_eq!(json!(pages), all, "{list}");
        let last = before.expect("a row");
        assert_eq!(app.json(&[list, "list", "--before", &last]).await, json!([]), "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_narrowed_by_their_options() {
    let app = world().await;
    let ids = async |arguments: &[&str], id: &str| -> Vec<String> {
        let rows = app.json(arguments).await;
        rows.as_array().expect("rows").iter().map(|row| row[id].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(ids(&["orders", "list", "--hold"], "order_id").await, ["chargeback-open"]);
    assert_eq!(ids(&["orders", "list", "--state", "partially_refunded"], "order_id").await, ["partial-refund"]);
    assert_eq!(ids(&["orders", "list", "--mode", "live"], "order_id").await, [""; 0]);
    assert_eq!(ids(&["disputes", "list", "--due", "7d"], "order_id").await, [""; 0], "it is due in 2090");
    assert_eq!(ids(&["disputes", "list", "--due", "80years", "--open"], "order_id").await, ["chargeback-open"]);
    let of_order = ids(&["events", "list", "--order", "partial-refund"], "event_id").await;
    let meant = "select count(*) from clawback.events e join clawback.payments p using (payment_id) where p.order_id = 'partial-refund'";
    assert_eq!(app.db.value(meant).await, of_order.len());
    assert_eq!(ids(&["events", "list", "--since", "1h", "--state", "failed"], "event_id").await, ["evt_failed"]);
    app.db.execute("update clawback.events set received_at = now() - interval '2 hours'").await;
    assert_eq!(ids(&["events", "list", "--since", "1h"], "event_id").await, [""; 0]);
    assert_eq!(ids(&["refunds", "list", "--payment", "ch_unlinked"], "refund_id").await, ["re_unlinked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_probably_meant_is_told() {
    let app = world().await;
    for (arguments, code, words) in [
        (["orders", "show", "partial-refnd"].as_slice(), 1, "did you mean partial-refund?"),
        (&["orders", "list", "--state", "payd"], 2, "a similar value exists: 'paid'"),
        (&["follow-ups", "list", "--kind", "notify_refnd"], 2, "a similar value exists: 'notify_refund'"),
        (&["follow-ups", "show", "seven"], 2, "it must be a whole number"),
        (&["events", "lsit"], 2, "a similar subcommand exists: 'list'"),
        (&["events", "replay", "--reason", "x"], 2, "see `clawback events replay --help`"),
    ] {
        let ended = app.attempt(arguments).await;
        assert_eq!((ended.code, ended.stderr.lines().count()), (Some(code), 1), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("clawback: ") && ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_event_about_an_id_is_shown_where_no_payment_is_known() {
    let app = world().await;
    let story = app.json(&["orders", "show", "ch_failed"]).await;
    assert_eq!((&story["orders"], &story["unprocessed"][0]["event_id"]), (&json!([]), &json!("evt_failed")));
    let text = app.command(&["orders", "show", "ch_failed"]).await.stdout;
    assert!(text.contains("data.object.amount: is negative"), "{text}");
    assert!(text.contains("is not known; `clawback events show evt_failed` prints its body\n"), "{text}");
    app.see(&[event("evt_orphan", 4, &refund("re_orphan", json!({})))]).await;
    let text = app.command(&["orders", "show", "re_orphan"]).await.stdout;
    assert_eq!(text, "re_orphan was received, but the payment it belongs to is not known\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_stored_apart_is_shown_with_the_payment_it_is_about() {
    let secrets = Secrets::parse("live:whsec_live").expect("a secret");
    let app = TestApp::start_on(Database::migrated().await, |service| service.secrets = secrets).await;
    app.ready().await;
    for (id, live) in [("evt_live", true), ("evt_test", false)] {
        let body = event_with(id, 1, &charge("ch_1", json!({})), json!({ "livemode": live }));
        let signature = sign(&Secret::from_key("whsec_live"), unix_now(), body.as_bytes());
        assert_eq!(app.post(&body, &signature).await.status(), 200);
    }
    app.db.settle().await;
    let story = app.json(&["orders", "show", "ch_1"]).await;
    assert_eq!(story["unlinked"][0]["payment_id"], "ch_1");
    assert_eq!(story["unprocessed"].as_array().map(Vec::len), Some(1), "{story}");
    assert_eq!(
        (&story["unprocessed"][0]["event_id"], &story["unprocessed"][0]["state"]),
        (&json!("evt_test"), &json!("ignored"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_from_outside_cannot_steer_a_terminal() {
    let app = TestApp::start().await;
    let metadata = json!({ "metadata": { "order_id": "o\u{1b}[2J\u{9b}1" } });
    app.see(&[event("evt_1", 1, &charge("ch_1", metadata))]).await;
    for arguments in [["orders", "list"].as_slice(), &["orders", "show", "ch_1"], &["events", "show", "evt_1"]] {
        let text = app.command(arguments).await.stdout;
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
    }
    let listed = app.command(&["orders", "list"]).await.stdout;
    assert!(listed.contains("o\\u{1b}[2J\\u{9b}1"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_are_requeued_in_bulk_and_a_rehearsal_changes_nothing() {
    let app = world().await;
    app.db
        .execute(
            "update clawback.follow_ups set state = 'dead', attempts = max_attempts, finished_at = now()
             where kind = 'notify_refund'",
        )
        .await;
    let dead = app.db.value("select count(*) from clawback.follow_ups where state = 'dead'").await;
    let bulk = ["follow-ups", "requeue", "--state", "dead", "--kind", "notify_refund"];
    let rehearsed = app.json(&[bulk.as_slice(), &["--dry-run"]].concat()).await;
    assert_eq!((rehearsed["ids"].as_array().map(Vec::len), &dead), (dead.as_u64().map(|n| n as usize), &json!(2)));
    assert_eq!(app.db.value("select count(*) from clawback_v1.actions").await, 0);
    let text = app.command(&[bulk.as_slice(), &["--by", "ada", "--reason", "the mail server was down"]].concat()).await;
    assert_eq!(text.stdout, "2 follow-ups are ready\n");
    let written = "select count(*) from clawback_v1.actions where action = 'requeue' and actor = 'ada' and via = 'cli'";
    assert_eq!(app.db.value(written).await, 2);
    assert_eq!(app.command(&bulk).await.stdout, "no matching follow-ups\n");
    let everything = app.attempt(&["follow-ups", "discard", "--reason", "x"]).await;
    assert_eq!(everything.code, Some(2), "without any word on which, it must not be all of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_events_are_followed_until_the_reader_leaves() {
    let app = world().await;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_clawback"));
    command.args(["events", "tail", "--follow", "--limit", "1", "--json"]).env_clear().env("DATABASE_URL", &app.db.url);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().expect("a pipe")));
    let mut next = async || {
        let line = lines.next_line().await.expect("UTF-8").expect("a line");
        serde_json::from_str::<Value>(&line).expect("JSON")["event_id"].clone()
    };
    assert_eq!(next().await, "evt_refund");
    app.see(&[event("evt_new", 4, &charge("ch_new", json!({})))]).await;
    assert_eq!(next().await, "evt_new");
    drop(lines);
    app.see(&[event("evt_newer", 5, &charge("ch_newer", json!({})))]).await;
    let ended = child.wait_with_output().await.expect("it ends");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

/// What a command prints on a terminal, which `script` makes.
async fn on_a_terminal(command: &str, environment: &[(&str, &str)]) -> String {
    let line = format!("{} {command}", env!("CARGO_BIN_EXE_clawback"));
    let mut script = tokio::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
    let output = script.envs(environment.iter().copied()).stdin(Stdio::null()).output().await.expect("script runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_colour_unless_it_is_not_wanted_and_relative_times() {
    let app = world().await;
    let wide = [("DATABASE_URL", app.db.url.as_str()), ("COLUMNS", "200")];
    let coloured = on_a_terminal("orders list", &wide).await;
    assert!(coloured.contains("\u{1b}[") && coloured.contains("s ago"), "{coloured:?}");
    let plain = on_a_terminal("orders list", &[wide.as_slice(), &[("NO_COLOR", "1")]].concat()).await;
    assert!(!plain.contains('\u{1b}') && plain.contains("s ago"), "{plain:?}");
    let event = on_a_terminal("events show evt_failed", &wide).await;
    assert!(event.contains("last tried:") && !event.contains("processed:"), "{event}");
    assert!(event.contains("\n      \"amount\": -1"), "the body is indented: {event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn shells_and_man_know_every_command() {
    let script = run(&["completions", "bash"], &[]).await.stdout;
    assert!(script.contains("follow-ups") && script.contains("--dry-run"), "{script}");
    let folder = std::env::temp_dir().join(format!("clawback-man-{}", uuid::Uuid::new_v4().simple()));
    let ended = run(&["man", "--out", folder.to_str().expect("UTF-8")], &[]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for page in ["clawback.1", "clawback-orders-show.1", "clawback-events-tail.1"] {
        assert!(folder.join(page).exists(), "{page}: {}", ended.stdout);
    }
    std::fs::remove_dir_all(folder).expect("it is there");
}

/// As they are written, but for where their output goes.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_run() {
    let app = world().await;
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_clawback"));
    let folder = std::env::temp_dir().join(format!("clawback-page-{}", uuid::Uuid::new_v4().simple()));
    let commands: Vec<&str> = DOCUMENT.lines().filter(|line| line.starts_with("clawback ")).collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let command = command.split(" > ").next().unwrap_or_default();
        let command = command.replace("/usr/local/share/man/man1", folder.to_str().expect("UTF-8"));
        let mut shell = tokio::process::Command::new("/bin/sh");
        shell.args(["-c", &command]).env_clear().env("PATH", binary.parent().expect("a folder"));
        let output = shell.env("DATABASE_URL", &app.db.url).output().await.expect("a shell");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::remove_dir_all(folder).expect("man pages are there");
}

#[test]
fn an_unwritable_standard_error_is_no_crash() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_clawback"));
    command.arg("doctor").env_clear().stdout(Stdio::null()).stderr(full);
    assert_eq!(command.status().expect("it runs").code(), Some(1));
}
