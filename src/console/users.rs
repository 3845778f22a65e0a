//! The users of the console and their rights, in the words of `clawback grants`.
//!
//! A line for each: name, rights separated by commas, and the hash of the password, or `-` where a proxy says who it is.
//! A file is read again when it changes. Not here: how a person is recognised, which is up to [`super::settings::Entry`].

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use tracing::{info, warn};

use super::password::{self, Hash};

/// In bytes.
const MAX_NAME: usize = 255;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::EnumString, strum::EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Right {
    /// See orders, payments, refunds, disputes, events and follow-ups. Every user has it.
    Read,
    /// See personal data: bodies of events, e-mail addresses and names.
    Payloads,
    /// Requeue and discard follow-ups, replay events, link payments.
    Work,
    /// Request refunds.
    Refund,
    /// See and edit evidence, submit it, accept disputes.
    Respond,
}

/// The rights of a user.
pub type Rights = BTreeSet<Right>;

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, as it appears in `clawback_v1.actions`.
    pub name: String,
    /// What the user may do.
    pub rights: Rights,
    /// The hash of the password; none when a proxy says who it is.
    pub hash: Option<Hash>,
}

/// How users are recognised: decides what the last column of their lines is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// By password: a hash.
    Password,
    /// By a proxy: `-`.
    Proxy,
}

/// What is wrong with the list of users. Quotes nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// A line cannot be used.
    #[error("line {0}: {1}")]
    Line(usize, &'static str),
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(PathBuf, io::Error),
}

type Table = BTreeMap<String, User>;

/// All users. Clones share what was read.
#[derive(Clone, Debug)]
pub struct Users(Source);

#[derive(Clone, Debug)]
enum Source {
    Fixed(Arc<Table>),
    File(Arc<Mutex<File>>),
}

impl Users {
    /// Users that never change, from their lines.
    ///
    /// # Errors
    /// [`UsersError::Line`] for the first line that cannot be used.
    pub fn parse(text: &str, recognition: Recognition) -> Result<Self, UsersError> {
        Ok(Self(Source::Fixed(Arc::new(table(text, recognition)?))))
    }

    /// Users from a file, which is read again whenever it has changed.
    ///
    /// # Errors
    /// [`UsersError`] when it cannot be read, or a line cannot be used.
    pub fn in_file(path: &Path, recognition: Recognition) -> Result<Self, UsersError> {
        Ok(Self(Source::File(Arc::new(Mutex::new(File::open(path, recognition)?)))))
    }

    /// One user and no other.
    #[must_use]
    pub fn only(user: User) -> Self {
        Self(Source::Fixed(Arc::new(Table::from([(user.name.clone(), user)]))))
    }

    /// The user of this name, as the list stands now.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<User> {
        self.look(|table| table.get(name).cloned())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.look(Table::len)
    }

    fn look<T>(&self, at: impl FnOnce(&Table) -> T) -> T {
        match &self.0 {
            Source::Fixed(table) => at(table),
            Source::File(file) => at(file.lock().unwrap_or_else(PoisonError::into_inner).current()),
        }
    }
}

/// Whether this is the user's password. See [`password::check`] for what it costs.
#[must_use]
pub fn check(user: Option<&User>, password: &str) -> bool {
    password::check(user.and_then(|user| user.hash.as_ref()), password)
}

/// The last good version of a file of users.
#[derive(Debug)]
struct File {
    path: PathBuf,
    recognition: Recognition,
    table: Table,
    /// The version that was read last, good or not; none when there was no file.
    version: Option<Version>,
}

/// Tells versions of a file apart: inode, size, and time of change in seconds and nanoseconds.
type Version = (u64, u64, i64, i64);

impl File {
    fn open(path: &Path, recognition: Recognition) -> Result<Self, UsersError> {
        // Before the text: whatever is written after that is read next time.
        let version = version(path);
        let table = read(path, recognition)?;
        Ok(Self { path: path.to_owned(), recognition, table, version })
    }

    /// The users as the file stands, or stood when it last made sense. Costs one `stat`.
    fn current(&mut self) -> &Table {
        let version = version(&self.path);
        if version != self.version {
            self.version = version;
            match read(&self.path, self.recognition) {
                Ok(table) => self.replace(table),
                Err(error) => warn!("the console keeps the users it has: {error}"),
            }
        }
        &self.table
    }

    fn replace(&mut self, table: Table) {
        info!(users = table.len(), "the console's users were read again: there are {} now", table.len());
        self.table = table;
    }
}

fn version(path: &Path) -> Option<Version> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}

fn read(path: &Path, recognition: Recognition) -> Result<Table, UsersError> {
    let text = fs::read_to_string(path).map_err(|error| UsersError::File(path.to_owned(), error))?;
    table(&text, recognition)
}

fn table(text: &str, recognition: Recognition) -> Result<Table, UsersError> {
    let mut table = Table::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let user = user(line, recognition).map_err(|wrong| UsersError::Line(number, wrong))?;
        if table.insert(user.name.clone(), user).is_some() {
            return Err(UsersError::Line(number, "the name stands on a line above already"));
        }
    }
    Ok(table)
}

fn user(line: &str, recognition: Recognition) -> Result<User, &'static str> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [name, words, hash] = columns[..] else {
        return Err("expected a name, rights and a hash, separated by spaces");
    };
    let hash = match (recognition, hash) {
        (Recognition::Password, "-") => {
            return Err(
                "the hash is missing: clawback console password prints a line; - is for CLAWBACK_CONSOLE_USER_HEADER",
            );
        }
        (Recognition::Password, hash) => Some(Hash::parse(hash).map_err(
            |_| "the hash is not one that clawback console password prints; in compose files write each $ of it as $$",
        )?),
        (Recognition::Proxy, "-") => None,
        (Recognition::Proxy, _) => {
            return Err("expected - instead of a hash: CLAWBACK_CONSOLE_USER_HEADER says who it is, not a password");
        }
    };
    Ok(User { name: self::name(name)?.to_owned(), rights: rights(words)?, hash })
}

/// A name that a line can hold.
///
/// # Errors
/// What is wrong with it.
pub fn name(text: &str) -> Result<&str, &'static str> {
    let is_odd = |c: char| c.is_control() || c.is_whitespace();
    match text {
        "" => Err("the name is missing"),
        text if text.len() > MAX_NAME => Err("the name is longer than 255 bytes"),
        text if text.starts_with('#') || text.contains(is_odd) => Err("a name has no spaces and no # in front"),
        text => Ok(text),
    }
}

/// Reads rights, such as `read,respond`. Every user may read, whether it is said or not.
///
/// # Errors
/// Which words there are, when one is unknown. It is not quoted: it may be a hash in the wrong column.
pub fn rights(words: &str) -> Result<Rights, &'static str> {
    let rights = words.split(',').map(str::parse).chain([Ok(Right::Read)]).collect::<Result<Rights, _>>();
    rights.map_err(|_| "a right is unknown: known are read, payloads, work, refund and respond, separated by commas")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse battery";

    fn hash() -> String {
        Hash::of(PASSWORD, [1; 16]).unwrap().expose()
    }

    fn refusal(text: &str, recognition: Recognition) -> String {
        Users::parse(text, recognition).unwrap_err().to_string()
    }

    #[test]
    fn lines_are_users_with_rights_and_passwords() {
        let text = format!("# shop\n\n  anna  read,respond {}\nbob@shop.example refund {}\n", hash(), hash());
        let users = Users::parse(&text, Recognition::Password).unwrap();
        assert_eq!(users.count(), 2);
        let (anna, bob) = (users.find("anna").unwrap(), users.find("bob@shop.example").unwrap());
        assert_eq!(anna.rights, [Right::Read, Right::Respond].into());
        assert_eq!(bob.rights, [Right::Read, Right::Refund].into(), "every user may read");
        assert!(check(Some(&anna), PASSWORD) && !check(Some(&bob), "correct horse") && !check(None, PASSWORD));
        assert_eq!(users.find("Anna"), None);
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named_and_not_quoted() {
        let hash = hash();
        for (line, wrong) in [
            (format!("anna {hash}"), "a name, rights and a hash"),
            (format!("anna {hash} read"), "not one that"),
            ("anna read secret".to_owned(), "not one that"),
            (format!("anna read,secret {hash}"), "a right is unknown"),
            (format!("anna read, {hash}"), "a right is unknown"),
            ("anna read -".to_owned(), "the hash is missing"),
            (format!("{} read {hash}", "secret".repeat(50)), "longer than 255 bytes"),
        ] {
            let refusal = refusal(&format!("# first\n{line}"), Recognition::Password);
            assert!(refusal.starts_with("line 2: ") && refusal.contains(wrong), "{line}: {refusal}");
            assert!(!refusal.contains("secret") && !refusal.contains('$') || wrong == "not one that", "{refusal}");
        }
        let twice = format!("anna read {hash}\nanna refund {hash}");
        assert_eq!(refusal(&twice, Recognition::Password), "line 2: the name stands on a line above already");
    }

    #[test]
    fn a_password_where_a_proxy_knows_the_user_is_refused() {
        assert!(Users::parse("anna read -", Recognition::Proxy).is_ok());
        assert!(refusal(&format!("anna read {}", hash()), Recognition::Proxy).contains("expected - instead"));
    }

    #[test]
    fn a_file_that_changes_counts_at_once_and_a_broken_one_does_not() {
        let path = std::env::temp_dir().join(format!("clawback-users-{}", uuid::Uuid::new_v4()));
        fs::write(&path, "anna read -\nbob read -\n").unwrap();
        let users = Users::in_file(&path, Recognition::Proxy).unwrap();
        let of_a_request = users.clone();
        assert!(users.find("bob").is_some());
        fs::write(&path, "anna read,work -\n").unwrap();
        assert_eq!((users.find("bob"), of_a_request.find("bob")), (None, None));
        assert!(users.find("anna").unwrap().rights.contains(&Right::Work));
        fs::write(&path, "anna read,work\n").unwrap();
        assert!(users.find("anna").is_some(), "the last good version counts");
        fs::remove_file(&path).unwrap();
        assert!(users.find("anna").is_some());
        fs::write(&path, "carl read -\n").unwrap();
        assert!(users.find("anna").is_none() && users.find("carl").is_some());
        fs::remove_file(&path).unwrap();
    }
}
