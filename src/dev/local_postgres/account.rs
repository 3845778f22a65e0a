//! The user that runs the server. Postgres refuses to run as root, so root runs it as another user.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::StartError;

/// The user that runs the server.
pub(super) enum Account {
    /// The user that runs this process.
    Own,
    /// Another user, since this process runs as root.
    Other { name: String, uid: u32, gid: u32 },
}

impl Account {
    /// A file just made belongs to the effective user: the one way to learn that user without
    /// `unsafe` that works on every Unix.
    pub(super) fn for_owner_of(folder: &Path) -> Result<Self, StartError> {
        if fs::metadata(folder).is_ok_and(|found| found.uid() != 0) {
            return Ok(Self::Own);
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"].iter().find_map(|name| Self::in_passwd(&passwd, name)).ok_or(StartError::NoUser)
    }

    fn in_passwd(passwd: &str, wanted: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| *name == wanted)?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(Self::Other { name, uid, gid })
        })
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Own => "you",
            Self::Other { name, .. } => name,
        }
    }

    pub(super) fn take_over(&self, folder: &Path) -> io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid, .. } => chown(folder, Some(*uid), Some(*gid)),
        }
    }

    /// In a process group of its own, which Ctrl-C at a terminal does not reach, and in the server's
    /// folder, since Postgres has to be able to enter where it is started.
    pub(super) fn command(&self, folder: &Path, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env("LC_ALL", "C").process_group(0);
        if let Self::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }
}
