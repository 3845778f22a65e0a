//! Promise: a page of the console that stays open is up to date, asks nothing while nobody sees it, and survives the end
//! of its session.

use crate::session::Browser;
use crate::world::{NAME, PASSWORD, Seeded};

/// The rows of the page.
const ROWS: &str = "document.querySelectorAll('tr[data-key]').length";

/// A browser that shows the disputes, with timers that run fast.
async fn opened() -> Option<(Browser, Seeded)> {
    let (browser, seeded) = (Browser::start().await?, Seeded::open().await);
    browser.hurry().await;
    seeded.enter(&browser, "/disputes").await;
    Some((browser, seeded))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_arrives_appears_by_itself_and_a_filter_that_is_typed_stays() {
    let Some((browser, seeded)) = opened().await else { return };
    let before = browser.value(ROWS).await.as_u64().expect("a number");
    browser.fill("[name=order]", "typed").await;
    seeded.shop.app.live("chargeback-open", "W-1").await;
    browser.until(&format!("{ROWS} === {}", before + 1)).await;
    assert_eq!(browser.text("[data-news]").await, "1 new row");
    assert_eq!(browser.value("document.querySelector('[name=order]').value").await, "typed");
    assert_eq!(browser.log().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_a_window_that_is_hidden_asks_for_nothing() {
    let Some((browser, _seeded)) = opened().await else { return };
    let asked = "performance.getEntriesByType('resource').filter(({ initiatorType: by }) => by === 'fetch').length";
    browser.until(&format!("{asked} > 0")).await;
    browser.driver().minimize_window().await.expect("a hidden window");
    browser.until("document.hidden").await;
    // Longer than a request that was under way.
    browser.run("window.turns = 0").await;
    browser.until("window.turns > 1").await;
    let before = browser.value(asked).await;
    browser.run("window.turns = 0").await;
    browser.until("window.turns > 2").await;
    assert_eq!(browser.value(asked).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_ended_session_says_so_and_goes_on_after_a_log_in_in_another_tab() {
    let Some((browser, seeded)) = opened().await else { return };
    seeded.db().execute("delete from clawback.console_sessions").await;
    browser.until("!document.querySelector('[data-logged-out]').hidden").await;
    assert_eq!(browser.path().await, "/disputes");
    let page = browser.driver().window().await.expect("a tab");
    browser.click("[data-logged-out] a").await;
    let tabs = browser.driver().windows().await.expect("tabs");
    let other = tabs.into_iter().find(|tab| *tab != page).expect("a new tab");
    browser.driver().switch_to_window(other).await.expect("the new tab");
    browser.fill("#name", NAME).await;
    browser.fill("#password", PASSWORD).await;
    browser.click("main button[type=submit]").await;
    browser.until("!location.pathname.startsWith('/login')").await;
    browser.driver().close_window().await.expect("the tab closes");
    browser.driver().switch_to_window(page).await.expect("the page");
    browser.until("document.querySelector('[data-logged-out]').hidden").await;
}
