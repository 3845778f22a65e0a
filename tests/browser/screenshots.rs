//! Pictures of the console, for README and docs: `make screenshots`. Without `CLAWBACK_SCREENSHOTS`, the folder that
//! they go to, none are taken.

use std::path::Path;
use std::{env, fs};

use crate::session::{Browser, Scheme};
use crate::world::{NOT_RECEIVED, PAID, Seeded};

/// Width and height of a window on a desk, and of a phone.
const SIZES: [(u32, u32); 2] = [(1280, 860), (360, 780)];

#[tokio::test(flavor = "multi_thread")]
async fn every_picture_is_taken() {
    let Some(folder) = env::var_os("CLAWBACK_SCREENSHOTS") else { return };
    let Some(browser) = Browser::start().await else { return };
    let seeded = Seeded::full().await;
    let dispute = seeded.dispute(NOT_RECEIVED).await;
    let pages = [
        ("log-in", "/login".to_owned()),
        ("today", "/".to_owned()),
        ("disputes", "/disputes".to_owned()),
        ("dispute", format!("/disputes/{dispute}")),
        ("evidence", format!("/disputes/{dispute}/evidence")),
        ("submit", format!("/disputes/{dispute}/submit")),
        ("accept", format!("/disputes/{dispute}/accept")),
        ("order", format!("/orders?id={PAID}")),
        ("orders", "/orders".to_owned()),
        ("refunds", "/refunds".to_owned()),
        ("follow-ups", "/follow-ups".to_owned()),
        ("events", "/events".to_owned()),
        ("activity", "/activity".to_owned()),
        ("health", "/health".to_owned()),
        ("outcomes", "/outcomes?mode=test".to_owned()),
    ];
    browser.open(&seeded.at("/login")).await;
    for (name, path) in pages {
        take(&browser, Path::new(&folder), name, &path).await;
        if name == "log-in" {
            seeded.enter(&browser, "/disputes").await;
        }
    }
}

/// One page in both schemes and at both widths.
async fn take(browser: &Browser, folder: &Path, name: &str, path: &str) {
    for (scheme, suffix) in [(Scheme::Light, ""), (Scheme::Dark, "-dark")] {
        for (width, height) in SIZES {
            browser.set_scheme(scheme).await;
            browser.set_width(width, height).await;
            browser.open_path(path).await;
            let picture = browser.driver().screenshot_as_png().await.expect("a picture");
            fs::write(folder.join(format!("{name}-{width}{suffix}.png")), picture).expect("a file");
        }
    }
}
