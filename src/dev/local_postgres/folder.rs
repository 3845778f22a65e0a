//! A folder that keeps a server's data between runs: who may use it, and the secrets in it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Marks a folder as ours, and is locked while it is used. Never given to another user.
const LOCK: &str = "clawback-dev.lock";

/// A folder that is this process's alone for as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The lock ends with the process at the latest.
    lock: File,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process uses it.
    #[error("{} is in use by another clawback dev: stop it, or name another folder", .0.display())]
    InUse(PathBuf),
    /// It holds something else.
    #[error("{} holds other files: name a new or empty folder", .0.display())]
    NotOurs(PathBuf),
    /// It cannot be made or opened.
    #[error("cannot use the folder {}", .0.display())]
    Broken(PathBuf, #[source] io::Error),
}

impl Folder {
    /// Opens a folder; one that is not there is made, for this user only.
    ///
    /// # Errors
    /// When it is in use, holds something else, or cannot be made.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let broken = |source| FolderError::Broken(path.to_path_buf(), source);
        let path = std::path::absolute(path).map_err(broken)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(broken)?;
        let lock = path.join(LOCK);
        if !lock.exists() && fs::read_dir(&path).map_err(broken)?.next().is_some() {
            return Err(FolderError::NotOurs(path));
        }
        let lock = OpenOptions::new().append(true).create(true).mode(0o600).open(lock).map_err(broken)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path)),
            Err(TryLockError::Error(error)) => Err(broken(error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file of the user who runs this process.
    pub(super) fn own_file(&self) -> PathBuf {
        self.path.join(LOCK)
    }

    /// The secret kept under this name; if there is none yet, this new one, which is kept from now on.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn keep(&self, name: &str, new: String) -> io::Result<String> {
        let file = self.path.join(name);
        match fs::read_to_string(&file) {
            Ok(kept) if !kept.trim().is_empty() => return Ok(kept.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Renamed when it is complete: a crash leaves no half of a secret.
        let unfinished = file.with_extension("new");
        let mut written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        writeln!(written, "{new}")?;
        written.sync_all()?;
        fs::rename(&unfinished, &file)?;
        Ok(new)
    }
}

impl Drop for Folder {
    /// A process that another thread is just starting has a copy of the file, which would keep the lock for a moment.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}
