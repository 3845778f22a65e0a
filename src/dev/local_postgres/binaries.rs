//! Where `initdb` and `postgres` are on this machine. `scripts/postgres-bin.sh` searches the same
//! folders in the same order.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Options, StartError};

/// The first folder that has both programs; a folder asked for by name is the only one looked into.
pub(super) fn find(options: &Options) -> Result<PathBuf, StartError> {
    let (candidates, searched) = match &options.pg_bin {
        Some(bin) => (vec![bin.clone()], format!("PG_BIN={}", bin.display())),
        None => (usual_folders(&options.path), "PATH and the usual folders".to_owned()),
    };
    candidates
        .into_iter()
        .find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
        .ok_or(StartError::NoBinaries { searched })
}

fn usual_folders(path: &OsStr) -> Vec<PathBuf> {
    // The programs are run from another folder, where a relative one would mean something else.
    let mut folders: Vec<PathBuf> = std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    folders.extend(folders.iter().find_map(|folder| bindir(&folder.join("pg_config"))));
    folders.extend(newest_first("/usr/lib/postgresql", ""));
    folders.extend(newest_first("/opt/homebrew/opt", "postgresql"));
    folders.extend(newest_first("/usr/local/opt", "postgresql"));
    folders
}

fn bindir(pg_config: &Path) -> Option<PathBuf> {
    let output = Command::new(pg_config).arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The `bin` of each version inside `parent`: Debian's folders are called `17`, Homebrew's
/// `postgresql@17`, and a `postgresql` without a number comes last.
fn newest_first(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let version = |name: &str| -> Option<u32> {
        let rest = name.strip_prefix(prefix)?.trim_start_matches('@');
        if rest.is_empty() { Some(0) } else { rest.parse().ok() }
    };
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path().join("bin"))))
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, bin)| bin).collect()
}
