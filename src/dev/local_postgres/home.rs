//! The folder of a server: a temporary one that is removed at the end, or one that is kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::folder::Folder;

/// The folder of a server.
pub(super) enum Home {
    /// Removed at the end.
    Temporary(PathBuf),
    /// Kept. Locked for as long as this lives.
    Kept(Folder),
}

impl Home {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(path) => path,
            Self::Kept(folder) => folder.path(),
        }
    }

    /// Where the server writes its log.
    pub(super) fn log_file(&self) -> PathBuf {
        self.path().join("server.log")
    }

    /// Makes the folder if it is not there; returns the log to write and to read.
    pub(super) fn open_log(&self) -> io::Result<(File, File)> {
        if let Self::Temporary(path) = self {
            DirBuilder::new().mode(0o700).create(path)?;
        }
        let output = OpenOptions::new().append(true).create(true).open(self.log_file())?;
        Ok((output, File::open(self.log_file())?))
    }

    /// A file of the user who runs this process.
    pub(super) fn own_file(&self) -> PathBuf {
        match self {
            Self::Temporary(_) => self.log_file(),
            Self::Kept(folder) => folder.own_file(),
        }
    }

    /// The password of the user `clawback`: the same each time in a folder that is kept.
    pub(super) fn password(&self) -> io::Result<String> {
        let new = Uuid::new_v4().simple().to_string();
        match self {
            Self::Temporary(_) => Ok(new),
            Self::Kept(folder) => folder.keep("database-password", new),
        }
    }

    /// What the supervisor is told about the folder.
    pub(super) fn keep(&self) -> &'static str {
        match self {
            Self::Temporary(_) => "",
            Self::Kept(_) => "yes",
        }
    }

    /// The folder for another attempt after a server in it ended; none: a new temporary one.
    pub(super) fn again(self) -> Option<Self> {
        match self {
            Self::Temporary(_) => None,
            Self::Kept(_) => Some(self),
        }
    }

    /// For what the supervisor cannot remove: all, if it never ran; the empty folder, if its user may not write to
    /// the one around it. That this fails is no reason to hide the error that led here.
    pub(super) fn remove_rest(&self) {
        if let Self::Temporary(path) = self {
            let _ = fs::remove_dir_all(path);
        }
    }
}
