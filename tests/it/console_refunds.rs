//! Promise: a refund that a person requests in the console is made once, of the amount that was reviewed.

use reqwest::StatusCode;
use serde_json::json;

use crate::bodies::{charge, dispute, event, event_with};
use crate::console_client::{Answer, Console, Visitor, hidden};
use crate::harness::{Database, TestApp};
use crate::refund_shop::{REFUSALS, Shop};

/// A service with a test key that sends nothing, and a console beside it.
struct Till {
    app: TestApp,
    console: Console,
}

impl Till {
    async fn open() -> Self {
        let mut db = Database::migrated().await;
        db.expect_errors(REFUSALS);
        let app = TestApp::start_on(db, |_| {}).await;
        app.ready().await;
        // At its start the service removes the modes that it has no key for.
        app.db.until("select exists (select from clawback.processors)").await;
        app.db.execute("insert into clawback.api_keys (livemode) values (false)").await;
        app.see(&[event("evt_1", 10, &charge("ch_1", json!({ "metadata": { "order_id": "o_1" } })))]).await;
        let console = Console::open(&app.db).await;
        Self { app, console }
    }

    async fn visitor(&self, name: &str) -> Visitor {
        self.console.visitor(&self.app.db, name).await
    }

    async fn count(&self, what: &str) -> serde_json::Value {
        self.app.db.value(&format!("select count(*) from clawback_v1.{what}")).await
    }
}

/// The page that reviews a refund of a payment.
async fn review(visitor: &Visitor, payment: &str, amount: &str) -> Answer {
    let form = visitor.page(&format!("/payments/{payment}/refund")).await;
    let key = hidden(&form, "request_key");
    let sent = [("amount", amount), ("reason", "requested_by_customer"), ("request_key", &key)];
    visitor.post(&format!("/payments/{payment}/refund/review"), &sent).await
}

/// Sends the form of a review as it stands.
async fn confirm(visitor: &Visitor, payment: &str, review: &str, again: &str) -> Answer {
    let fields = ["amount", "reason", "request_key", "left"].map(|name| (name, hidden(review, name)));
    let mut form: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    form.push(("again", again));
    visitor.post(&format!("/payments/{payment}/refund"), &form).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_refund_goes_from_the_search_to_succeeded() {
    let shop = Shop::open().await;
    let charge = shop.pay("o/1 ü", "1000", "pm_card_visa").await;
    let console = Console::open(&shop.app.db).await;
    let boss = console.visitor(&shop.app.db, "boss").await;
    let found = boss.get("/find?q=o%2F1%20%C3%BC").await;
    let story = boss.page(found.location()).await;
    let (_, rest) = story.split_once("/payments/").expect("a link to the refund");
    let payment = rest.split_once("/refund").expect("its end").0.to_owned();
    let reviewed = review(&boss, &payment, "4").await;
    assert_eq!(reviewed.status, StatusCode::OK, "{}", reviewed.body);
    assert!(reviewed.body.contains("Left after it") && reviewed.body.contains("requested_by_customer"));
    assert_eq!(shop.world.refunds_of(&charge).await, 0, "a review requests nothing");
    let done = confirm(&boss, &payment, &reviewed.body, "").await;
    let id = done.location().strip_prefix("/refunds/").expect("a request").to_owned();
    let row = shop.until(&id, "succeeded").await;
    assert_eq!(
        (&row["amount"], &row["actor"], &row["reason"]),
        (&json!(400), &json!("boss"), &json!("requested_by_customer"))
    );
    assert!(boss.page(done.location()).await.contains("Stripe made the refund."));
    assert_eq!(confirm(&boss, &payment, &reviewed.body, "").await.location(), done.location(), "sent again");
    assert_eq!(shop.world.refunds_of(&charge).await, 1);
    let actions =
        shop.app.db.rows("select actor, via, action from clawback_v1.actions where subject_kind = 'payment'").await;
    assert_eq!(actions, [json!({ "actor": "boss", "via": "console", "action": "request_refund" })]);
    // Until the refund itself is known, the charge's amount counts beside the request's.
    shop.app.db.until("select exists (select from clawback_v1.refunds)").await;
    let again = boss.page(&format!("/payments/{payment}/refund")).await;
    assert!(again.contains("value=\"6.00\""), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_requests_one_refund() {
    let till = Till::open().await;
    let cashier = till.visitor("cashier").await;
    let reviewed = review(&cashier, "ch_1", "1.00").await.body;
    let both = tokio::join!(confirm(&cashier, "ch_1", &reviewed, ""), confirm(&cashier, "ch_1", &reviewed, ""));
    assert_eq!(both.0.location(), both.1.location());
    assert_eq!(till.count("refund_requests").await, 1);
    assert_eq!(till.count("actions where action = 'request_refund'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_the_second_is_told_that_less_is_left() {
    let till = Till::open().await;
    let (boss, cashier) = (till.visitor("boss").await, till.visitor("cashier").await);
    let stale = review(&cashier, "ch_1", "40.00").await.body;
    let fresh = review(&boss, "ch_1", "30.00").await.body;
    confirm(&boss, "ch_1", &fresh, "").await.location();
    let refused = confirm(&cashier, "ch_1", &stale, "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    assert!(refused.body.contains("Nothing was requested"), "{}", refused.body);
    assert_eq!(till.count("refund_requests").await, 1);
    assert_eq!(hidden(&refused.body, "left"), "7000");
    confirm(&cashier, "ch_1", &refused.body, "").await.location();
    assert_eq!(till.count("refund_requests").await, 2);
    let too_much = review(&cashier, "ch_1", "30.01").await;
    assert_eq!(too_much.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(too_much.body.contains("is left of this payment"), "{}", too_much.body);
}

/// Begins with an example: what is left of the payment.
const MALFORMED: &str = "Not an amount in EUR. Write it like 100.00 or 100.00\u{202f}EUR";

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_is_none_is_refused_beside_its_field_and_kept() {
    let till = Till::open().await;
    let cashier = till.visitor("cashier").await;
    for (amount, sentence) in [
        ("", "Enter an amount."),
        ("0", "The amount must be above 0."),
        ("1,234", MALFORMED),
        ("-1", MALFORMED),
        ("1e3", MALFORMED),
        ("100.01", "is left of this payment."),
    ] {
        let refused = review(&cashier, "ch_1", amount).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{amount}");
        assert!(refused.body.contains(sentence), "{amount}: {}", refused.body);
        assert!(refused.body.contains("id=\"amount-problem\""), "{amount}");
        assert!(refused.body.contains(&format!("name=\"amount\" value=\"{amount}\"")), "{amount}");
    }
    assert_eq!(till.count("refund_requests").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_race_for_a_payment_reads_what_is_left_in_major_units() {
    let till = Till::open().await;
    let cashier = till.visitor("cashier").await;
    let reviewed = review(&cashier, "ch_1", "70.00\u{202f}EUR").await.body;
    let held = till.app.db.begin("select clawback_v1.request_payment_refund('ch_1', 'other', 7000)").await;
    let race = {
        let (cashier, reviewed) = (cashier.clone(), reviewed.clone());
        tokio::spawn(async move { confirm(&cashier, "ch_1", &reviewed, "").await })
    };
    till.app.db.until("select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())").await;
    held.commit().await.expect("the first request");
    let refused = race.await.expect("an answer");
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    let page = refused.body.replace('\u{202f}', " ");
    assert!(page.contains("Nothing was requested") && page.contains("30.00 EUR"), "{page}");
    assert!(!page.contains("7000 of payment"), "{page}");
    assert_eq!(till.count("refund_requests").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_form_is_good_for_one_refund() {
    let till = Till::open().await;
    let cashier = till.visitor("cashier").await;
    let reviewed = review(&cashier, "ch_1", "1.00").await.body;
    let first = confirm(&cashier, "ch_1", &reviewed, "").await;
    let changed = reviewed.replace("name=\"amount\" value=\"1.00\"", "name=\"amount\" value=\"2.00\"");
    let refused = confirm(&cashier, "ch_1", &changed, "").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    assert!(refused.body.contains("was used already"), "{}", refused.body);
    assert_eq!(till.count("refund_requests").await, 1);
    assert!(!first.location().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_live_mode_the_amount_is_typed_again() {
    let till = Till::open().await;
    let live = json!({ "livemode": true });
    till.app.see(&[event_with("evt_live", 10, &charge("ch_live", json!({})), live)]).await;
    let cashier = till.visitor("cashier").await;
    let reviewed = review(&cashier, "ch_live", "1.00").await.body;
    let wrong = confirm(&cashier, "ch_live", &reviewed, "10.0").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("id=\"again-problem\"") && wrong.body.contains("value=\"10.0\""), "{}", wrong.body);
    let no_key = confirm(&cashier, "ch_live", &wrong.body, "1,00").await;
    assert_eq!(no_key.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(no_key.body.contains("no API key for live mode is configured"), "{}", no_key.body);
    till.app.db.execute("insert into clawback.api_keys (livemode) values (true)").await;
    confirm(&cashier, "ch_live", &no_key.body, "1").await.location();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_chargeback_is_said_before_and_refused_after() {
    let till = Till::open().await;
    till.app.see(&[event("evt_dp", 11, &dispute("dp_1", json!({ "charge": "ch_1", "amount": 1_000 })))]).await;
    let cashier = till.visitor("cashier").await;
    assert!(cashier.page("/payments/ch_1/refund").await.contains("A dispute is open"));
    let reviewed = review(&cashier, "ch_1", "1.00").await;
    let refused = confirm(&cashier, "ch_1", &reviewed.body, "").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("has an open chargeback"), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_cancelled_once_while_it_was_not_sent() {
    let till = Till::open().await;
    let (boss, cashier) = (till.visitor("boss").await, till.visitor("cashier").await);
    let reviewed = review(&cashier, "ch_1", "1.00").await.body;
    let request = confirm(&cashier, "ch_1", &reviewed, "").await.location().to_owned();
    let cancel = format!("{request}/cancel");
    let silent = cashier.post(&cancel, &[("reason", " ")]).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    for visitor in [&cashier, &cashier, &boss] {
        assert_eq!(visitor.post(&cancel, &[("reason", "wrong <order>")]).await.location(), request);
    }
    let shown = boss.page(&request).await;
    assert!(shown.contains("It was cancelled.") && shown.contains("wrong &lt;order&gt;"), "{shown}");
    assert_eq!(till.count("actions where action = 'cancel_refund_request' and actor = 'cashier'").await, 1);
    let next = review(&cashier, "ch_1", "2.00").await.body;
    let sent = confirm(&cashier, "ch_1", &next, "").await.location().to_owned();
    till.app.db.execute("update clawback.refund_requests set state = 'sent' where state = 'requested'").await;
    let late = cashier.post(&format!("{sent}/cancel"), &[("reason", "too late")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.body);
    assert!(late.body.contains("Not cancelled"));
    assert_eq!(boss.get("/refunds/nonsense").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_refunds_are_listed_with_filters() {
    let till = Till::open().await;
    let cashier = till.visitor("cashier").await;
    let reviewed = review(&cashier, "ch_1", "1.00").await.body;
    let request = confirm(&cashier, "ch_1", &reviewed, "").await.location().to_owned();
    for (path, is_listed) in [
        ("/refunds", true),
        ("/refunds?state=requested&order=o_1", true),
        ("/refunds?state=failed", false),
        ("/refunds?order=o_2", false),
        ("/refunds?list=stripe", false),
    ] {
        assert_eq!(cashier.page(path).await.contains(&format!("href=\"{request}\"")), is_listed, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_nothing_is_refunded() {
    let till = Till::open().await;
    let reader = till.visitor("reader").await;
    assert!(reader.page("/orders?id=o_1").await.contains("You lack the right “refund”."));
    assert_eq!(reader.get("/payments/ch_1/refund").await.status, StatusCode::FORBIDDEN);
    let form = [("amount", "1.00"), ("request_key", "k"), ("left", "10000")];
    assert_eq!(reader.post("/payments/ch_1/refund", &form).await.status, StatusCode::FORBIDDEN);
    let still = Console::open_with(&till.app.db, |settings| settings.is_read_only = true).await;
    let cashier = still.visitor(&till.app.db, "cashier").await;
    assert!(cashier.page("/payments/ch_1/refund").await.contains("This console is read-only."));
    assert_eq!(cashier.post("/payments/ch_1/refund", &form).await.status, StatusCode::NOT_FOUND);
    assert_eq!(till.count("refund_requests").await, 0);
}
