//! Promise: an open page shows what is new, and never takes away what somebody uses.

use std::sync::Arc;

use crate::bench::{Bench, Mood};
use crate::session::Browser;

/// A browser with the page open.
pub async fn opened() -> Option<(Browser, Arc<Bench>)> {
    let (browser, bench) = (Browser::start().await?, Bench::start().await);
    browser.hurry().await;
    browser.open(&bench.url).await;
    Some((browser, bench))
}

/// Waits for a turn of the script that begins after this call, and ends: the next one has begun.
async fn until_turned(browser: &Browser) {
    let turns = browser.value("window.turns").await.as_u64().expect("a number");
    browser.until(&format!("window.turns >= {}", turns + 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rows_appear_and_are_announced() {
    let Some((browser, bench)) = opened().await else { return };
    bench.add("three");
    browser.until("document.querySelector('tr').dataset.key === 'three'").await;
    assert_eq!(browser.text("[data-news]").await, "1 new row");
    assert_ne!(browser.text("[data-as-of]").await, "00:00:00 UTC");
    assert_eq!(browser.log().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_news_is_asked_for_by_its_tag() {
    let Some((browser, bench)) = opened().await else { return };
    until_turned(&browser).await;
    browser.run("window.row = document.querySelector('tr')").await;
    until_turned(&browser).await;
    assert!(bench.unchanged() > 0);
    assert_eq!(browser.value("window.row === document.querySelector('tr')").await, true);
    assert_eq!(browser.text("[data-news]").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_each_time_whether_it_is_refreshed() {
    let Some((browser, bench)) = opened().await else { return };
    bench.set(Mood::Still);
    bench.add("three");
    browser.until("document.querySelector('tr').dataset.key === 'three'").await;
    assert_eq!(browser.value("document.querySelector('main').dataset.live ?? 'never'").await, "never");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_leaves_ticks_focus_selection_and_open_details() {
    let Some((browser, bench)) = opened().await else { return };
    for (used, left) in [
        ("document.querySelector('[value=two]').click()", "document.querySelector('[value=two]').click()"),
        ("document.querySelector('tr a').focus()", "document.activeElement.blur()"),
        ("getSelection().selectAllChildren(document.querySelector('tr'))", "getSelection().removeAllRanges()"),
    ] {
        browser.run(used).await;
        bench.add("new");
        until_turned(&browser).await;
        assert_eq!(browser.value("document.querySelector('[data-key=new]')").await, serde_json::Value::Null, "{used}");
        // What else is in the page is refreshed.
        browser.run("document.querySelector('#seen').textContent = 'old'").await;
        browser.until("document.querySelector('#seen').textContent !== 'old'").await;
        browser.run(left).await;
        browser.until("document.querySelector('[data-key=new]') !== null").await;
        bench.remove("new");
        browser.until("document.querySelector('[data-key=new]') === null").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_keeps_details_open_and_the_page_where_it_was_scrolled() {
    let Some((browser, bench)) = opened().await else { return };
    for n in 0..100 {
        bench.add(&format!("row-{n}"));
    }
    browser.until("document.querySelectorAll('tr').length === 102").await;
    browser.click("summary").await;
    browser.run("document.activeElement.blur(); scrollTo(0, 600)").await;
    bench.add("three");
    browser.until("document.querySelector('tr').dataset.key === 'three'").await;
    assert_eq!(browser.value("document.querySelector('details').open").await, true);
    assert!(browser.value("scrollY > 500").await == true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_page_a_paused_page_and_one_with_a_dialog_ask_nothing() {
    let Some((browser, bench)) = opened().await else { return };
    for (stop, go_on) in [
        ("document.querySelector('[data-pause]').click()", "document.querySelector('[data-pause]').click()"),
        ("document.querySelector('dialog').showModal()", "document.querySelector('dialog').close()"),
        ("Object.defineProperty(document, 'hidden', { value: true, configurable: true })", "delete document.hidden"),
    ] {
        browser.run(stop).await;
        // A request may have been under way.
        until_turned(&browser).await;
        let before = bench.refreshes();
        until_turned(&browser).await;
        assert_eq!(bench.refreshes(), before, "{stop}");
        browser.run(go_on).await;
        until_turned(&browser).await;
        assert!(bench.refreshes() > before, "{go_on}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_refreshed_says_since_when() {
    let Some((browser, bench)) = opened().await else { return };
    bench.set(Mood::Broken);
    browser.until("!document.querySelector('[data-stale]').hidden").await;
    let said = browser.text("[data-stale]").await;
    assert!(said.starts_with("Not refreshed since ") && said.ends_with(" UTC"), "{said}");
    bench.set(Mood::Well);
    browser.until("document.querySelector('[data-stale]').hidden").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_session_ended_offers_to_log_in_and_stays() {
    let Some((browser, bench)) = opened().await else { return };
    bench.set(Mood::LoggedOut);
    browser.until("!document.querySelector('[data-logged-out]').hidden").await;
    assert_eq!(browser.value("document.querySelector('[data-stale]').hidden").await, true);
    assert_eq!(browser.path().await, "/page");
    bench.set(Mood::Well);
    browser.until("document.querySelector('[data-logged-out]').hidden").await;
}
