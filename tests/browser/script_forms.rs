//! Promise: what somebody types is counted, kept and warned about; times, keys and the copy button help and do no more.

use serde_json::json;
use thirtyfour::prelude::Key;

use crate::bench::Mood;
use crate::script::opened;

#[tokio::test(flavor = "multi_thread")]
async fn characters_are_counted_as_the_server_counts_them() {
    let Some((browser, _)) = opened().await else { return };
    assert_eq!(browser.text("[data-count-of=text]").await, "0 of 12");
    // A character outside of the basic plane is two units of a browser's string.
    browser
        .run("text.value = '𝄞é\\n' + 'x'.repeat(9); text.dispatchEvent(new Event('input', { bubbles: true }))")
        .await;
    assert_eq!(browser.text("[data-count-of=text]").await, "12 of 12");
    assert_eq!(browser.value("document.querySelector('[data-over]') === null").await, true);
    browser.fill("#text", "y").await;
    assert_eq!(browser.text("[data-count-of=text][data-over]").await, "13 of 12");
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_text_is_warned_about_on_leaving_and_not_on_saving() {
    let Some((browser, bench)) = opened().await else { return };
    let warns = "!dispatchEvent(new Event('beforeunload', { cancelable: true }))";
    assert_eq!(browser.value(warns).await, false);
    browser.fill("#text", "typed").await;
    assert_eq!(browser.value(warns).await, true);
    browser.run("addEventListener('pagehide', () => { localStorage.warned = String(!dispatchEvent(new Event('beforeunload', { cancelable: true }))); })").await;
    browser.click_text("Save").await;
    browser.until("document.body.textContent === 'saved'").await;
    assert_eq!(browser.value("localStorage.warned").await, "false");
    assert_eq!(bench.saved(), ["text=typed&verb=save"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_an_ended_session_stays_with_what_was_typed() {
    let Some((browser, bench)) = opened().await else { return };
    bench.set(Mood::LoggedOut);
    browser.fill("#text", "typed").await;
    browser.click_text("Save").await;
    browser.until("!document.querySelector('[data-logged-out]').hidden").await;
    assert_eq!(browser.value("text.value").await, "typed");
    assert_eq!(bench.saved(), [""; 0]);
    bench.set(Mood::Well);
    browser.click_text("Save").await;
    browser.until("document.body.textContent === 'saved'").await;
    assert_eq!(bench.saved(), ["text=typed&verb=save"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_get_the_local_time_and_a_distance_that_runs() {
    let Some((browser, _)) = opened().await else { return };
    assert_eq!(browser.value("due.title").await, "2020-12-05 00:59 Europe/Berlin");
    assert_eq!(browser.text(".local").await, "2020-12-05 00:59 CET");
    let days = browser.value("Math.trunc((Date.now() - new Date('2020-12-04T23:59:00Z')) / 86_400_000)").await;
    let shown = browser.text("#deadline").await;
    assert!(shown.starts_with(&format!("overdue {days} d")), "{shown}");
    let shown = browser.text("#seen").await;
    assert!(shown.starts_with(&format!("{days} d")) && shown.ends_with(" ago"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_move_open_and_find_unless_somebody_types() {
    let Some((browser, _)) = opened().await else { return };
    browser.press("jj").await;
    assert_eq!(browser.value("document.activeElement.textContent").await, "two");
    browser.press("k").await;
    assert_eq!(browser.value("document.activeElement.textContent").await, "one");
    browser.press(Key::Escape).await;
    browser.press("?").await;
    browser.until("document.querySelector('#keys').open").await;
    browser.press(Key::Escape).await;
    browser.until("!document.querySelector('#keys').open").await;
    browser.press("/gd").await;
    assert_eq!(browser.value("q.value").await, "gd");
    browser.press(Key::Escape).await;
    browser.run("document.activeElement.blur()").await;
    browser.press("gd").await;
    browser.until("location.pathname === '/disputes'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_with_the_focus_is_opened() {
    let Some((browser, _)) = opened().await else { return };
    browser.press("jj").await;
    browser.press(Key::Enter).await;
    browser.until("location.pathname === '/rows/two'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_off_when_they_are_switched_off_here_and_on_the_next_page() {
    let Some((browser, bench)) = opened().await else { return };
    browser.click("[data-keys] input").await;
    browser.run("document.activeElement.blur()").await;
    browser.press("gd").await;
    browser.open(&bench.url).await;
    assert_eq!(browser.value("document.querySelector('[data-keys] input').checked").await, false);
    browser.press("j").await;
    assert_eq!(browser.value("document.activeElement === document.body").await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_copies_with_and_without_a_clipboard() {
    let Some((browser, _)) = opened().await else { return };
    let reading = json!({ "permissions": ["clipboardReadWrite"] });
    browser.devtools("Browser.grantPermissions", &reading).await;
    for (id, clipboard) in [("1", "{}"), ("2", "Object.defineProperty(navigator, 'clipboard', { configurable: true })")]
    {
        browser.run(&format!("{clipboard}; payload.textContent = {id}; news.textContent = ''")).await;
        browser.click_text("Copy").await;
        browser.until("news.textContent === 'Copied'").await;
        browser.run("delete navigator.clipboard").await;
        assert_eq!(browser.value("navigator.clipboard.readText()").await, id);
    }
    assert_eq!(browser.log().await, [""; 0]);
}
