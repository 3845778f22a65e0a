//! API keys: any test key is accepted; restricted and expired ones are named by the control API.

use std::collections::HashMap;

use serde::Deserialize;

use super::refusal::Refusal;

/// The keys that are special.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<String, Standing>);

/// What a key may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", tag = "standing")]
pub(super) enum Standing {
    /// Only these, such as `rak_charge_read`.
    Restricted {
        /// As Stripe names them.
        permissions: Vec<String>,
    },
    /// It was revoked or has expired.
    Expired,
    /// It has every right, as before.
    Unrestricted,
}

impl Keys {
    pub(super) fn set(&mut self, key: String, standing: Standing) {
        self.0.insert(key, standing);
    }

    /// Refuses a key that is missing, unknown, expired, of the other mode, or without this permission.
    pub(super) fn check(&self, given: Option<&str>, livemode: bool, permission: &str) -> Result<(), Refusal> {
        let unauthorized = |code: &str, message: &str| Err(Refusal::plain(401, code, message));
        let Some(key) = given else {
            return unauthorized("", "You did not provide an API key.");
        };
        let live = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        if !live && !key.starts_with("sk_test_") && !key.starts_with("rk_test_") {
            return unauthorized("", &format!("Invalid API Key provided: {}", hidden(key)));
        }
        if live != livemode {
            let mode = if livemode { "live" } else { "test" };
            let message = format!("This key is of the other mode: everything here is in {mode} mode.");
            return Err(Refusal::plain(400, "livemode_mismatch", message));
        }
        match self.0.get(key) {
            None | Some(Standing::Unrestricted) => Ok(()),
            Some(Standing::Expired) => unauthorized("api_key_expired", "Expired API Key provided"),
            Some(Standing::Restricted { permissions }) if permissions.iter().any(|it| it == permission) => Ok(()),
            Some(Standing::Restricted { .. }) => {
                let message = format!(
                    "The provided key '{}' does not have the required permissions for this endpoint. Having the \
                     '{permission}' permission would allow this request to continue.",
                    hidden(key)
                );
                Err(Refusal::plain(403, "", message))
            }
        }
    }
}

/// A key as far as Stripe shows it.
fn hidden(key: &str) -> String {
    let start: String = key.chars().take(8).collect();
    format!("{start}****")
}
