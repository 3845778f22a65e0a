//! Sample events of Stripe's, of every shape and API version. They are not part of this repository:
//! `CLAWBACK_FIXTURES` names their folder, and what needs them is skipped without it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder; none where there is none.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CLAWBACK_FIXTURES").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: CLAWBACK_FIXTURES names no folder of sample events");
    }
    folder
}

/// All samples: their paths below the folder, and their texts.
pub fn samples(folder: &Path) -> BTreeMap<String, String> {
    let samples = below(folder, folder);
    assert!(samples.len() > 100, "{} samples", samples.len());
    samples
}

/// The events of each story, as they happened: files end with `.01.json`, `.02.json` and so on.
pub fn stories(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let mut stories = BTreeMap::new();
    let root = folder.join("synth-scenarios");
    for (name, body) in below(&root, &root) {
        let (story, file) = name.split_once('/').expect("a folder for each story");
        let step: u32 = file.rsplit('.').nth(1).and_then(|step| step.parse().ok()).expect("a number");
        stories.entry(story.to_owned()).or_insert_with(BTreeMap::new).insert(step, body);
    }
    stories.into_iter().map(|(name, steps)| (name, steps.into_values().collect())).collect()
}

fn below(root: &Path, folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("below it").to_str().expect("UTF-8").to_owned();
        if path.is_dir() {
            found.append(&mut below(root, &path));
        } else if name.ends_with(".json") && name != "signature_vectors.json" {
            found.insert(name, fs::read_to_string(path).expect("UTF-8"));
        }
    }
    found
}
