//! Promise: a person logs in by keyboard alone, and nothing of another site gets in.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use thirtyfour::prelude::Key;
use tokio::net::TcpListener;

use crate::session::{Browser, Scripts};
use crate::world::{NAME, PASSWORD, Seeded};

#[tokio::test(flavor = "multi_thread")]
async fn somebody_logs_in_by_keyboard_alone_and_comes_to_the_page_that_was_asked_for() {
    let Some(browser) = Browser::start().await else { return };
    let seeded = Seeded::open().await;
    browser.open(&seeded.at("/disputes?phase=chargeback")).await;
    browser.until_found("#name:focus").await;
    browser.press(NAME.to_owned() + Key::Tab + PASSWORD + Key::Enter).await;
    browser.until_found(".account").await;
    assert_eq!(browser.path().await, "/disputes?phase=chargeback");
    // The first stop of the keyboard leads past the navigation.
    browser.press(Key::Tab).await;
    browser.press(Key::Enter).await;
    assert_eq!(browser.value("location.hash").await, "#main");
    assert_eq!(browser.log().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_says_so_and_without_a_script_all_is_the_same() {
    let Some(browser) = Browser::start_with(Scripts::Off).await else { return };
    let seeded = Seeded::open().await;
    browser.open(&seeded.at("/login")).await;
    browser.fill("#name", NAME).await;
    browser.fill("#password", "something else entirely").await;
    browser.click("main button[type=submit]").await;
    browser.until_found("#problem").await;
    seeded.enter(&browser, "/disputes").await;
    browser.click(".account summary").await;
    browser.click_text("Log out").await;
    browser.until_found("#password").await;
}

/// A page of another origin that sends a form to the console, and shows it in a frame.
async fn foreign(target: &str, frame: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let page = format!(
        "<!doctype html><title>Elsewhere</title><form action='{target}' method=post><button>Win</button></form>
         <iframe src='{frame}'></iframe>"
    );
    let router = Router::new().route("/", get(async move || Html(page)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_can_neither_send_a_form_nor_show_the_console_in_a_frame() {
    let Some(browser) = Browser::start().await else { return };
    let seeded = Seeded::open().await;
    seeded.enter(&browser, "/disputes").await;
    browser.open(&foreign(&seeded.at("/logout"), &seeded.at("/disputes")).await).await;
    assert_eq!(browser.value("document.querySelector('iframe').contentDocument").await, serde_json::Value::Null);
    let refused = browser.log().await;
    assert!(refused.iter().any(|line| line.contains("frame-ancestors")), "{refused:?}");
    browser.click_text("Win").await;
    browser.until("document.title.startsWith('Not allowed')").await;
    browser.open(&seeded.at("/disputes")).await;
    browser.until_found(".account").await;
}
