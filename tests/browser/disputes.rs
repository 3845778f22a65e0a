//! Promise: a dispute is answered in the browser: long texts, files, two people at once, and one submission.

use std::path::PathBuf;
use std::{env, fs, process};

use serde_json::json;

use crate::session::Browser;
use crate::world::{NOT_RECEIVED, Seeded};

/// The least that a PDF is: one page.
const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n164\n%%EOF\n";

/// A file to attach, which is removed at the end.
struct Document(PathBuf);

impl Document {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("{}-{name}", process::id()));
        fs::write(&path, PDF).expect("a file");
        Self(path)
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// A field of the draft, as it is stored.
async fn stored(seeded: &Seeded, dispute: &str, field: &str) -> serde_json::Value {
    let query = format!("select fields->>'{field}' from clawback_v1.dispute_responses where dispute_id = '{dispute}'");
    seeded.db().value(&query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_just_the_longest_length_is_saved_and_a_file_is_attached() {
    let Some(browser) = Browser::start().await else { return };
    let (seeded, document) = (Seeded::open().await, Document::new("receipt.pdf"));
    let dispute = seeded.dispute(NOT_RECEIVED).await;
    seeded.enter(&browser, "/").await;
    browser.click(&format!("a[href$='/disputes/{dispute}']")).await;
    browser.click_text("Write the evidence").await;
    browser.click("#other-fields summary").await;
    // A line break is two characters in a form, and one to Stripe.
    browser.run("uncategorized_text.value = '\\n'.repeat(10_000) + 'x'.repeat(9_999)").await;
    browser.fill("#uncategorized_text", "é").await;
    assert_eq!(browser.text("[data-count-of=uncategorized_text]").await, "20,000 of 20,000");
    browser.click_text("Save the draft").await;
    browser.until("uncategorized_text.defaultValue.endsWith('xé')").await;
    let text = stored(&seeded, &dispute, "uncategorized_text").await;
    assert_eq!(text.as_str().map(|text| text.chars().count()), Some(20_000));
    browser.fill("#file-shipping_documentation", &document.0.to_string_lossy()).await;
    browser.click("form[action$='/files/shipping_documentation'] button").await;
    browser.until("document.body.textContent.includes('receipt.pdf')").await;
    assert_eq!(browser.log().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_saves_second_sees_both_texts_and_loses_none() {
    let Some(browser) = Browser::start().await else { return };
    let seeded = Seeded::open().await;
    let dispute = seeded.dispute(NOT_RECEIVED).await;
    let path = format!("/disputes/{dispute}/evidence");
    seeded.enter(&browser, &path).await;
    browser.fill("#shipping_carrier", "mine").await;
    let mine = browser.driver().window().await.expect("a window");
    let other = browser.driver().new_window().await.expect("a window");
    browser.driver().switch_to_window(other).await.expect("the other window");
    browser.open(&seeded.at(&path)).await;
    browser.fill("#shipping_carrier", "theirs").await;
    browser.click_text("Save the draft").await;
    browser.until("shipping_carrier.defaultValue === 'theirs'").await;
    browser.driver().switch_to_window(mine).await.expect("my window");
    browser.click_text("Save the draft").await;
    browser.until_found("#problems:focus").await;
    assert_eq!(browser.value("shipping_carrier.value").await, "mine");
    assert!(browser.text("fieldset").await.contains("theirs"));
    assert_eq!(stored(&seeded, &dispute, "shipping_carrier").await, json!("theirs"));
    browser.click_text("Save the draft").await;
    browser.until("document.querySelector('#problems') === null && shipping_carrier.value === 'mine'").await;
    assert_eq!(stored(&seeded, &dispute, "shipping_carrier").await, json!("mine"));
}
