//! Promise: `clawback demo` shows every story's order, and leaves nothing behind.

use std::fs;

use clawback::dev::stories;

use crate::binary::run;
use crate::dev::{Folder, environment};
use crate::guide::{README, blocks};

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_an_order_of_every_story_and_leaves_nothing_behind() {
    let (folder, environment) = (Folder::new(), environment());
    let temporary = folder.inside("");
    let mut variables = vec![("TMPDIR", temporary.as_str())];
    variables.extend(environment.iter().map(|(name, value)| (*name, value.as_str())));
    let ended = run(&["demo"], &variables).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for story in stories::all() {
        let order = format!("order-{}", story.name);
        assert!(ended.stdout.contains(&order), "{order} is not in {}", ended.stdout);
    }
    for said in ["deliveries were answered with 200", "order-linked-late", "History of order-", "clawback dev"] {
        assert!(ended.stdout.contains(said), "{said} is not in {}", ended.stdout);
    }
    for row in [
        ["order-disputed", "paid"].as_slice(),
        &["du_", "chargeback", "draft", "3", "receipt.pdf"],
        &["du_", "inquiry", "submitted", "2", "receipt.pdf"],
        &["du_", "chargeback", "submitted", "3", "receipt.pdf"],
        &["order-inquired", "disputed"],
    ] {
        let is = |line: &str| {
            let mut words = line.split_whitespace();
            row.iter().all(|word| words.next().is_some_and(|said| said.starts_with(word)))
        };
        assert!(ended.stdout.lines().any(is), "{row:?} is not in {}", ended.stdout);
    }
    // All that the README shows of it, but for IDs and times.
    for line in blocks(README, "demo").lines().filter(|line| *line != "…") {
        let same = line.split(" du_").next().and_then(|line| line.split(" re_").next()).expect("a part");
        assert!(ended.stdout.contains(same), "{same} is not in {}", ended.stdout);
    }
    assert_eq!(fs::read_dir(&folder.0).expect("our folder").count(), 0);
}
