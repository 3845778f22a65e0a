//! Promise: what the guide shows works as it is written there, for a role with the grants it names.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{Database, TestApp};

const GUIDE: &str = include_str!("../../docs/GUIDE.md");

/// The code block under a `<!-- test: name -->` line.
fn block(name: &str) -> &'static str {
    let (_, rest) = GUIDE.split_once(&format!("<!-- test: {name} -->\n")).expect("the guide has the marked block");
    let (_, rest) = rest.split_once('\n').expect("a fence opens");
    rest.split_once("\n```").expect("the fence closes").0
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
    std::fs::write(&script, block("psql")).expect("the scratch folder can be written");
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

/// The pages that people read, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).expect("docs").map(|entry| entry.expect("an entry").path());
    let own = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name));
    let pages = docs.chain(own).filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.clone(), std::fs::read_to_string(path).expect("a page"))).collect()
}

#[test]
fn every_link_of_the_documents_leads_to_a_file() {
    let mut dead = Vec::new();
    for (path, text) in pages() {
        // Not what looks like a link in code.
        let text: String = text.split("```").step_by(2).collect();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let is_here = !target.contains("://") && !file.is_empty();
            if is_here && !path.parent().expect("a folder").join(file).exists() {
                dead.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_page_of_the_interface_says_when_each_kind_of_follow_up_is_wanted() {
    let page = include_str!("../../docs/SQL.md");
    let (_, kinds) = page.split_once("## Kinds of follow-up").expect("a section of kinds");
    let (kinds, _) = kinds.split_once("### Payloads").expect("a section of payloads");
    let missing: Vec<_> =
        clawback::domain::kinds().into_iter().filter(|kind| !kinds.contains(&format!("`{kind}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
