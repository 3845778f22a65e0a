//! Promise: with an API key the doctor says what the key may do, whether the webhook endpoint sends what is needed,
//! whether the clock is Stripe's, and whether events were missed; and it changes nothing at Stripe.

use std::time::Duration;

use clawback::handlers::EVENTS;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::binary::{Ended, run};
use crate::double_world::World;
use crate::harness::{Database, SECRET, TestApp};

const KEY: &str = "rk_test_hidden";
/// What Stripe calls all permissions that Clawback uses.
const PERMISSIONS: [&str; 12] = [
    "rak_event_read",
    "rak_charge_read",
    "rak_charge_write",
    "rak_payment_intent_read",
    "rak_dispute_read",
    "rak_dispute_write",
    "rak_file_write",
    "rak_checkout_session_read",
    "rak_early_fraud_warning_read",
    "rak_review_read",
    "rak_balance_transaction_read",
    "rak_webhook_read",
];

async fn doctor(arguments: &[&str], environment: &[(&str, &str)]) -> (Ended, Vec<Value>) {
    let ended = run(&[&["doctor", "--json"], arguments].concat(), environment).await;
    let findings = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("no JSON: {ended:?}"));
    assert!(!format!("{ended:?}").contains("hidden"), "{ended:?}");
    (ended, findings)
}

/// With this key, at this double.
async fn with_key(world: &World, key: &str, arguments: &[&str]) -> Vec<Value> {
    let at = world.url.as_str();
    doctor(arguments, &[("STRIPE_API_KEYS", key), ("STRIPE_API_BASE", at), ("STRIPE_FILES_BASE", at)]).await.1
}

/// Level and message of each finding of a check.
fn of<'a>(findings: &'a [Value], check: &str) -> Vec<(&'a str, &'a str)> {
    let findings = findings.iter().filter(|finding| finding["check"] == check);
    findings.map(|it| (it["level"].as_str().expect("a level"), it["message"].as_str().expect("words"))).collect()
}

/// The only finding of a check.
fn only<'a>(findings: &'a [Value], check: &str) -> (&'a str, &'a str) {
    let found = of(findings, check);
    assert_eq!(found.len(), 1, "{check}: {findings:#?}");
    found[0]
}

/// Registers an endpoint that nobody listens at.
async fn endpoint(world: &World, change: Value) {
    let mut all = json!({ "url": "https://shop.example/webhooks/stripe", "secrets": [SECRET] });
    all.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
    world.control("webhooks", all).await;
}

/// Gives a key all permissions but these.
async fn restrict(world: &World, key: &str, without: &[&str]) {
    let permissions: Vec<_> = PERMISSIONS.iter().filter(|it| !without.contains(it)).collect();
    world.control("keys", json!({ "key": key, "standing": "restricted", "permissions": permissions })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_every_permission_is_good_and_trying_it_has_no_effect() {
    let world = World::start().await;
    endpoint(&world, json!({ "enabled_events": EVENTS })).await;
    restrict(&world, KEY, &[]).await;
    let found = with_key(&world, KEY, &[]).await;
    assert_eq!(only(&found, "API keys"), ("good", "test mode: Stripe accepts the key"));
    let (level, says) = only(&found, "permissions");
    assert!(level == "good" && says.contains("Charges and Refunds: Write") && says.contains("Files: Write"), "{says}");
    assert_eq!((only(&found, "webhook endpoint").0, only(&found, "Stripe clock").0), ("good", "good"));
    let writes = world.look("requests?method=POST").await;
    let refused = |call: &Value| call["status"] == 400 || call["status"] == 404;
    let writes = writes.as_array().expect("a log");
    assert!(writes.len() == 3 && writes.iter().all(refused), "{writes:#?}");
    assert_eq!(world.get("/v1/events", &[]).await.body["data"], json!([]));
    assert_eq!(world.get("/v1/files", &[]).await.body["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_permission_is_named_with_what_is_missing_without_it() {
    let world = World::start().await;
    restrict(&world, KEY, &["rak_charge_write", "rak_file_write", "rak_webhook_read"]).await;
    let found = with_key(&world, KEY, &[]).await;
    let found = of(&found, "permissions");
    let named: Vec<_> =
        found.iter().map(|(level, says)| (*level, says.split('`').nth(1).unwrap_or_default())).collect();
    let expected = [
        ("good", ""),
        ("wrong", "Charges and Refunds: Write"),
        ("warning", "Files: Write"),
        ("warning", "Webhook Endpoints: Read"),
    ];
    assert_eq!(named, expected, "{found:#?}");
    assert!(!found[0].1.contains("Refunds: Write") && found[0].1.contains("Refunds: Read"), "{}", found[0].1);
    for words in ["(rak_charge_write)", "refunds cannot be issued", "Stripe refused POST /v1/refunds"] {
        assert!(found[1].1.contains(words), "{words} is not in {}", found[1].1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_permission_is_tried() {
    let world = World::start().await;
    join_all(PERMISSIONS.map(async |permission| {
        let key = format!("{KEY}_{permission}");
        restrict(&world, &key, &[permission]).await;
        let found = with_key(&world, &key, &[]).await;
        let found = of(&found, "permissions");
        assert!(found.len() == 2 && found[1].1.contains(permission), "{permission}: {found:#?}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stripe_refuses_is_told_with_its_variable_and_nothing_else_is_asked() {
    let world = World::start().await;
    world.control("keys", json!({ "key": KEY, "standing": "expired" })).await;
    for variable in ["STRIPE_API_KEYS", "STRIPE_API_KEY"] {
        let (ended, found) = doctor(&[], &[(variable, KEY), ("STRIPE_API_BASE", &world.url)]).await;
        let (level, says) = only(&found, "API keys");
        assert_eq!((ended.code, level), (Some(1), "wrong"));
        assert!(says.contains("401 api_key_expired") && says.ends_with(&format!("into {variable}")), "{says}");
        assert!(of(&found, "permissions").is_empty(), "{found:#?}");
    }
    assert_eq!(world.look("requests").await.as_array().map(Vec::len), Some(2));
    let found = doctor(&[], &[("STRIPE_API_KEYS", "pk_live_hidden")]).await.1;
    assert_eq!(only(&found, "API keys").0, "wrong");
    let found = doctor(&[], &[("STRIPE_API_KEYS", "sk_live_hidden"), ("STRIPE_API_BASE", "http://192.0.2.1")]).await.1;
    assert!(only(&found, "API keys").1.contains("https://"), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_is_looked_at_with_its_own_key() {
    let world = World::start().await;
    let found = with_key(&world, &format!("sk_live_hidden,{KEY}"), &[]).await;
    let keys = of(&found, "API keys");
    assert!(keys[0].0 == "wrong" && keys[0].1.starts_with("live mode: a call to Stripe failed"), "{keys:#?}");
    assert_eq!(keys[1..], [("good", "test mode: Stripe accepts the key")]);
    world.control("reset", json!({ "seed": 1, "livemode": true })).await;
    let found = with_key(&world, "sk_live_hidden", &[]).await;
    assert!(only(&found, "permissions").1.starts_with("live mode: the key has"), "{found:#?}");
    assert_eq!(only(&found, "webhook endpoint").0, "wrong", "there is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_disabled_or_lacks_events_is_named() {
    let world = World::start().await;
    let found = with_key(&world, KEY, &[]).await;
    let (level, says) = only(&found, "webhook endpoint");
    assert!(level == "warning" && says.contains("stripe listen"), "{says}");
    endpoint(&world, json!({ "enabled_events": &EVENTS[2..], "disabled": true, "api_version": "2016-07-06" })).await;
    let found = with_key(&world, KEY, &[]).await;
    let found = of(&found, "webhook endpoint");
    let says = |nth: usize, words: &str| assert!(found[nth].1.contains(words), "{found:#?}");
    assert_eq!(found.iter().map(|(level, _)| *level).collect::<Vec<_>>(), ["wrong", "wrong", "warning"]);
    says(0, "https://shop.example/webhooks/stripe is disabled: enable it");
    says(1, "does not send refund.created, refund.updated: add them");
    says(2, "API version 2016-07-06, older than the oldest tested");
    endpoint(&world, json!({ "url": "https://other.example", "api_version": "2026-10-28.endive" })).await;
    let found = with_key(&world, KEY, &[]).await;
    assert!(of(&found, "webhook endpoint").iter().all(|(level, _)| *level != "wrong"), "whose they are is unknown");
    let found = with_key(&world, KEY, &["--endpoint", "https://none.example"]).await;
    assert!(only(&found, "webhook endpoint").1.contains("(it has https://other.example, https://shop"), "{found:#?}");
    let found = with_key(&world, KEY, &["--endpoint", "https://other.example"]).await;
    let (level, says) = only(&found, "webhook endpoint");
    assert!(level == "good" && says.ends_with("in API version 2026-10-28.endive"), "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_not_stripes_is_told() {
    let world = World::start().await;
    for (ahead, level) in [(100, "warning"), (100, "wrong"), (-300, "warning")] {
        world.advance(ahead).await;
        let found = with_key(&world, KEY, &[]).await;
        let (said, says) = only(&found, "Stripe clock");
        assert!(said == level && says.contains("NTP"), "{ahead}: {said}: {says}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_one_line_says_what_was_not_checked() {
    let (_, found) = doctor(&[], &[("STRIPE_API_KEYS", "")]).await;
    let (level, says) = only(&found, "API keys");
    assert!(level == "good" && says.starts_with("none, so") && says.contains("set STRIPE_API_KEYS"), "{says}");
    assert!(
        ["permissions", "webhook endpoint", "Stripe clock", "missed events"].iter().all(|it| of(&found, it).is_empty())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_that_is_away_costs_seconds_and_is_a_finding() {
    let world = World::start().await;
    let fail = async |kind: &str| {
        world.control("faults", json!({ "path": "/v1/*", "kind": kind, "count": 99 })).await;
        let ended = timeout(Duration::from_secs(20), with_key(&world, KEY, &[])).await.expect("it does not hang");
        assert!(only(&ended, "API keys").0 == "wrong" && of(&ended, "permissions").is_empty(), "{kind}: {ended:#?}");
    };
    fail("silence").await;
    let environment = [("STRIPE_API_KEYS", KEY), ("STRIPE_API_BASE", "http://127.0.0.1:1")];
    let (_, found) = timeout(Duration::from_secs(20), doctor(&[], &environment)).await.expect("it does not hang");
    let (level, says) = only(&found, "API keys");
    assert!(level == "wrong" && says.contains("cannot connect") && says.contains("check that"), "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_that_fails_in_the_middle_is_not_asked_for_long() {
    let world = World::start().await;
    let fault = json!({ "path": "/v1/*", "kind": "error_before", "should_retry": false, "skip": 1, "count": 99 });
    world.control("faults", fault).await;
    let found = with_key(&world, KEY, &[]).await;
    assert_eq!((only(&found, "API keys").0, only(&found, "Stripe clock").0), ("good", "good"));
    let permissions = of(&found, "permissions");
    assert!(permissions.len() == 3 && permissions.iter().all(|(level, _)| *level == "warning"), "{permissions:#?}");
    assert!(permissions[0].1.contains("`Events: Read` could not be tried: GET /v1/events: 500"), "{permissions:#?}");
    assert!(
        permissions[2].1.contains("not tried: Charges and Refunds: Write, PaymentIntents: Read"),
        "{permissions:#?}"
    );
    assert_eq!((only(&found, "webhook endpoint").0, only(&found, "missed events").0), ("warning", "warning"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_stripe_has_and_the_ledger_has_not_are_told() {
    let (world, app) = (World::start().await, TestApp::start().await);
    let look = async |db: &Database| {
        let at = world.url.as_str();
        let environment = [("DATABASE_URL", db.url.as_str()), ("STRIPE_API_KEYS", KEY), ("STRIPE_API_BASE", at)];
        let found = doctor(&[], &environment).await.1;
        let (level, says) = only(&found, "missed events");
        (level.to_owned(), says.to_owned())
    };
    assert!(look(&app.db).await.1.contains("lists no event"));
    endpoint(&world, json!({ "url": format!("{}/webhooks/stripe", app.url) })).await;
    world.pay("1000", "pm_card_visa").await;
    app.db.until("select count(*) = 3 from clawback.events").await;
    assert!(look(&app.db).await.1.contains("lists no event"), "it may still be on its way");
    world.advance(61).await;
    let (level, says) = look(&app.db).await;
    assert!(level == "good" && says.contains("was received"), "{says}");
    world.control("webhooks/behaviour", json!({ "lose": 99 })).await;
    world.pay("2000", "pm_card_visa").await;
    world.advance(61).await;
    let (level, says) = look(&app.db).await;
    assert!(level == "warning" && says.contains("the newest received is of 20"), "{says}");
    assert!(says.ends_with("Run `clawback sync`"), "{says}");
}
