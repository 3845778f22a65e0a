//! A service with its console, its double of Stripe, and something of everything that the console shows.

use clawback::console;
use clawback::console::password::Hash;
use clawback::console::settings::{Entry, PublicUrl, Settings};
use clawback::console::users::{Recognition, Users};
use clawback::dev::stories::{self, Cast};
use clawback::evidence::Policy;
use serde_json::json;
use tokio::net::TcpListener;

use crate::bodies::{charge, event};
use crate::harness::{Database, options, unix_now};
use crate::refund_shop::Shop;
use crate::session::Browser;

pub const NAME: &str = "anna";
pub const PASSWORD: &str = "correct horse battery staple";

/// Orders whose payments the double of Stripe knows.
pub const NOT_RECEIVED: &str = "W-20001";
pub const INQUIRED: &str = "W-20002";
pub const FRAUDULENT: &str = "W-20003";
pub const PAID: &str = "W-20004";
pub const REFUND_FAILED: &str = "W-20005";

/// An order whose number would be markup, if anything were.
pub const HOSTILE: &str = "\"><img src=x onerror=alert(1)>\u{202e}";

/// When the stories ended: some deadlines are far, some near, some over.
const DAYS_AGO: [i64; 5] = [0, 3, 7, 9, 10];

/// The service and its console.
pub struct Seeded {
    pub shop: Shop,
    pub url: String,
}

impl Seeded {
    /// With a few orders: what the actions of the console work on.
    pub async fn open() -> Self {
        let shop = Shop::open().await;
        for (order, token) in [
            (NOT_RECEIVED, "pm_card_createDisputeProductNotReceived"),
            (INQUIRED, "pm_card_createDisputeInquiry"),
            (FRAUDULENT, "pm_card_createDispute"),
            (PAID, "pm_card_visa"),
            (REFUND_FAILED, "pm_card_refundFail"),
        ] {
            shop.pay(order, "12900", token).await;
        }
        shop.app.db.until("select count(*) = 3 from clawback_v1.disputes where can_respond").await;
        let url = serve(&shop.app.db).await;
        Self { shop, url }
    }

    /// With something of everything: every story, what failed, and what is stuck.
    pub async fn full() -> Self {
        let seeded = Self::open().await;
        seeded.add_stories().await;
        seeded.add_stuck().await;
        let refund = seeded.shop.request(REFUND_FAILED, "k_1", "12900").await;
        seeded.shop.until(&refund, "succeeded").await;
        seeded.shop.world.advance(61).await;
        seeded.shop.until(&refund, "failed").await;
        let draft = format!("select clawback_v1.stage_evidence('{}', '{DRAFT}')", seeded.dispute(NOT_RECEIVED).await);
        seeded.db().value(&draft).await;
        seeded
    }

    async fn add_stories(&self) {
        let app = &self.shop.app;
        let ago = DAYS_AGO.iter().cycle();
        for ((n, story), days) in (401..).zip(stories::all()).zip(ago) {
            let cast = Cast { livemode: false, ..Cast::new(format!("W-10{n}"), 0) };
            let start = unix_now() - story.span(&cast) - days * 86_400;
            app.deliver_all(&story.tell(&Cast { start, ..cast })).await;
        }
        app.db.settle().await;
    }

    /// Adds a payment without an order, an event that failed, and two dead follow-ups.
    pub async fn add_stuck(&self) {
        let app = &self.shop.app;
        app.see(&[
            event("evt_unlinked", 1, &charge("ch_unlinked", json!({ "metadata": {} }))),
            event("evt_failed", 2, &charge("ch_failed", json!({ "amount": -1 }))),
        ])
        .await;
        app.db.execute(DEAD).await;
    }

    /// Adds an order with the name of [`HOSTILE`].
    pub async fn add_hostile(&self) {
        self.shop.app.live("chargeback-open", HOSTILE).await;
    }

    pub fn db(&self) -> &Database {
        &self.shop.app.db
    }

    /// The address of a page.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The ID of the dispute of an order.
    pub async fn dispute(&self, order: &str) -> String {
        let query = format!("select dispute_id from clawback_v1.disputes where order_id = '{order}'");
        self.db().value(&query).await.as_str().expect("an id").to_owned()
    }

    /// Logs the browser in, and shows a page.
    pub async fn enter(&self, browser: &Browser, path: &str) {
        browser.open(&self.at(&format!("/login?next={path}"))).await;
        browser.fill("#name", NAME).await;
        browser.fill("#password", PASSWORD).await;
        browser.click("main button[type=submit]").await;
        browser.until_found(".account").await;
    }
}

/// Two follow-ups whose attempts are used up.
const DEAD: &str = "update clawback.follow_ups set state = 'dead', attempts = max_attempts,
        last_error = 'the shop answered 503 Service Unavailable', finished_at = now()
    where id in (select id from clawback.follow_ups where state = 'ready' and kind = 'collect_evidence' order by id limit 2)";

/// Part of what a dispute over an order that did not arrive calls for.
const DRAFT: &str = r#"{
    "shipping_carrier": "DHL",
    "shipping_tracking_number": "00340434161094022115",
    "shipping_address": "Musterweg 1, 20095 Hamburg, Germany"
}"#;

/// A console on a free port. Its address.
async fn serve(db: &Database) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let authority = listener.local_addr().expect("an address").to_string();
    let url = format!("http://{authority}");
    let hash = Hash::of(PASSWORD, [7; 16]).expect("a hash").expose();
    let line = format!("{NAME} read,payloads,work,refund,respond {hash}");
    let settings = Settings {
        url: PublicUrl { is_https: false, authority, prefix: String::new(), is_loopback: true },
        users: Users::parse(&line, Recognition::Password).expect("a user"),
        entry: Entry::Password,
        is_read_only: false,
        database: options(&db.url),
    };
    let router = console::router(settings, Policy::default());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
