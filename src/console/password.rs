//! Hashes of passwords: made for the users' file, and checked at a log-in. Not here: how often somebody may try
//! ([`super::attempts`]), and random numbers, which the caller brings.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};

/// Checked where no user has the name. It costs as much as any other hash, so the time of an answer does not show which names exist.
const OF_NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y2xhd2JhY2stbm9ib2R5$S4eFpoCCLv4HfnPtTKyQHRpbMCUKPsLCYmR2zG+Gd2I";

/// An argon2id hash in PHC format, with the parameters of [`Argon2::default`]. It does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(PasswordHash);

/// Not a hash that `clawback console password` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hash is not one that clawback console password prints")]
pub struct NotAHash;

impl Hash {
    /// Reads a hash.
    ///
    /// # Errors
    /// [`NotAHash`] when it is of another algorithm or has other parameters: one that costs less is easier to guess, and
    /// one that costs something else shows that a name exists.
    pub fn parse(text: &str) -> Result<Self, NotAHash> {
        let hash = PasswordHash::new(text).map_err(|_| NotAHash)?;
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        let params = Params::try_from(&hash).map_err(|_| NotAHash)?;
        let is_ours = hash.algorithm.as_str() == "argon2id"
            && hash.version == Some(19)
            && costs(&params) == costs(&Params::DEFAULT)
            && hash.salt.is_some()
            && hash.hash.is_some();
        if is_ours { Ok(Self(hash)) } else { Err(NotAHash) }
    }

    /// The hash of a password, with a random salt.
    ///
    /// # Errors
    /// When the algorithm refuses the password, which is longer than 4 GiB.
    pub fn of(password: &str, salt: [u8; 16]) -> Result<Self, argon2::password_hash::Error> {
        Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map(Self)
    }

    /// In PHC format, for the users' file.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.to_string()
    }

    fn is_of(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

/// Whether the hash is of this password. Takes the same time without a hash. It takes tens of milliseconds of CPU and
/// 19 MiB: call it from a thread that may block, and one at a time.
#[must_use]
pub fn check(hash: Option<&Hash>, password: &str) -> bool {
    let of_nobody = Hash::parse(OF_NOBODY).ok();
    let is_right = hash.or(of_nobody.as_ref()).is_some_and(|hash| hash.is_of(password));
    // After the work, whose time must not depend on it.
    is_right && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_its_password_only() {
        let hash = Hash::of("correct horse battery", [7; 16]).unwrap();
        let hash = Hash::parse(&hash.expose()).unwrap();
        assert!(check(Some(&hash), "correct horse battery"));
        assert!(!check(Some(&hash), "correct horse batterz"));
        assert!(!check(None, "correct horse battery"));
        assert_eq!(format!("{hash:?}"), "Hash(…)");
    }

    #[test]
    fn a_name_that_does_not_exist_costs_a_hash_too() {
        assert!(Hash::parse(OF_NOBODY).is_ok());
    }

    #[test]
    fn hashes_of_another_kind_or_cost_are_refused() {
        let good = Hash::of("correct horse battery", [7; 16]).unwrap().expose();
        for (from, to) in [("argon2id", "argon2i"), ("m=19456", "m=4096"), ("t=2", "t=3"), ("v=19", "v=16")] {
            assert!(good.contains(from), "{good}");
            assert_eq!(Hash::parse(&good.replacen(from, to, 1)), Err(NotAHash), "{to}");
        }
        let cut = good.rsplit_once('$').unwrap().0;
        for text in ["", "-", "secret", cut, "$2y$10$abcdefghijklmnopqrstuv"] {
            assert_eq!(Hash::parse(text), Err(NotAHash), "{text}");
        }
    }
}
