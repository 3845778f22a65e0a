//! What a service needs to act on Stripe: a client with its keys, and what the merchant decided beforehand.

use std::sync::Arc;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;

use super::config::{self, Misconfigured};
use crate::apply::Rules;
use crate::executor::{Executor, Pace};
use crate::store::api_calls::{self, Rate};
use crate::stripe_api::{Client, Keys, Mode, Settings};
use crate::sync::{self, Sync};

/// How a service acts on Stripe. Without a key it only receives.
#[derive(Clone, Debug)]
pub struct Acting {
    client: Client,
    modes: Vec<Mode>,
    /// What a refund does with a transfer: `reverse` or `keep`; none: such refunds are refused.
    pub transfers: Option<String>,
    /// What a refund does with an application fee: `refund` or `keep`; none: such refunds are refused.
    pub fees: Option<String>,
    /// How fast and how patient it is.
    pub pace: Pace,
    /// The same for catching up, but for the rate, which is one for both.
    pub sync_pace: sync::Pace,
}

impl Acting {
    /// With these keys, the default pace and no policy for Connect charges.
    ///
    /// # Errors
    /// [`Misconfigured`] when a live key would be sent without TLS, or TLS cannot be set up.
    pub fn with(settings: Settings) -> Result<Self, Misconfigured> {
        let (modes, limits) = (settings.keys.modes(), settings.limits);
        let rate =
            Rate { per_second: limits.per_second.into(), at_once: limits.at_once.try_into().unwrap_or(i64::MAX) };
        let client = Client::new(settings).map_err(|error| Misconfigured::new(error.to_string()))?;
        let (pace, sync_pace) = (Pace { rate, ..Pace::default() }, sync::Pace { rate, ..sync::Pace::default() });
        Ok(Self { client, modes, transfers: None, fees: None, pace, sync_pace })
    }

    /// Reads the settings.
    ///
    /// # Errors
    /// [`Misconfigured`] names every setting that is malformed.
    pub fn configured(args: &config::Serve) -> Result<Self, Misconfigured> {
        let (transfers, fees) = (args.refund_transfers.clone(), args.refund_fees.clone());
        Ok(Self { transfers, fees, ..Self::with(args.stripe_api.settings()?)? })
    }

    /// Replaces the keys by new ones of the same modes.
    pub(super) fn use_keys(&self, keys: Keys) -> Result<(), Misconfigured> {
        self.client.use_keys(keys).map_err(|error| Misconfigured::new(format!("STRIPE_API_KEYS: {error}")))
    }

    /// Writes to the database what the functions for services must know.
    pub(super) async fn begin(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        api_calls::begin(conn, &self.modes(), self.transfers.as_deref(), self.fees.as_deref()).await
    }

    /// The modes with a key; true is live mode.
    pub(super) fn modes(&self) -> Vec<bool> {
        self.modes.iter().map(|mode| *mode == Mode::Live).collect()
    }

    /// The executor; none without a key.
    pub(super) fn executor(&self, database: &PgConnectOptions, rules: Rules, woken: Arc<Notify>) -> Option<Executor> {
        let Self { client, modes, pace, .. } = self.clone();
        (!modes.is_empty()).then(|| Executor { database: database.clone(), client, modes, pace, woken, rules })
    }

    /// What catches up with Stripe. There may be no mode in it.
    pub(crate) fn sync(&self, database: &PgConnectOptions, order_key: &str) -> Sync {
        let Self { client, modes, pace, sync_pace, .. } = self.clone();
        let pace = sync::Pace { rate: pace.rate, ..sync_pace };
        Sync { database: database.clone(), client, modes, rules: Rules::current(order_key), pace }
    }
}
