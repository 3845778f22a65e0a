//! A service with a key, and the double of Stripe that it acts on: for the tests of refunds.

use std::time::Duration;

use clawback::app::{Acting, Service};
use clawback::executor::Pace;
use clawback::store::api_calls::Rate;
use clawback::stripe_api::{Limits, Settings};
use clawback::sync;
use serde_json::{Value, json};

use crate::double_world::World;
use crate::evidence::EVIDENCE_ERRORS;
use crate::harness::{Database, SECRET, TestApp, stripe_settings};

/// Everything happens soon, so that no test waits for a clock.
pub fn fast() -> Pace {
    Pace {
        rate: Rate { per_second: 500.0, at_once: 20 },
        lease: Duration::from_secs(60),
        poll: Duration::from_millis(20),
        shortest_wait: Duration::from_millis(50),
        longest_wait: Duration::from_millis(400),
        longest_doubt: Duration::from_millis(400),
        pause: Duration::from_millis(100),
        key_pause: Duration::from_millis(100),
    }
}

/// The same for catching up: the first pass is at the start, and there is none after it.
pub fn fast_sync() -> sync::Pace {
    sync::Pace { poll: Duration::from_millis(20), wait: Duration::from_millis(50), ..sync::Pace::default() }
}

/// How a service acts on this double.
pub fn acting(world: &World) -> Acting {
    limited(world, Limits { per_second: 1_000, at_once: 100 })
}

fn limited(world: &World, limits: Limits) -> Acting {
    let settings = Settings { limits, ..stripe_settings("sk_test_1", &world.url) };
    let mut acting = Acting::with(settings).expect("a client");
    acting.pace = fast();
    acting.sync_pace = fast_sync();
    acting
}

/// A service and its double.
pub struct Shop {
    pub world: World,
    pub app: TestApp,
}

impl Shop {
    /// Webhooks of the double arrive at the service.
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub async fn open_with(change: impl FnOnce(&mut Service)) -> Self {
        Self::open_with_limits(Limits { per_second: 1_000, at_once: 100 }, change).await
    }

    /// With these limits of the client.
    pub async fn open_with_limits(limits: Limits, change: impl FnOnce(&mut Service)) -> Self {
        let mut db = Database::migrated().await;
        db.expect_errors(REFUSALS);
        db.expect_errors(EVIDENCE_ERRORS);
        let world = World::start().await;
        let acting = limited(&world, limits);
        let app = TestApp::start_on(db, |service| {
            service.acting = acting;
            service.poll = Duration::from_millis(50);
            change(service);
        })
        .await;
        app.ready().await;
        app.db.until("select exists (select from clawback.api_keys)").await;
        // The pass at the start is over: what follows comes by webhook, or by what the test does.
        app.db.until("select exists (select from clawback.api_accounts where caught_up_at is not null)").await;
        let endpoint = json!({ "url": format!("{}/webhooks/stripe", app.url), "secrets": [SECRET], "scope": "account",
            "payload": "snapshot", "enabled_events": ["*"] });
        world.control("webhooks", endpoint).await;
        Self { world, app }
    }

    /// A payment of an order, seen by the service. Its charge.
    pub async fn pay(&self, order: &str, amount: &str, token: &str) -> String {
        let form = [
            ("amount", amount),
            ("currency", "eur"),
            ("confirm", "true"),
            ("payment_method", token),
            ("metadata[order_id]", order),
        ];
        let intent = self.world.post("/v1/payment_intents", &form).await;
        let charge = intent.body["latest_charge"].as_str().unwrap_or_else(|| panic!("{intent:?}")).to_owned();
        let paid =
            format!("select exists (select from clawback_v1.orders where order_id = '{order}' and amount_paid > 0)");
        self.app.db.until(&paid).await;
        charge
    }

    /// Requests a refund of an order; its id.
    pub async fn request(&self, order: &str, key: &str, amount: &str) -> String {
        let call = format!("select clawback_v1.request_refund('{order}', '{key}', {amount})");
        self.app.db.value(&call).await.as_str().expect("an id").to_owned()
    }

    /// Waits until a request is in a state; its row.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        let is =
            format!("select exists (select from clawback_v1.refund_requests where id = '{id}' and state = '{state}')");
        self.app.db.until(&is).await;
        self.row(id).await
    }

    pub async fn row(&self, id: &str) -> Value {
        let row = format!("select * from clawback_v1.refund_requests where id = '{id}'");
        self.app.db.rows(&row).await.remove(0)
    }

    /// Makes the next calls that match fail in this way.
    pub async fn fault(&self, fault: Value) {
        self.world.control("faults", fault).await;
    }

    /// Makes every lease of a call run out, but for those that are being recorded.
    pub async fn expire_leases(&self) {
        self.app.db.execute(EXPIRE_LEASES).await;
    }
}

/// Skips locked rows: an executor locks its account first, so waiting for two calls could deadlock with two executors.
pub const EXPIRE_LEASES: &str = "update clawback.api_calls set leased_until = now() - interval '1 second'
    where id in (select id from clawback.api_calls where state = 'leased' for update skip locked)";

/// What the functions refuse, as it is in the server's log.
pub const REFUSALS: &[&str] = &[
    "is left, and at most",
    "nothing is left to refund",
    "is unknown",
    "has an open chargeback",
    "is not captured",
    "with other arguments",
    "no API key",
    "several payments",
    "must be configured first",
    "must have 1 to 255 bytes",
    "must be above 0",
    "must be null",
    "has just been made",
    "could not serialize",
    "in several accounts",
    "exists at Stripe as refund",
    "terminating connection",
    "connection to client lost",
];
