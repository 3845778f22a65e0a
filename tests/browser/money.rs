//! Promise: money goes back once, however often somebody clicks; a payment is linked to its order, and found by the
//! e-mail address of its buyer.

use serde_json::json;
use thirtyfour::prelude::Key;

use crate::session::Browser;
use crate::world::{NAME, PAID, Seeded};

/// The page that asks how much of the payment of an order is refunded, found by the search.
async fn opened() -> Option<(Browser, Seeded)> {
    let (browser, seeded) = (Browser::start().await?, Seeded::open().await);
    seeded.enter(&browser, "/").await;
    browser.press("/").await;
    browser.press(PAID.to_owned() + Key::Enter).await;
    browser.click("a[href$='/refund']").await;
    browser.until_found("#amount").await;
    Some((browser, seeded))
}

async fn review(browser: &Browser, amount: &str) {
    browser.find("#amount").await.clear().await.expect("an empty field");
    browser.fill("#amount", amount).await;
    browser.click("main button.primary").await;
}

/// The amounts of all requests, and who made them.
async fn requests(seeded: &Seeded) -> Vec<serde_json::Value> {
    seeded.db().rows("select amount, actor from clawback_v1.refund_requests order by created_at").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_refunds_once_and_so_does_the_form_sent_again() {
    let Some((browser, seeded)) = opened().await else { return };
    review(&browser, "1,234").await;
    browser.until_found("#problems:focus").await;
    assert_eq!(browser.value("amount.value").await, "1,234");
    // Refused pages are logged as failed requests.
    browser.log().await;
    review(&browser, "4.00").await;
    browser.until_found("form[action$='/refund'] input[name=left]").await;
    // The form as it is now, to be sent once more later.
    browser.run("sessionStorage.form = document.querySelector('form[action$=\"/refund\"]').outerHTML").await;
    browser.double_click("form[action$='/refund'] button").await;
    browser.until("location.pathname.startsWith('/refunds/')").await;
    let request = browser.path().await;
    assert_eq!(requests(&seeded).await, [json!({ "amount": 400, "actor": NAME })]);
    browser.run("document.querySelector('main').innerHTML = sessionStorage.form").await;
    browser.click("main form button").await;
    browser.until("document.querySelector('form[action$=\"/refund\"]') === null").await;
    assert_eq!(browser.path().await, request);
    assert_eq!(requests(&seeded).await.len(), 1);
    seeded.shop.until(request.trim_start_matches("/refunds/"), "succeeded").await;
    assert_eq!(browser.log().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_and_sending_the_page_again_refunds_once() {
    let Some((browser, seeded)) = opened().await else { return };
    review(&browser, "4.00").await;
    browser.click("form[action$='/refund'] button").await;
    browser.until("location.pathname.startsWith('/refunds/')").await;
    let request = browser.path().await;
    browser.driver().back().await.expect("the page before");
    browser.driver().refresh().await.expect("the form is sent again");
    browser.until("location.pathname.endsWith('/review')").await;
    browser.click("form[action$='/refund'] button").await;
    browser.until("location.pathname.startsWith('/refunds/')").await;
    assert_eq!(browser.path().await, request);
    assert_eq!(requests(&seeded).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_without_an_order_is_linked_to_one() {
    let Some(browser) = Browser::start().await else { return };
    let seeded = Seeded::open().await;
    seeded.add_stuck().await;
    seeded.enter(&browser, "/unlinked").await;
    browser.click("a[href$='/payments/ch_unlinked/link']").await;
    browser.fill("#order", "W-30001").await;
    browser.click("main form button").await;
    browser.until_found("main form[method=post]").await;
    browser.click("#is_new").await;
    browser.click("main form[method=post] button").await;
    seeded.db().until("select exists (select from clawback_v1.orders where order_id = 'W-30001')").await;
    let linked = "select actor, action from clawback_v1.actions where subject = 'ch_unlinked'";
    assert_eq!(seeded.db().rows(linked).await, [json!({ "actor": NAME, "action": "link" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_found_by_the_e_mail_address_of_its_buyer() {
    let Some(browser) = Browser::start().await else { return };
    let seeded = Seeded::open().await;
    seeded.shop.app.live("paid", "W-30002").await;
    let known = "select payment_id, email from clawback_v1.payment_people join clawback_v1.payments using (payment_id)
                 where order_id = 'W-30002'";
    let known = seeded.db().rows(known).await.remove(0);
    let text = |name: &str| known[name].as_str().expect(name).to_owned();
    seeded.enter(&browser, "/").await;
    browser.fill("#q", &text("email").to_uppercase()).await;
    browser.press(Key::Enter).await;
    browser.until_found("main table").await;
    assert!(browser.text("main table").await.contains(&text("payment_id")));
    assert_eq!(browser.log().await, [""; 0]);
}
