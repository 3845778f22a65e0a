//! Settings of the client of Stripe's API: keys, and where the API is.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{Misconfigured, given, secret};
use crate::stripe_api::{Base, Keys, Limits, Settings};

/// The keys of Stripe's API, and where it is. Without a key nothing is asked of Stripe.
#[derive(Clone, Debug, Args)]
pub struct StripeApi {
    /// API keys, one per mode, separated by commas or white space; restricted keys are enough
    #[arg(long, env = "STRIPE_API_KEYS", hide_env_values = true)]
    pub api_keys: Option<SecretString>,
    /// A file that contains them
    #[arg(long, env = "STRIPE_API_KEYS_FILE")]
    pub api_keys_file: Option<PathBuf>,
    /// The same as --api-keys, for a single key
    #[arg(long, env = "STRIPE_API_KEY", hide_env_values = true)]
    pub api_key: Option<SecretString>,
    /// A file that contains it
    #[arg(long, env = "STRIPE_API_KEY_FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Calls per second to each account, over all replicas; Stripe allows 100 in live mode, 25 in a sandbox
    #[arg(long, env = "CLAWBACK_STRIPE_RATE", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub stripe_rate: u32,
    /// URL of Stripe's API, for a double of Stripe [default: Stripe's own]
    #[arg(long, env = "STRIPE_API_BASE")]
    pub stripe_api_base: Option<String>,
    /// URL that files are uploaded to, for a double of Stripe [default: that of the API if it is given, else Stripe's own]
    #[arg(long, env = "STRIPE_FILES_BASE")]
    pub stripe_files_base: Option<String>,
}

impl StripeApi {
    /// What a client is made with. There may be no key in it.
    ///
    /// # Errors
    /// [`Misconfigured`] when a file cannot be read, a key or a URL is malformed, or two keys are of one mode.
    pub fn settings(&self) -> Result<Settings, Misconfigured> {
        let api_base = base("STRIPE_API_BASE", given(&self.stripe_api_base), Base::api);
        // A double answers for both hosts.
        let files = given(&self.stripe_files_base).or(given(&self.stripe_api_base));
        let files_base = base("STRIPE_FILES_BASE", files, Base::files);
        let (keys, (api_base, files_base)) =
            Misconfigured::both(self.keys(), Misconfigured::both(api_base, files_base))?;
        Ok(Settings { keys, api_base, files_base, limits: limits(self.stripe_rate) })
    }

    /// The variable that the keys come from; none when there are none.
    #[must_use]
    pub fn variable(&self) -> Option<&'static str> {
        let given =
            |value: &Option<SecretString>| value.as_ref().is_some_and(|value| !value.expose_secret().trim().is_empty());
        let sources = [
            ("STRIPE_API_KEYS", given(&self.api_keys)),
            ("STRIPE_API_KEYS_FILE", self.api_keys_file.is_some()),
            ("STRIPE_API_KEY", given(&self.api_key)),
            ("STRIPE_API_KEY_FILE", self.api_key_file.is_some()),
        ];
        sources.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    fn keys(&self) -> Result<Keys, Misconfigured> {
        let given = match secret(&self.api_keys, &self.api_keys_file)? {
            Some(keys) => Some(keys),
            None => secret(&self.api_key, &self.api_key_file)?,
        };
        let Some(text) = given else { return Ok(Keys::default()) };
        Keys::parse(text.expose_secret()).map_err(|error| Misconfigured(format!("STRIPE_API_KEYS: {error}")))
    }
}

/// With a fifth of a second for each call, enough of them at once to reach the rate; at least two.
fn limits(per_second: u32) -> Limits {
    Limits { per_second, at_once: (per_second as usize / 5).max(2) }
}

fn base(name: &str, given: Option<&str>, stripes: fn() -> Base) -> Result<Base, Misconfigured> {
    match given {
        Some(text) => Base::parse(text).map_err(|error| Misconfigured(format!("{name}: {error}"))),
        None => Ok(stripes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe_api::Mode;

    fn api(keys: &str, base: &str) -> StripeApi {
        StripeApi {
            api_keys: None,
            api_keys_file: None,
            api_key: Some(SecretString::from(keys)),
            api_key_file: None,
            stripe_api_base: Some(base.to_owned()),
            stripe_files_base: None,
            stripe_rate: 10,
        }
    }

    #[test]
    fn unset_and_empty_settings_mean_stripe_itself_and_no_key() {
        let settings = api("", " ").settings().expect("settings");
        assert_eq!((settings.api_base, settings.files_base), (Base::api(), Base::files()));
        assert_eq!(settings.keys.modes(), []);
        let settings = api("rk_test_1\n", "http://127.0.0.1:1").settings().expect("settings");
        assert_eq!(settings.keys.modes(), [Mode::Test]);
    }

    #[test]
    fn everything_that_is_wrong_is_named_and_not_quoted() {
        let refused = api("pk_live_secret", "ftp://secret").settings().expect_err("malformed").to_string();
        assert!(refused.contains("STRIPE_API_KEYS: ") && refused.contains("STRIPE_API_BASE: "), "{refused}");
        assert!(!refused.contains("secret;") && !refused.contains("pk_live_secret"), "{refused}");
        let twice = api("sk_live_a rk_live_b", "").settings().expect_err("two keys").to_string();
        assert_eq!(twice, "STRIPE_API_KEYS: there are two API keys of live mode: set one per mode");
    }
}
