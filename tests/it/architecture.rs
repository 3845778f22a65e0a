//! Promise: the house is as `lib.rs` draws it. Read from the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms and their floors: a room uses its own and lower floors only, and of its own floor only itself.
const FLOORS: [(&str, u8); 25] = [
    ("commands", 7),
    ("cli", 6),
    ("dev", 6),
    ("app", 5),
    ("console", 4),
    ("http", 3),
    ("erasure", 3),
    ("executor", 3),
    ("desk", 3),
    ("notices", 3),
    ("processor", 3),
    ("retention", 3),
    ("sync", 3),
    ("watch", 3),
    ("intake", 2),
    ("apply", 2),
    ("store", 1),
    ("handlers", 1),
    ("stripe_api", 1),
    ("evidence", 1),
    ("backoff", 0),
    ("domain", 0),
    ("stripe", 0),
    ("telemetry", 0),
    ("terminal", 1),
];

fn floor(room: &str) -> u8 {
    FLOORS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("room {room} has no floor")).1
}

/// Every source file with its text, tests aside.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources").map(|entry| entry.expect("an entry").path()) {
            if entry.file_stem().is_some_and(|name| name == "tests") {
                continue;
            } else if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).expect("a source");
                found.push((entry, text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()));
            }
        }
    }
    assert!(found.len() > 60, "only {} sources were found", found.len());
    found
}

/// The room of a file: its folder below `src`, or its own name.
fn room(path: &Path) -> String {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("a source");
    let first = below.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn a_room_uses_lower_floors_only() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = room(&path);
        if own == "lib" || own == "main" {
            continue;
        }
        for used in code(&text).flat_map(|line| line.split("crate::").skip(1)) {
            let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name != own && !name.is_empty() && floor(&name) >= floor(&own) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The modules beside it that a file uses: those of its own folder, by name.
fn beside(text: &str) -> BTreeSet<String> {
    let name = |after: &str| after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let listed = |after: &str| match after.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap_or_default().split(',').map(|item| name(item.trim())).collect(),
        None => vec![name(after)],
    };
    code(text)
        .filter(|line| !line.contains("super::super"))
        .flat_map(|line| line.split("super::").skip(1).flat_map(listed).collect::<Vec<_>>())
        .collect()
}

/// Whoever reads one of two files that use each other must read both.
#[test]
fn no_files_of_a_folder_use_each_other_in_a_circle() {
    let mut uses: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for (path, text) in sources() {
        let folder = path.parent().expect("a folder").to_owned();
        let files = beside(&text).into_iter().map(|name| folder.join(name).with_extension("rs"));
        uses.insert(path.clone(), files.filter(|file| file.exists() && *file != path).collect());
    }
    // Whatever uses nothing that is left is in no circle.
    while let Some(free) =
        uses.iter().find(|(_, used)| used.iter().all(|file| !uses.contains_key(file))).map(|(path, _)| path.clone())
    {
        uses.remove(&free);
    }
    assert!(uses.is_empty(), "in a circle, or using one: {uses:#?}");
}

/// The model of Stripe and the stories told with it.
fn tells_stories(path: &Path) -> bool {
    ["src/dev/model", "src/dev/stories"].iter().any(|folder| path.to_string_lossy().contains(folder))
}

/// A story told with the rules it tests would agree with every mistake in them.
#[test]
fn stories_use_nothing_of_what_they_test() {
    let stories: Vec<_> = sources().into_iter().filter(|(path, _)| tells_stories(path)).collect();
    assert!(stories.len() > 15, "only {} files were found", stories.len());
    for (path, text) in stories {
        let foreign = code(&text).find(|line| line.replace("in crate::dev", "").contains("crate::"));
        assert_eq!(foreign, None, "{}", path.display());
    }
}

/// A double that shared the rules of the core would agree with every mistake in them.
#[test]
fn the_double_of_stripe_uses_no_rule_of_the_core() {
    let double: Vec<_> =
        sources().into_iter().filter(|(path, _)| path.to_string_lossy().contains("src/dev/double")).collect();
    assert!(double.len() > 15, "only {} files were found", double.len());
    for (path, text) in double {
        let used = code(&text).find(|line| {
            ["domain", "handlers", "apply", "store"].iter().any(|room| line.contains(&format!("crate::{room}")))
        });
        assert_eq!(used, None, "{}", path.display());
    }
}

#[test]
fn sql_is_in_the_store_only() {
    let outside = sources().into_iter().filter(|(path, _)| room(path) != "store");
    let wrong: Vec<_> =
        outside.filter(|(_, text)| code(text).any(|line| line.contains("sqlx::query"))).map(|(path, _)| path).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_core_has_no_clock_no_chance_no_waiting_and_no_database() {
    const FOREIGN: [&str; 8] =
        ["SystemTime", "Instant::now", "now_utc", "Uuid::new_v4", "env::var", "async fn", "sqlx", "tokio"];
    for (path, text) in sources() {
        if ["domain", "evidence", "handlers", "stripe"].contains(&room(&path).as_str()) || tells_stories(&path) {
            let found: Vec<_> = FOREIGN.iter().filter(|word| code(&text).any(|line| line.contains(**word))).collect();
            assert!(found.is_empty(), "{} has {found:?}", path.display());
        }
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn every_migration_is_listed_once_and_drops_nothing_of_the_interface() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut names: Vec<_> =
        fs::read_dir(folder).expect("migrations").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    for (path, version) in names.iter().zip(1usize..) {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(name.starts_with(&format!("{version:04}_")), "{name} is not number {version}");
        let text = fs::read_to_string(path).expect("a migration").to_lowercase();
        let dropped = ["drop view clawback_v1", "drop function clawback_v1"].iter().any(|drop| text.contains(drop));
        assert!(!dropped, "{name} drops a part of the interface");
        assert!(!checks_all_rows(&text), "{name} reads a table under its lock");
    }
}

/// Whether a migration adds a constraint to a table that is there without `not valid`, or validates one while it holds
/// the lock under which it was added.
fn checks_all_rows(migration: &str) -> bool {
    let added: Vec<_> = migration.split(';').filter(|statement| statement.contains("add constraint")).collect();
    let each_is_lazy = added
        .iter()
        .all(|s| s.matches("add constraint").count() == s.matches("not valid").count() || s.contains("using index"));
    !each_is_lazy || (!added.is_empty() && migration.contains("validate constraint"))
}

#[test]
fn a_constraint_is_added_not_valid_and_validated_by_a_migration_of_its_own() {
    let added = "alter table t add constraint c check (a > 0)";
    assert!(checks_all_rows(&format!("{added};")));
    assert!(!checks_all_rows(&format!("{added} not valid;")));
    assert!(!checks_all_rows("alter table t validate constraint c;"));
    assert!(checks_all_rows(&format!("{added} not valid; alter table t validate constraint c;")));
}

#[test]
fn files_named_in_comments_exist() {
    let sources = sources();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exists = |file: &str| root.join(file).exists() || sources.iter().any(|(path, _)| path.ends_with(file));
    let mut missing = Vec::new();
    for (path, text) in &sources {
        let comments = text.lines().filter(|line| line.trim_start().starts_with("//"));
        let named = comments.flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|name| name.ends_with(".rs"));
        missing.extend(named.filter(|name| !exists(name)).map(|name| format!("{}: {name}", path.display())));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
