//! Promise: in the console a dispute is answered from the list to `submitted`, each change once and by the person who made
//! it; what is refused is said beside its field, and what was typed is never lost.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::console_client::{Answer, Console, Visitor, attributes, hidden};
use crate::evidence::PDF;
use crate::refund_shop::Shop;

const TOKEN: &str = "pm_card_createDisputeProductNotReceived";

/// A dispute at a shop with a console, and a person who answers it.
pub struct Scene {
    pub shop: Shop,
    console: Console,
    pub boss: Visitor,
    id: String,
}

impl Scene {
    pub async fn open() -> Self {
        let shop = Shop::open().await;
        let id = shop.disputed("o_1", TOKEN).await;
        let console = Console::open(&shop.app.db).await;
        let boss = console.visitor(&shop.app.db, "boss").await;
        Self { shop, console, boss, id }
    }

    pub fn at(&self, page: &str) -> String {
        format!("/disputes/{}{page}", self.id)
    }

    /// The page of evidence that says that this was done.
    pub fn did(&self, word: &str) -> String {
        self.at(&format!("/evidence?did={word}"))
    }

    pub async fn evidence(&self) -> String {
        self.boss.page(&self.at("/evidence")).await
    }

    /// Saves texts as a browser does after the page was opened.
    pub async fn save(&self, page: &str, texts: &[(&str, &str)]) -> Answer {
        save(&self.boss, &self.at("/evidence"), page, texts).await
    }

    /// The state and version of the response.
    async fn response(&self) -> Value {
        let rows = format!("select state, version from clawback_v1.dispute_responses where dispute_id = '{}'", self.id);
        self.shop.app.db.rows(&rows).await.pop().unwrap_or(Value::Null)
    }

    pub async fn text(&self, field: &str) -> Value {
        let text =
            format!("select fields ->> '{field}' from clawback_v1.dispute_responses where dispute_id = '{}'", self.id);
        self.shop.app.db.value(&text).await
    }

    /// Who did what about the dispute, in order.
    pub async fn done(&self) -> Vec<Value> {
        let rows = format!(
            "select actor, via, action from clawback_v1.actions where subject = '{}' and via = 'console' order by id",
            self.id
        );
        self.shop.app.db.rows(&rows).await
    }

    /// Begins to send a file, and sends no more once the server reads it.
    pub async fn begin_upload(&self) -> TcpStream {
        let address = self.boss.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {address}\r\nCookie: {}\r\nSec-Fetch-Site: same-origin\r\n\
             Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\
             Expect: 100-continue\r\n\r\n",
            self.at("/files/uncategorized_file"),
            self.boss.cookie.as_deref().expect("a session")
        );
        stream.write_all(head.as_bytes()).await.expect("a request");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 100");
        stream
    }

    pub async fn attach(&self, field: &str, was: &str, name: &str, content: &[u8]) -> Answer {
        let path = self.at(&format!("/files/{field}"));
        let boundary = "----of-the-test";
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"was\"\r\n\r\n{was}\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/html\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let request = self
            .boss
            .request(Method::POST, &path)
            .header("Sec-Fetch-Site", "same-origin")
            .header("Content-Type", format!("multipart/form-data; boundary={boundary}"))
            .body(body);
        Answer::of(request).await
    }
}

/// Sends the form of a page of evidence, with some texts changed.
async fn save(who: &Visitor, path: &str, page: &str, texts: &[(&str, &str)]) -> Answer {
    let mut form = vec![("version".to_owned(), hidden(page, "version"))];
    for (field, text) in texts {
        form.push((format!("was.{field}"), hidden(page, &format!("was.{field}"))));
        form.push((format!("text.{field}"), (*text).to_owned()));
    }
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    who.post(path, &form).await
}

pub fn by_boss(action: &str) -> Value {
    json!({ "actor": "boss", "via": "console", "action": action })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_answered_from_the_list_to_submitted_with_two_files() {
    let scene = Scene::open().await;
    let list = scene.boss.page("/disputes").await;
    assert!(attributes(&list, "href").contains(&scene.at("")), "{list}");
    assert!(list.contains("nothing yet"), "{list}");
    let page = scene.boss.page(&scene.at("")).await;
    assert!(page.contains("product_not_received") && page.contains("10.00"), "{page}");
    assert_eq!(scene.boss.post(&scene.at("/draft"), &[]).await.location(), scene.did("filled-in"));
    let filled = scene.response().await;
    assert_eq!(scene.boss.post(&scene.at("/draft"), &[]).await.location(), scene.did("nothing-found"));
    assert_eq!(scene.response().await, filled, "filling in again finds nothing new");
    let texts = [("shipping_carrier", "DHL"), ("uncategorized_text", "winning_evidence")];
    assert_eq!(scene.save(&scene.evidence().await, &texts).await.location(), scene.did("saved"));
    for field in ["shipping_documentation", "customer_signature"] {
        assert_eq!(scene.attach(field, "", "proof.pdf", PDF.as_bytes()).await.location(), scene.did("attached"));
    }
    let db = &scene.shop.app.db;
    db.until("select count(*) = 2 from clawback.evidence_files where pages = 1").await;
    let review = scene.boss.page(&scene.at("/submit")).await;
    assert!(review.contains("evidence[shipping_carrier]") && review.contains("proof.pdf"), "{review}");
    let version = hidden(&review, "version");
    let unticked = scene.boss.post(&scene.at("/submit"), &[("version", &version)]).await;
    assert_eq!(unticked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unticked.body.contains("Tick the box"), "{}", unticked.body);
    let form = [("version", version.as_str()), ("final", "yes")];
    assert_eq!(scene.boss.post(&scene.at("/submit"), &form).await.location(), scene.at(""));
    assert_eq!(scene.boss.post(&scene.at("/submit"), &form).await.location(), scene.at(""), "a double click");
    scene.shop.responded(&scene.id, "submitted").await;
    let submitted = scene.done().await.into_iter().filter(|row| *row == by_boss("submit_evidence")).count();
    assert_eq!(submitted, 1);
    assert!(scene.boss.page("/disputes?all=1").await.contains("submitted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_who_change_the_same_text_see_both_and_nothing_is_lost() {
    let scene = Scene::open().await;
    let (mine, theirs) = (scene.evidence().await, scene.evidence().await);
    let advocate = scene.console.visitor(&scene.shop.app.db, "advocate").await;
    let path = scene.at("/evidence");
    save(&advocate, &path, &theirs, &[("shipping_carrier", "UPS")]).await.location();
    let typed = [("shipping_carrier", "DHL"), ("shipping_date", "2026-11-01")];
    let conflict = scene.save(&mine, &typed).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    for text in ["UPS", "DHL", "2026-11-01", "advocate"] {
        assert!(conflict.body.contains(text), "{text} is not in {}", conflict.body);
    }
    assert_eq!(scene.text("shipping_carrier").await, "UPS");
    // The page with both texts is a form of its own: it is saved with what was chosen.
    scene.save(&conflict.body, &typed).await.location();
    assert_eq!(scene.text("shipping_carrier").await, "DHL");
    assert_eq!(scene.text("shipping_date").await, "2026-11-01");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_page_saves_texts_that_nobody_else_changed_and_the_same_form_saves_once() {
    let scene = Scene::open().await;
    let stale = scene.evidence().await;
    scene.save(&stale, &[("shipping_carrier", "UPS")]).await.location();
    scene.save(&stale, &[("shipping_date", "2026-11-01")]).await.location();
    let before = scene.response().await;
    scene.save(&stale, &[("shipping_date", "2026-11-01")]).await.location();
    assert_eq!(scene.response().await, before);
    assert_eq!(scene.text("shipping_carrier").await, "UPS");
    assert_eq!(scene.done().await, [by_boss("stage_evidence"), by_boss("stage_evidence")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_20000_characters_is_saved_and_longer_ones_are_all_named_beside_their_fields() {
    let scene = Scene::open().await;
    let page = scene.evidence().await;
    let longest = "line\r\n".repeat(4_000);
    assert_eq!(longest.replace("\r\n", "\n").len(), 20_000);
    scene.save(&page, &[("uncategorized_text", &longest)]).await.location();
    let page = scene.evidence().await;
    let (long, longer) = ("x".repeat(5_001), "y".repeat(20_001));
    let typed =
        [("shipping_carrier", long.as_str()), ("access_activity_log", &longer), ("shipping_date", "2026-11-01")];
    let refused = scene.save(&page, &typed).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for text in [
        "Carrier may have at most 5000 characters; it has 5001",
        "Log of access or use may have at most 20000 characters; it has 20001",
        long.as_str(),
        longer.as_str(),
        "2026-11-01",
    ] {
        assert!(refused.body.contains(text), "{} is not there", &text[..30.min(text.len())]);
    }
    assert_eq!(scene.text("shipping_date").await, Value::Null, "nothing is saved of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_is_shown_when_somebody_submitted_meanwhile() {
    let scene = Scene::open().await;
    scene.shop.stage(&scene.id, json!({ "uncategorized_text": "winning_evidence" })).await;
    let page = scene.evidence().await;
    scene.shop.submit(&scene.id).await;
    let late = scene.save(&page, &[("shipping_carrier", "typed too late")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("typed too late") && late.body.contains("was not saved"), "{}", late.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_attached_once_replaced_given_back_as_attachments_and_removed() {
    let scene = Scene::open().await;
    let attached = scene.attach("receipt", "", "..\\x/../Zoë \\\"1\\\".pdf", PDF.as_bytes()).await;
    assert_eq!(attached.location(), scene.did("attached"));
    let once = scene.response().await;
    scene.attach("receipt", "", "again.pdf", PDF.as_bytes()).await.location();
    assert_eq!(scene.response().await, once, "a double click attaches once");
    let stale = scene.attach("receipt", "", "other.pdf", format!("{PDF}%").as_bytes()).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert!(stale.body.contains("somebody attached or removed a file meanwhile"), "{}", stale.body);
    let file = scene.boss.get(&scene.at("/files/receipt")).await;
    assert_eq!((file.status, file.body.as_str()), (StatusCode::OK, PDF));
    assert!(file.header("content-disposition").starts_with("attachment; filename="), "{:?}", file.headers);
    assert_eq!(file.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    let page = scene.evidence().await;
    let was = attributes(&page, "value").into_iter().find(|value| value.len() == 64).expect("the file's hash");
    let remove = scene.at("/files/receipt/remove");
    assert_eq!(scene.boss.post(&remove, &[("was", "other")]).await.status, StatusCode::CONFLICT);
    for _ in 0..2 {
        assert_eq!(scene.boss.post(&remove, &[("was", &was)]).await.location(), scene.did("removed"));
    }
    assert_eq!(scene.boss.get(&scene.at("/files/receipt")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(scene.done().await, [by_boss("attach_evidence_file"), by_boss("detach_evidence_file")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_file_is_named_with_its_field_and_what_was_given() {
    let scene = Scene::open().await;
    let large = vec![b'x'; 4_500_001];
    let mut larger_pdf = PDF.as_bytes().to_vec();
    larger_pdf.resize(4_700_000, b' ');
    for (name, content, sentence) in [
        ("page.pdf", b"<html>".as_slice(), "Receipt"),
        ("empty.pdf", b"", "Receipt: the file empty.pdf is empty"),
        ("", b"", "Receipt: choose a file first"),
        ("large.pdf", &large, "large.pdf has 4500001"),
        ("larger.pdf", &larger_pdf, "what was sent has more"),
    ] {
        let refused = scene.attach("receipt", "", name, content).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {}", refused.body);
        assert!(refused.body.contains(sentence), "{name}: {}", refused.body);
    }
    assert_eq!(scene.response().await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_accepted_with_its_amount_typed_once() {
    let scene = Scene::open().await;
    let path = scene.at("/accept");
    assert!(scene.boss.page(&path).await.contains("10.00"));
    for (amount, sentence) in
        [("1", "not 1.00"), ("ten", "not an amount"), ("10.0", "write it like"), ("", "not an amount")]
    {
        let refused = scene.boss.post(&path, &[("amount", amount)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{amount}");
        assert!(refused.body.replace('\u{202f}', " ").contains(sentence), "{amount}: {}", refused.body);
    }
    for _ in 0..2 {
        assert_eq!(scene.boss.post(&path, &[("amount", "10,00")]).await.location(), scene.at(""));
    }
    scene.shop.responded(&scene.id, "accepted").await;
    assert_eq!(scene.done().await, [by_boss("accept_dispute")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_deadline_the_same_version_is_submitted_when_it_is_confirmed_again() {
    let scene = Scene::open().await;
    scene.shop.stage(&scene.id, json!({ "uncategorized_text": "winning_evidence" })).await;
    let db = &scene.shop.app.db;
    db.execute("update clawback.disputes set evidence_due_by = now() - interval '1 hour'").await;
    let version = hidden(&scene.boss.page(&scene.at("/submit")).await, "version");
    let form = [("version", version.as_str()), ("final", "yes")];
    let late = scene.boss.post(&scene.at("/submit"), &form).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.body.contains("the deadline has passed") && late.body.contains("Submit it late"), "{}", late.body);
    assert_eq!(scene.boss.post(&scene.at("/submit"), &form).await.location(), scene.at(""));
    scene.shop.responded(&scene.id, "submitted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_changed_since_its_review_is_not_submitted() {
    let scene = Scene::open().await;
    scene.shop.stage(&scene.id, json!({ "uncategorized_text": "reviewed" })).await;
    let version = hidden(&scene.boss.page(&scene.at("/submit")).await, "version");
    scene.shop.stage(&scene.id, json!({ "uncategorized_text": "not reviewed" })).await;
    let refused = scene.boss.post(&scene.at("/submit"), &[("version", &version), ("final", "yes")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body.contains("Somebody changed the draft") && refused.body.contains("not reviewed"));
    assert_eq!(scene.response().await["state"], "draft");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_payloads_no_personal_data_is_shown_and_it_can_be_replaced() {
    let scene = Scene::open().await;
    let personal = json!({ "customer_name": "Jane Probe", "customer_email_address": "jane@probe.example",
        "uncategorized_text": "Dear bank, Jane Probe …", "shipping_carrier": "DHL" });
    scene.shop.stage(&scene.id, personal).await;
    scene.attach("receipt", "", "jane-probe.pdf", PDF.as_bytes()).await.location();
    let advocate = scene.console.visitor(&scene.shop.app.db, "advocate").await;
    for page in ["", "/evidence", "/submit", "/draft", "/accept"] {
        let shown = advocate.page(&scene.at(page)).await.to_lowercase();
        assert!(!shown.contains("jane"), "{page}: {shown}");
    }
    assert_eq!(advocate.get(&scene.at("/files/receipt")).await.status, StatusCode::FORBIDDEN);
    let page = advocate.page(&scene.at("/evidence")).await;
    assert!(page.contains("DHL"));
    let path = scene.at("/evidence");
    save(&advocate, &path, &page, &[("customer_name", ""), ("shipping_carrier", "UPS")]).await.location();
    assert_eq!(scene.text("customer_name").await, "Jane Probe", "what is not seen is not emptied");
    let page = advocate.page(&path).await;
    save(&advocate, &path, &page, &[("customer_name", "J. P.")]).await.location();
    assert_eq!(scene.text("customer_name").await, "J. P.");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_the_list_and_stay_in_the_address_and_a_bad_one_is_refused_in_a_sentence() {
    let scene = Scene::open().await;
    for (query, is_there) in [
        ("?order=o_1", true),
        ("?order=o_2", false),
        ("?reason=product_not_received&mode=test&phase=chargeback&status=needs_response", true),
        ("?reason=brand_new", false),
        ("?mode=live", false),
        ("?account=acct_1", false),
        ("?due=2000-01-01", false),
        ("?due=2100-01-01", true),
        ("?after=du_nowhere", false),
    ] {
        let page = scene.boss.get(&format!("/disputes{query}")).await;
        assert_eq!(page.body.contains(&scene.at("")), is_there, "{query}: {}", page.body);
        assert_eq!(page.status, StatusCode::OK, "{query}");
    }
    for query in ["?due=tomorrow", "?mode=real"] {
        let refused = scene.boss.get(&format!("/disputes{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
    }
    let kept = scene.boss.get("/disputes?due=31.12.2026&order=o_9").await.body;
    assert!(kept.contains("value=\"31.12.2026\"") && kept.contains("value=\"o_9\""), "{kept}");
    assert!(kept.contains("“31.12.2026” is no time"), "{kept}");
    assert_eq!(scene.boss.get("/disputes/du_nowhere").await.status, StatusCode::NOT_FOUND);
    assert!(scene.boss.page("/outcomes?mode=test").await.contains("product_not_received"));
}

#[tokio::test(flavor = "multi_thread")]
async fn filling_in_again_rewrites_the_letter_for_what_was_attached_since() {
    let scene = Scene::open().await;
    scene.boss.post(&scene.at("/draft"), &[]).await.location();
    scene.attach("receipt", "", "receipt.pdf", PDF.as_bytes()).await.location();
    scene.boss.post(&scene.at("/draft"), &[]).await.location();
    let letter = scene.text("uncategorized_text").await;
    assert!(letter.as_str().is_some_and(|letter| letter.contains("Attachment A: Receipt")), "{letter}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_dispute_stands_on_today_until_it_is_answered() {
    let scene = Scene::open().await;
    let is_there = async || scene.boss.page("/").await.contains(&scene.at(""));
    assert!(is_there().await);
    let db = &scene.shop.app.db;
    db.execute("update clawback.disputes set evidence_due_by = now() - interval '1 hour'").await;
    assert!(is_there().await, "the deadline has passed, and nobody answered");
    db.execute("update clawback.disputes set status = 'under_review', can_respond = false").await;
    assert!(!is_there().await, "the bank decides");
}
