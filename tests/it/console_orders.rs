//! Promise: whoever has an id, a reference or an e-mail address finds the order in the console, with the statement of the
//! command line; and a payment without an order is linked once.

use clawback::dev::stories;
use clawback::domain::currency;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::bodies::{charge, dispute, event};
use crate::console_client::{Console, Visitor, hidden};
use crate::harness::{Database, TestApp, tell};

async fn open(bodies: &[String]) -> (TestApp, Console) {
    let mut db = Database::migrated().await;
    db.expect_errors(&["invalid byte sequence"]);
    let app = TestApp::start_on(db, |_| {}).await;
    app.see(bodies).await;
    let console = Console::open(&app.db).await;
    (app, console)
}

/// A charge of an order.
fn paid(id: &str, order_id: &str) -> String {
    event(&format!("evt_{id}"), 10, &charge(id, json!({ "metadata": { "order_id": order_id } })))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_has_the_lines_and_the_sums_of_the_command() {
    let (app, console) = open(&[]).await;
    for story in stories::all() {
        app.deliver_all(&tell(story.name, story.name)).await;
    }
    app.db.settle().await;
    let boss = console.visitor(&app.db, "boss").await;
    for story in stories::all() {
        let told = app.json(&["orders", "show", story.name]).await;
        let page = boss.page(&format!("/orders?id={}", story.name)).await.replace('\u{202f}', "");
        for order in told["orders"].as_array().expect("orders") {
            same_statement(&page, order);
        }
    }
}

/// The page has all lines of a statement, and its sums in the last row.
fn same_statement(page: &str, order: &Value) {
    let lines = order["statement"].as_array().expect("lines");
    for line in lines {
        let id = line["id"].as_str().expect("an id");
        assert!(page.contains(id), "{id} is missing: {page}");
    }
    let (_, rest) = page.split_once("<tr class=\"total\"").expect("a total");
    let total = rest.split_once("</tr>").expect("its end").0;
    for column in ["paid", "refunded", "disputed", "lost"] {
        let minor = order["total"][column].as_i64().expect("an amount");
        let text = currency::major(minor, order["currency"].as_str()).replace(' ', "");
        assert!(minor == 0 || total.contains(&text), "{column} {text}: {total}");
    }
    assert!(!page.contains("Not explained by these lines"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_for_is_found_by_its_name() {
    let person = json!({ "metadata": { "order_id": "shop/7" }, "billing_details": { "email": "Ada@Example.com", "name": "Ada" } });
    let (app, console) = open(&[
        paid("ch_1", "shop/1 a"),
        paid("ch_2", "shop/2"),
        event("evt_3", 10, &charge("ch_3", person)),
        event("evt_4", 11, &dispute("dp_1", json!({ "charge": "ch_1" }))),
    ])
    .await;
    let (boss, reader) = (console.visitor(&app.db, "boss").await, console.visitor(&app.db, "reader").await);
    for (term, place) in [
        ("shop%2F1%20a", "/orders?id=shop%2F1%20a"),
        ("%20ch_1%20", "/orders?id=ch_1"),
        ("dp_1", "/disputes/dp_1"),
        ("evt_3", "/events/evt_3"),
        ("shop%2F2", "/orders?id=shop%2F2"),
        ("shop%2F1", "/orders?id=shop%2F1%20a"),
        ("ada@example.COM", "/orders?id=ch_3"),
    ] {
        assert_eq!(boss.get(&format!("/find?q={term}")).await.location(), place, "{term}");
    }
    let several = boss.page("/find?q=shop").await;
    assert!(["shop%2F1%20a", "shop%2F2", "shop%2F7"].iter().all(|order| several.contains(order)), "{several}");
    let nobody = reader.page("/find?q=ada@example.com").await;
    assert!(nobody.contains("takes the right") && !nobody.contains("ch_3"), "{nobody}");
    assert!(boss.page("/find?q=ada@example").await.contains("Nothing was found"), "a part of an address finds nobody");
    assert!(boss.page("/find?q=").await.contains("Type an order"));
    assert!(boss.get("/find?q=a%00b").await.status.is_client_error());
    assert_eq!(boss.get("/orders?id=o_none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_paid_is_shown_to_those_who_may_know() {
    let person = json!({ "metadata": { "order_id": "o_1" }, "billing_details": { "email": "ada@example.com" } });
    let (app, console) = open(&[event("evt_1", 10, &charge("ch_1", person))]).await;
    for (name, is_shown) in [("boss", true), ("analyst", true), ("reader", false), ("worker", false)] {
        let visitor = console.visitor(&app.db, name).await;
        for path in ["/orders?id=o_1", "/payments/ch_1/link"] {
            assert_eq!(visitor.page(path).await.contains("ada@example.com"), is_shown, "{name} {path}");
        }
    }
    let cashier = console.visitor(&app.db, "cashier").await;
    assert!(!cashier.page("/payments/ch_1/refund").await.contains("ada@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_listed_with_filters_that_stay_in_the_address() {
    let bodies: Vec<String> = (0..51).map(|n| paid(&format!("ch_{n}"), &format!("o_{n:02}"))).collect();
    let (app, console) = open(&bodies).await;
    let reader = console.visitor(&app.db, "reader").await;
    let first = reader.page("/orders?state=paid&mode=test").await;
    let (_, rest) = first.split_once("/orders?state=paid&amp;mode=test&amp;after=").expect("a way to older ones");
    let last = rest.split_once('"').expect("its end").0;
    let second = reader.page(&format!("/orders?state=paid&mode=test&after={last}")).await;
    assert!(second.contains("o_00") && !second.contains("o_01") && second.contains("Newer"), "{second}");
    assert!(reader.page("/orders?mode=live").await.contains("No order matches."));
    for wrong in ["/orders?state=nonsense", "/orders?mode=nonsense"] {
        assert_eq!(reader.get(wrong).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

const LINK: &str = "/payments/ch_1/link";

/// Sends the form that links `ch_1`, as a page made it, with its box ticked where it has one.
async fn link(visitor: &Visitor, page: &str) -> crate::console_client::Answer {
    let (order, instead_of) = (hidden(page, "order"), hidden(page, "instead_of"));
    let ticked = page.contains("name=\"is_new\"").then_some(("is_new", "1"));
    let form = [("order", order.as_str()), ("instead_of", instead_of.as_str())];
    visitor.post(LINK, &form.into_iter().chain(ticked).collect::<Vec<_>>()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_reference_makes_no_order_without_a_second_look() {
    let (app, console) = open(&[event("evt_1", 10, &charge("ch_1", json!({}))), paid("ch_2", "o_2")]).await;
    let worker = console.visitor(&app.db, "worker").await;
    assert!(!worker.page(&format!("{LINK}?order=o_2")).await.contains("name=\"is_new\""), "o_2 exists");
    let unticked = worker.post(LINK, &[("order", "o_22"), ("instead_of", "")]).await;
    assert_eq!(unticked.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", unticked.body);
    assert!(unticked.body.contains("id=\"is_new-problem\""), "{}", unticked.body);
    assert_eq!(app.db.value("select count(*) from clawback_v1.actions where action = 'link'").await, 0);
    link(&worker, &unticked.body).await.location();
    app.db.until("select exists (select from clawback_v1.payments where order_id = 'o_22')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_payments_of_one_person_are_told_apart_by_order_amount_and_time() {
    let person = |order: &str, amount: i64| {
        json!({ "metadata": { "order_id": order }, "amount": amount, "amount_captured": amount,
        "billing_details": { "email": "ada@example.com" } })
    };
    let (app, console) = open(&[
        event("evt_1", 10, &charge("ch_1", person("shop/1", 1_000))),
        event("evt_2", 11, &charge("ch_2", person("shop/2", 113_406))),
    ])
    .await;
    let boss = console.visitor(&app.db, "boss").await;
    let found = boss.page("/find?q=ada@example.com").await.replace('\u{202f}', " ");
    for text in ["shop/1", "10.00 EUR", "shop/2", "1 134.06 EUR", "<time"] {
        assert!(found.contains(text), "{text}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_another_customer_is_not_linked_unnoticed() {
    let of = |order: Option<&str>, email: &str| json!({ "metadata": { "order_id": order }, "billing_details": { "email": email } });
    let (app, console) = open(&[
        event("evt_1", 10, &charge("ch_1", of(None, "jonas@example.com"))),
        event("evt_2", 10, &charge("ch_2", of(Some("o_2"), "priya@example.com"))),
        event("evt_3", 10, &charge("ch_3", of(Some("o_3"), "Jonas@example.com"))),
    ])
    .await;
    let boss = console.visitor(&app.db, "boss").await;
    let page = boss.page(&format!("{LINK}?order=o_2")).await;
    assert!(page.contains("Another customer paid") && page.contains("priya@example.com"), "{page}");
    assert!(!boss.page(&format!("{LINK}?order=o_3")).await.contains("Another customer paid"));
    let worker = console.visitor(&app.db, "worker").await;
    assert!(!worker.page(&format!("{LINK}?order=o_2")).await.contains("Another customer paid"));
    assert!(boss.page("/orders?id=o_2").await.contains("/payments/ch_2/link"), "a wrong link can be mended");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlinked_payment_is_linked_once() {
    let (app, console) = open(&[event("evt_1", 10, &charge("ch_1", json!({}))), paid("ch_2", "o_2")]).await;
    let worker = console.visitor(&app.db, "worker").await;
    assert!(worker.page("/unlinked").await.contains(LINK));
    assert!(worker.page(&format!("{LINK}?order=o_9")).await.contains("There is no order with this reference."));
    assert_eq!(worker.get(&format!("{LINK}?order=%20")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let known = worker.page(&format!("{LINK}?order=o_2")).await.replace('\u{202f}', "");
    assert!(known.contains("An order exists") && known.contains("100.00EUR"), "{known}");
    let both = tokio::join!(link(&worker, &known), link(&worker, &known));
    assert_eq!((both.0.location(), both.1.location()), (LINK, LINK));
    app.db
        .until("select exists (select from clawback_v1.payments where payment_id = 'ch_1' and order_id = 'o_2')")
        .await;
    assert_eq!(link(&worker, &known).await.location(), LINK, "sent again");
    let actions =
        app.db.rows("select actor, via, action, subject from clawback_v1.actions where action = 'link'").await;
    assert_eq!(actions, [json!({ "actor": "worker", "via": "console", "action": "link", "subject": "ch_1" })]);
    assert!(worker.page("/unlinked").await.contains("Every payment is linked to an order."));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_link_a_payment_to_different_orders_the_second_is_told() {
    let (app, console) = open(&[event("evt_1", 10, &charge("ch_1", json!({})))]).await;
    let (worker, boss) = (console.visitor(&app.db, "worker").await, console.visitor(&app.db, "boss").await);
    let stale = worker.page(&format!("{LINK}?order=o_2")).await;
    let fresh = boss.page(&format!("{LINK}?order=o_3")).await;
    link(&boss, &fresh).await.location();
    let refused = link(&worker, &stale).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    assert!(refused.body.contains("meanwhile somebody linked"), "{}", refused.body);
    assert_eq!(hidden(&refused.body, "instead_of"), "o_3");
    link(&worker, &refused.body).await.location();
    app.db.until("select exists (select from clawback_v1.payments where order_id = 'o_2')").await;
    let reader = console.visitor(&app.db, "reader").await;
    assert!(reader.page(&format!("{LINK}?order=o_4")).await.contains("You lack the right “work”."));
    assert_eq!(link(&reader, &stale).await.status, StatusCode::FORBIDDEN);
}
