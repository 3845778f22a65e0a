//! Promise: secrets in files are rotated by SIGHUP, without a restart and without a delivery that is refused.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clawback::stripe::signature::{Secret, sign_with};
use serde_json::json;
use tokio::task::yield_now;

use crate::binary::Serving;
use crate::bodies::{charge, event};
use crate::harness::{Database, client, unix_now};

const OLD: &str = "whsec_of_last_year";
const NEW: &str = "whsec_of_this_year";

/// A file of its own, which goes when it is dropped.
struct SecretFile(PathBuf);

impl SecretFile {
    fn new(name: &str, text: &str) -> Self {
        let file = Self(std::env::temp_dir().join(format!("clawback-{name}-{}", std::process::id())));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.0, text).expect("it is written");
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// The status of a delivery that is signed with these secrets, as Stripe does while one is rolled.
async fn deliver(serving: &Serving, id: &str, secrets: &[&str]) -> u16 {
    let body = event(id, 1, &charge("ch_1", json!({})));
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::from_key(secret)).collect();
    let header = sign_with(&secrets, unix_now(), body.as_bytes());
    let url = format!("http://{}/webhooks/stripe", serving.address);
    let sent = client().post(url).header("Stripe-Signature", header).body(body).send().await;
    sent.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_secret_is_rotated_without_a_restart_or_a_refused_delivery() {
    let db = Database::migrated().await;
    let file = SecretFile::new("rotated", OLD);
    let environment = [("STRIPE_WEBHOOK_SECRETS", ""), ("STRIPE_WEBHOOK_SECRETS_FILE", file.path())];
    let serving = Serving::start(&db.url, &environment).await;
    assert_eq!(deliver(&serving, "evt_old", &[OLD]).await, 200);
    assert_eq!(deliver(&serving, "evt_early", &[NEW]).await, 400);
    let rotation = async {
        for (n, secrets) in ["whsec_of_this_year,whsec_of_last_year", NEW].into_iter().enumerate() {
            file.write(secrets);
            serving.hang_up().await;
            serving.until_logged("secrets read again", n + 1).await;
            yield_now().await;
        }
    };
    let mut delivered = 0;
    let deliveries = async {
        loop {
            let id = format!("evt_{delivered}");
            assert_eq!(deliver(&serving, &id, &[OLD, NEW]).await, 200, "{id}");
            delivered += 1;
        }
    };
    tokio::select! {
        () = deliveries => {},
        () = rotation => {},
    }
    assert_eq!(deliver(&serving, "evt_late", &[OLD]).await, 400);
    assert_eq!(deliver(&serving, "evt_new", &[NEW]).await, 200);
    let stored = db.value("select count(*) from clawback.events where event_id ~ '^evt_[0-9]+$'").await;
    assert!(stored.as_i64() >= Some(delivered), "{stored} of {delivered}");
    let ended = serving.terminate(Duration::from_secs(10)).await;
    assert!(
        ended.stdout.contains("signing secrets: 2 for any mode, 0 for live mode, 0 for test mode"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("whsec_"), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_a_mistake_leaves_the_former_secrets_in_use_and_is_logged_once_without_them() {
    let db = Database::migrated().await;
    let (file, keys) = (SecretFile::new("mistaken", OLD), SecretFile::new("keys", "rk_test_of_last_year"));
    let environment = [
        ("STRIPE_WEBHOOK_SECRETS", ""),
        ("STRIPE_WEBHOOK_SECRETS_FILE", file.path()),
        ("STRIPE_API_KEYS_FILE", keys.path()),
        ("STRIPE_API_BASE", "http://127.0.0.1:1"),
    ];
    let serving = Serving::start(&db.url, &environment).await;
    let refused = "secrets not read again, the former ones stay in use";
    let mistakes = [("of_this_year", "rk_test_new"), ("", "rk_test_new"), (NEW, "rk_live_new"), (NEW, "pk_test_new")];
    for (n, (secrets, key)) in mistakes.into_iter().enumerate() {
        file.write(secrets);
        keys.write(key);
        serving.hang_up().await;
        serving.until_logged(refused, n + 1).await;
        assert_eq!(deliver(&serving, &format!("evt_{n}"), &[OLD]).await, 200, "{secrets} {key}");
        assert_eq!(deliver(&serving, "evt_new", &[NEW]).await, 400, "all or nothing");
    }
    fs::remove_file(&file.0).expect("it was there");
    serving.hang_up().await;
    serving.until_logged(refused, mistakes.len() + 1).await;
    assert_eq!(deliver(&serving, "evt_removed", &[OLD]).await, 200);
    let ended = serving.terminate(Duration::from_secs(10)).await;
    let errors: Vec<&str> = ended.stdout.lines().filter(|line| line.contains(refused)).collect();
    assert_eq!(errors.len(), mistakes.len() + 1, "one line each: {errors:#?}");
    for (named, error) in
        ["does not begin with `whsec_`", "STRIPE_WEBHOOK_SECRETS", "other modes", "STRIPE_API_KEYS", file.path()]
            .into_iter()
            .zip(errors)
    {
        assert!(error.contains(named), "{named}: {error}");
        assert!(!error.contains("this_year") && !error.contains("_new"), "{error}");
    }
}
