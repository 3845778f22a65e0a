//! Promise: what is stuck is mended by ticking it and saying why, once.

use serde_json::json;

use crate::session::Browser;
use crate::world::{NAME, Seeded};

/// A browser on a page, of a service with something stuck.
async fn opened(path: &str) -> Option<(Browser, Seeded)> {
    let (browser, seeded) = (Browser::start().await?, Seeded::open().await);
    seeded.add_stuck().await;
    seeded.enter(&browser, path).await;
    Some((browser, seeded))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_dead_follow_ups_are_requeued_once_by_an_impatient_person() {
    let Some((browser, seeded)) = opened("/follow-ups?state=dead").await else { return };
    let dead = seeded.db().rows("select id from clawback_v1.follow_ups where state = 'dead' order by id").await;
    for row in &dead {
        browser.click(&format!("input[name=id][value='{}']", row["id"])).await;
    }
    browser.click_text("Requeue selected …").await;
    browser.fill("#reason", "The shop is back.").await;
    browser.double_click("main button.primary").await;
    browser.until_found("[data-region=changed] tr[data-key]").await;
    let requeued = "select subject, actor, reason from clawback_v1.actions where action = 'requeue' order by subject";
    let actions = seeded.db().rows(requeued).await;
    let expected = |row: &serde_json::Value| json!({ "subject": row["id"].to_string(), "actor": NAME, "reason": "The shop is back." });
    assert_eq!(actions, dead.iter().map(expected).collect::<Vec<_>>());
    assert_eq!(browser.log().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_event_is_replayed_from_its_page() {
    let Some((browser, seeded)) = opened("/events?state=failed").await else { return };
    browser.click("a[href$='/events/evt_failed']").await;
    browser.click_text("Replay …").await;
    browser.fill("#reason", "Read it again.").await;
    browser.click("main button.primary").await;
    browser.until_found("tr[data-key=evt_failed]").await;
    seeded.db().until("select count(*) = 1 from clawback_v1.actions where subject = 'evt_failed'").await;
    assert_eq!(browser.log().await, [""; 0]);
}
