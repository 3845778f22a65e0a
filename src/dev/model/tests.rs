//! The model's promises to its users: two payments beside each other, objects by id and in order.

use super::objects::{Capture, Charge, Intent, Metadata, Purchase, Refund, Share};
use super::*;

const NOW: i64 = 1_785_000_000;

fn account() -> Account {
    Account::new(Ids::new([7; 32], NOW), NOW, false, None)
}

fn purchase(account: &mut Account, order: &str, amount: i64, currency: &str) -> Purchase {
    Purchase {
        amount,
        currency: currency.to_owned(),
        metadata: Metadata::from([("order_id".to_owned(), order.to_owned())]),
        description: format!("Order {order}"),
        customer: account.create_customer(&BUYERS[0]),
        payment_method: account.create_payment_method(Method::Card(VISA)),
        share: Share::default(),
        shipping: Value::Null,
    }
}

fn pay(account: &mut Account, order: &str, amount: i64, currency: &str) -> Id<Charge> {
    let purchase = purchase(account, order, amount, currency);
    let request = account.request();
    let intent = account.create_intent(&request, purchase, Capture::Automatic);
    account.confirm(&request, &intent)
}

fn refund(account: &mut Account, charge: &Id<Charge>, amount: i64) -> Id<Refund> {
    let request = account.request();
    let status = FirstStatus::Succeeded;
    account.create_refund(
        &request,
        NewRefund {
            charge: charge.clone(),
            amount,
            metadata: Metadata::new(),
            reason: None,
            status,
            undo: Undo::default(),
        },
    )
}

#[test]
fn payments_beside_each_other_do_not_touch() {
    let mut account = account();
    let first = pay(&mut account, "o_1", 5_000, "eur");
    let second = pay(&mut account, "o_2", 700, "jpy");
    let before = account.show(&first);
    let refund = refund(&mut account, &second, 200);
    account.open_dispute(&second, 500, FRAUDULENT);
    assert_eq!(account.show(&first), before);
    let (refund, charge) = (account.show(&refund), account.show(&second));
    assert_eq!((&refund["currency"], &refund["payment_intent"]), (&charge["currency"], &charge["payment_intent"]));
    assert_eq!((&charge["amount_refunded"], &charge["disputed"]), (&200.into(), &true.into()));
    assert_eq!(charge["metadata"]["order_id"], "o_2");
}

#[test]
fn an_object_is_found_by_its_id_and_kind_only() {
    let mut account = account();
    let charge = pay(&mut account, "o_1", 5_000, "eur");
    assert_eq!(account.find::<Charge>(charge.as_str()).map(|found| &found.id), Some(&charge));
    assert!(account.find::<Refund>(charge.as_str()).is_none());
    assert!(account.find::<Charge>("ch_unknown").is_none());
}

#[test]
fn objects_are_listed_in_the_order_in_which_they_were_created() {
    let mut account = account();
    let charge = pay(&mut account, "o_1", 5_000, "eur");
    let made: Vec<_> = [300, 200, 100].map(|amount| refund(&mut account, &charge, amount)).into();
    let listed: Vec<_> = account.list::<Refund>().map(|refund| refund.id.clone()).collect();
    assert_eq!(listed, made);
    let newest = account.list::<Refund>().next_back().map(|refund| refund.amount);
    assert_eq!(newest, Some(100));
    assert_eq!(account.list::<Intent>().count(), 1);
}

#[test]
fn an_event_names_the_request_that_caused_it() {
    let mut account = account();
    let charge = pay(&mut account, "o_1", 5_000, "eur");
    let request = Cause::Request { id: "req_mine".to_owned(), idempotency_key: None };
    let new = NewRefund {
        charge,
        amount: 100,
        metadata: Metadata::new(),
        reason: None,
        status: FirstStatus::Succeeded,
        undo: Undo::default(),
    };
    account.create_refund(&request, new);
    let last = account.events().last().expect("an event");
    let body: Value = serde_json::from_str(&last.body).expect("JSON");
    assert_eq!(body["request"], serde_json::json!({ "id": "req_mine", "idempotency_key": null }));
    assert_eq!((last.created, body["created"].as_i64()), (NOW, Some(NOW)));
}

#[test]
fn a_capture_in_part_before_2025_brings_the_whole_amount_and_takes_the_rest_back() {
    let mut account = account();
    let purchase = purchase(&mut account, "o_1", 5_000, "eur");
    let request = account.request();
    let intent = account.create_intent(&request, purchase, Capture::Manual);
    let charge = account.confirm(&request, &intent);
    account.capture_before_2025(&request, &charge, 4_000);
    let amounts: Vec<_> = account.lines().map(|line| line.render(&account)["amount"].as_i64()).collect();
    assert_eq!(amounts, [Some(5_000), Some(-1_000)]);
    assert_eq!(account.show(&charge)["amount_refunded"], 1_000);
}
