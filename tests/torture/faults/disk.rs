//! A disk that is full: a small file system in memory that holds the database alone, so that Postgres itself survives.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::sleep;

use crate::trial::Trial;

/// Enough for the database of a trial.
const SIZE: &str = "size=400m";
const BALLAST: &str = "ballast";

/// A mounted file system, unmounted at the end.
pub struct Disk(pub PathBuf);

impl Disk {
    /// None where that is not allowed. `like`: a file of the user who runs Postgres.
    pub fn mount(at: &Path, like: &Path) -> Option<Self> {
        fs::create_dir_all(at).ok()?;
        let run = |program: &str, arguments: &[&str]| {
            Command::new(program).args(arguments).arg(at).output().is_ok_and(|output| output.status.success())
        };
        run("mount", &["-t", "tmpfs", "-o", SIZE, "tmpfs"]).then(|| {
            let mut owner = std::ffi::OsString::from("--reference=");
            owner.push(like);
            let disk = Self(at.join("database"));
            fs::create_dir(&disk.0).expect("a folder");
            let given = Command::new("chown").arg(owner).arg(&disk.0).status().expect("chown runs");
            assert!(given.success(), "the folder is given to the user of Postgres");
            disk
        })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(mount) = self.0.parent() {
            drop(Command::new("umount").arg("--lazy").arg(mount).status());
        }
    }
}

/// Fills the disk to the last byte.
pub async fn fill(trial: &Trial, time: Duration) {
    let ballast = disk(&trial.folder).join(BALLAST);
    let mut file = File::create(&ballast).expect("a file");
    let chunk = vec![1; 64 * 1024];
    while file.write_all(&chunk).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
    sleep(time).await;
    fs::remove_file(&ballast).expect("the file is there");
}

/// Where the disk of a trial is mounted.
pub fn disk(folder: &Path) -> PathBuf {
    folder.with_extension("disk")
}
