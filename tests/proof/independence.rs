//! The generated lives and their truth use nothing of the service: their files do not name it.

use std::path::{Path, PathBuf};

/// The lines of a text that use the service, or files here that do.
fn borrowed(text: &str) -> Vec<&str> {
    let own = |path: &str| path.starts_with("life") || path.starts_with("truth");
    let beside = |line: &str| line.split("crate::").skip(1).any(|path| !own(path));
    let names = |line: &&str| line.contains("clawback::") || line.contains("use clawback") || beside(line);
    text.lines().filter(names).collect()
}

fn sources(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let entries = std::fs::read_dir(place).expect("a folder of the sources");
    entries.flat_map(|entry| sources(&entry.expect("an entry").path())).collect()
}

#[test]
fn lives_and_truth_do_not_use_the_service() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof");
    let files: Vec<PathBuf> = ["life", "truth"].iter().flat_map(|name| sources(&here.join(name))).collect();
    assert!(files.len() >= 10, "the sources were not found: {files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source can be read");
        assert_eq!(borrowed(&text), Vec::<&str>::new(), "{}", file.display());
    }
}

#[test]
fn uses_of_the_service_are_detected() {
    assert_eq!(borrowed("use clawback::domain::derive;").len(), 1);
    assert_eq!(borrowed("let x = clawback::domain::derive(id, &facts);").len(), 1);
    assert_eq!(borrowed("use clawback as other;").len(), 1);
    assert_eq!(borrowed("use crate::queue::Queue;").len(), 1);
    assert!(borrowed("use crate::life::Life;").is_empty());
    assert!(borrowed("// of the service").is_empty());
}
