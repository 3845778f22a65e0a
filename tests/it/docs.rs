//! Promise: the documents are complete and name only what is there: links, commands, alerts, kinds. What they show to be
//! run is run, or says why not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `tests/it/guide.rs`, `tests/it/dispute_commands.rs` and `tests/it/dev.rs` run.
const RUN: [&str; 11] = [
    "grants",
    "serve",
    "simulate",
    "show",
    "beside-grants",
    "try",
    "try-settings",
    "sample-files",
    "dispute",
    "dispute-submit",
    "dispute-outcome",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

fn markdown_in(folder: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The pages that people read, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let folders = [".", "docs", "examples", "examples/python", "examples/node", "examples/go"];
    folders.into_iter().flat_map(markdown_in).map(|path| (path.clone(), read(path))).collect()
}

/// The anchors of a page: its headings as GitHub turns them into links.
fn anchors(page: &str) -> BTreeSet<String> {
    let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_lowercase());
    let slug = |heading: String| {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.collect::<String>().replace(' ', "-")
    };
    page.lines().filter_map(heading).map(slug).collect()
}

/// Why a link of a page leads nowhere; none if it leads somewhere, or elsewhere.
fn dead(page: &Path, text: &str, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    if target.contains("://") {
        return None;
    }
    let path = page.parent().expect("a folder").join(file);
    let there = file.is_empty() || path.exists();
    let known =
        anchor.is_empty() || anchors(&if file.is_empty() { text.to_owned() } else { read(&path) }).contains(anchor);
    (!there || !known).then(|| format!("{}: {target}", page.display()))
}

#[test]
fn every_link_of_the_documents_leads_to_a_file_and_a_heading() {
    let mut bad = Vec::new();
    for (path, text) in pages() {
        // Not what looks like a link in code.
        let prose: String = text.split("```").step_by(2).collect();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        bad.extend(targets.filter_map(|target| dead(&path, &text, target)));
    }
    assert!(bad.is_empty(), "{bad:#?}");
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

#[test]
fn the_page_for_operators_says_what_to_do_for_each_alert() {
    let (rules, page) = (include_str!("../../deploy/prometheus/alerts.yml"), include_str!("../../docs/OPERATIONS.md"));
    let alerts: BTreeSet<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let told: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(alerts, told);
}

#[test]
fn the_readme_lists_the_events_that_an_endpoint_must_send() {
    let (_, table) = include_str!("../../README.md").split_once("| about | events |\n").expect("a table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let listed: Vec<_> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert_eq!(listed, clawback::handlers::EVENTS);
}

/// Why a block that is shown to be run in a shell is not covered; none if it is.
fn uncovered(mark: &str, block: &str) -> Option<String> {
    let mark = mark.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")).unwrap_or_default();
    let (how, what) = mark.split_once(": ").unwrap_or_default();
    match how {
        "test" if RUN.contains(&what) => None,
        "run by" => block.lines().find(|line| !read(what).contains(*line)).map(|line| format!("not in {what}: {line}")),
        "not run" if !what.is_empty() => None,
        _ => Some(format!("neither `test`, `run by` nor `not run`: {block}")),
    }
}

#[test]
fn every_shell_block_of_the_documents_is_run_or_says_why_not() {
    let mut bad = Vec::new();
    for (path, text) in pages() {
        let mut parts = text.split("\n```sh\n");
        let mut before = parts.next().unwrap_or_default();
        for part in parts {
            let (block, after) = part.split_once("\n```").expect("the fence closes");
            let why = uncovered(before.lines().next_back().unwrap_or_default(), block);
            bad.extend(why.map(|why| format!("{}: {why}", path.display())));
            before = after;
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

/// What begins with `clawback ` in code: its words, without those of the shell around it.
fn commands_in(text: &str) -> Vec<Vec<String>> {
    // Of a fenced block each line is code; of other text, what stands between single backticks.
    let fenced = text.split("```").skip(1).step_by(2).flat_map(str::lines);
    let inline: String = text.split("```").step_by(2).collect();
    let inline: Vec<_> = inline.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let code = fenced.map(str::to_owned).chain(inline);
    let words = code.map(|line| {
        let words = line.split_whitespace().skip_while(|word| word.contains('=')).map(|word| word.replace('"', ""));
        // Placeholders whose value is checked: a number, the ID of a request, the name of a scenario.
        let words = words.map(|word| match word.as_str() {
            "ID" => "1".to_owned(),
            "REQUEST" => "00000000-0000-8000-8000-000000000000".to_owned(),
            "DAYS" => "30".to_owned(),
            "SCENARIO" | "STORY" => "paid".to_owned(),
            "COMMAND" => "serve".to_owned(),
            _ => word,
        });
        words.take_while(|word| !["|", "&&", "#", ">", ">>"].contains(&word.as_str())).collect::<Vec<_>>()
    });
    words.filter(|words| words.len() > 1 && words[0] == "clawback").map(|words| words[1..].to_vec()).collect()
}

#[test]
fn every_command_in_the_documents_is_one_with_options_it_has() {
    let mut texts: Vec<_> = pages().into_iter().map(|(path, text)| (path.display().to_string(), text)).collect();
    texts.push(("alerts.yml".to_owned(), read("deploy/prometheus/alerts.yml")));
    let (mut seen, mut bad) = (BTreeSet::new(), Vec::new());
    for (page, command) in texts.iter().flat_map(|(page, text)| commands_in(text).into_iter().map(move |c| (page, c))) {
        // With --help a command does nothing, and still refuses what it does not know before it.
        let output = Command::new(env!("CARGO_BIN_EXE_clawback")).args(&command).arg("--help").output();
        let output = output.expect("the binary runs");
        seen.insert(command[0].clone());
        if !output.status.success() {
            bad.push(format!("{page}: {command:?}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(seen.len() > 10, "{seen:?}");
}

#[test]
fn the_changelog_has_an_entry_for_the_version_of_the_package() {
    let mut notes = Command::new("bash");
    let notes =
        notes.arg(root().join("scripts/release-notes.sh")).arg(concat!("v", env!("CARGO_PKG_VERSION"))).output();
    let notes = notes.expect("bash runs");
    assert!(notes.status.success(), "{}", String::from_utf8_lossy(&notes.stderr));
}
