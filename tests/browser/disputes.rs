//! Promise: a dispute is answered in the browser: long texts, files, two people at once, and one submission.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use serde_json::json;

use crate::session::{Browser, Scripts};
use crate::world::{FRAUDULENT, NAME, NOT_RECEIVED, Seeded};

/// The least that a PDF is: one page.
const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n164\n%%EOF\n";

static DOCUMENTS: AtomicU32 = AtomicU32::new(0);

/// A file to attach, which is removed at the end.
struct Document(PathBuf);

impl Document {
    fn new(name: &str) -> Self {
        let number = DOCUMENTS.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("{}-{number}-{name}", process::id()));
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

/// Fills in a draft, attaches two files, submits, and waits until the page says so.
async fn answer(browser: &Browser, seeded: &Seeded) {
    let (receipt, proof) = (Document::new("receipt.pdf"), Document::new("proof.pdf"));
    let dispute = seeded.dispute(NOT_RECEIVED).await;
    seeded.enter(browser, "/").await;
    browser.click(&format!("a[href$='/disputes/{dispute}']")).await;
    browser.click_text("Write the evidence").await;
    for (field, text) in [
        ("#shipping_tracking_number", "00340434161094022115"),
        ("#shipping_carrier", "DHL"),
        ("#shipping_address", "Musterweg 1, 20095 Hamburg"),
        ("#shipping_date", "2026-11-20"),
    ] {
        browser.fill(field, text).await;
    }
    browser.click_text("Save the draft").await;
    browser.until("shipping_date.defaultValue === '2026-11-20'").await;
    for (field, document) in [("receipt", &receipt), ("shipping_documentation", &proof)] {
        browser.fill(&format!("#file-{field}"), &document.0.to_string_lossy()).await;
        browser.click(&format!("form[action$='/files/{field}'] button")).await;
        browser.until_found(&format!("form[action$='/files/{field}/remove']")).await;
    }
    // A moment later the pages of the files are counted, against Stripe's limit.
    seeded.db().until("select bool_and(pages = 1) from clawback.evidence_files").await;
    browser.open_path(&format!("/disputes/{dispute}/submit")).await;
    browser.click("main button.primary").await;
    // Without the tick it is refused.
    browser.until_found("#problems").await;
    browser.click("#final").await;
    browser.double_click("main button.primary").await;
    browser.until(&format!("location.pathname.endsWith('/disputes/{dispute}')")).await;
    let submitted = format!(
        "select count(*) = 1 from clawback_v1.dispute_responses where dispute_id = '{dispute}' and state = 'submitted'"
    );
    seeded.db().until(&submitted).await;
    let at_stripe = seeded.shop.world.get(&format!("/v1/disputes/{dispute}"), &[]).await.body;
    assert_eq!(at_stripe["evidence_details"]["submission_count"], 1);
    assert_eq!(at_stripe["evidence"]["shipping_carrier"], "DHL");
    for file in ["receipt", "shipping_documentation"] {
        assert!(at_stripe["evidence"][file].is_string(), "{file}: {at_stripe}");
    }
    let who =
        "select distinct actor from clawback_v1.actions where action in ('submit_evidence', 'attach_evidence_file')";
    assert_eq!(seeded.db().rows(who).await, [json!({ "actor": NAME })]);
    browser.open_path(&format!("/disputes/{dispute}")).await;
    browser.until("document.querySelector('main').textContent.includes('submitted')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_goes_from_today_to_submitted_with_two_files() {
    let Some(browser) = Browser::start().await else { return };
    answer(&browser, &Seeded::open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_goes_from_today_to_submitted_without_a_script() {
    let Some(browser) = Browser::start_with(Scripts::Off).await else { return };
    answer(&browser, &Seeded::open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_accepted_with_its_amount_and_not_with_another() {
    let Some(browser) = Browser::start().await else { return };
    let seeded = Seeded::open().await;
    let dispute = seeded.dispute(FRAUDULENT).await;
    seeded.enter(&browser, &format!("/disputes/{dispute}")).await;
    browser.click_text("Accept the loss").await;
    browser.fill("#amount", "12.90").await;
    browser.click_text("Accept as lost").await;
    browser.until_found("#problems:focus").await;
    assert_eq!(browser.value("amount.value").await, "12.90");
    browser.find("#amount").await.clear().await.expect("an empty field");
    browser.fill("#amount", "129,00").await;
    browser.click_text("Accept as lost").await;
    let lost =
        format!("select exists (select from clawback_v1.disputes where dispute_id = '{dispute}' and status = 'lost')");
    seeded.db().until(&lost).await;
    let accepted =
        format!("select actor from clawback_v1.actions where action = 'accept_dispute' and subject = '{dispute}'");
    assert_eq!(seeded.db().rows(&accepted).await, [json!({ "actor": NAME })]);
}
