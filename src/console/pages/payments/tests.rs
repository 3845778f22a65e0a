//! The pages of payments, without a server: amounts in every kind of currency, live mode, less left, open disputes.

use maud::Markup;
use time::OffsetDateTime;
use time::macros::datetime;

use super::case::{Case, Sent};
use super::link;
use super::refund::View;
use super::review::Review;
use crate::console::form::Problems;
use crate::store::queries::{Payment, Person, Remainder};

const NOW: OffsetDateTime = datetime!(2026-11-26 12:03:10 UTC);

/// One tag a line.
fn lines(markup: &Markup) -> String {
    markup.0.replace("><", ">\n<")
}

fn payment(currency: &str) -> Payment {
    Payment {
        payment_id: "pi_1".to_owned(),
        order_id: Some("o_1".to_owned()),
        charge_id: Some("ch_1".to_owned()),
        account: None,
        livemode: true,
        payment_method: Some("card".to_owned()),
        failure_code: None,
        cancellation_reason: None,
        currency: Some(currency.to_owned()),
        amount: Some(10_000),
        amount_paid: Some(10_000),
        amount_refunded: 2_000,
        amount_disputed: 0,
        amount_lost: 0,
        state: "partially_refunded".to_owned(),
        hold: false,
        evidence_due_by: None,
        updated_at: datetime!(2026-11-26 09:00 UTC),
    }
}

fn case(currency: &str) -> Case {
    Case {
        payment: payment(currency),
        remainder: Remainder { paid: 10_000, refunded: 2_000, requested: 1_000, ..Remainder::default() },
        customer: None,
        disputes: Vec::new(),
        under_way: Vec::new(),
        now: NOW,
    }
}

fn sent(amount: &str) -> Sent {
    Sent { amount: amount.to_owned(), request_key: "key-1".to_owned(), left: 7_000, ..Sent::default() }
}

fn review(currency: &str, amount: i64) -> Review {
    let problems = Problems::default();
    Review { case: case(currency), sent: sent("4"), amount, problems, sent_before: None, shown_before: None }
}

#[test]
fn the_form_of_a_refund_is_a_page() {
    let problems = Problems::one("amount", "Enter an amount.");
    let view = View { case: case("eur"), sent: sent(""), problems, objection: None };
    insta::assert_snapshot!(lines(&view.content()));
}

#[test]
fn the_review_of_a_refund_is_a_page() {
    insta::assert_snapshot!(lines(&review("eur", 400).content()));
}

#[test]
fn an_amount_has_the_decimals_of_its_currency() {
    for (currency, amount, left) in [("jpy", "value=\"400\"", "6 600 JPY"), ("kwd", "value=\"0.400\"", "6.600 KWD")] {
        let page = review(currency, 400).content().0.replace('\u{202f}', " ");
        assert!(page.contains(amount) && page.contains(left), "{page}");
    }
}

#[test]
fn only_real_money_is_typed_again() {
    assert!(!review("eur", 400).is_confirmed(), "nothing was typed");
    for (again, is_right) in [("4,00", true), ("4", true), ("4.01", false), ("400", false), ("4.0", false)] {
        let mut live = review("eur", 400);
        live.sent.again = again.to_owned();
        assert_eq!(live.is_confirmed(), is_right, "{again}");
        assert_eq!(live.problems.is_empty(), is_right, "{again}");
    }
    let mut test = review("eur", 400);
    test.case.payment.livemode = false;
    assert!(test.is_confirmed() && !test.content().0.contains("id=\"again\""));
}

#[test]
fn a_review_says_that_less_is_left_and_offers_no_more_than_that() {
    let mut review = review("eur", 400);
    let mut now = case("eur");
    now.remainder.requested = 7_800;
    review.look_again(now);
    let page = review.content().0.replace('\u{202f}', " ");
    assert!(
        page.contains("Nothing was requested") && page.contains("2.00 EUR") && page.contains("70.00 EUR"),
        "{page}"
    );
    assert!(!page.contains("<form"), "{page}");
}

#[test]
fn a_review_whose_form_was_sent_says_so() {
    let mut review = review("eur", 400);
    review.sent_before = Some(uuid::Uuid::nil());
    assert!(review.content().0.contains("~/refunds/00000000-0000"), "{}", review.content().0);
}

#[test]
fn a_reason_that_blocks_the_buyer_says_so() {
    let mut review = review("eur", 400);
    assert!(!review.content().0.contains("blocks the card"));
    review.sent.reason = "fraudulent".to_owned();
    assert!(review.content().0.contains("blocks the card"));
}

#[test]
fn nothing_left_leaves_nothing_to_review() {
    let mut case = case("eur");
    case.remainder.lost = 7_000;
    let view = View { case, sent: sent("1"), problems: Problems::default(), objection: None };
    let page = view.content().0;
    assert!(page.contains("Nothing is left to refund.") && page.contains("Lost in disputes"), "{page}");
}

#[test]
fn the_page_that_links_a_payment_says_what_is_known_of_the_order() {
    let hostile = "\"><img src=x onerror=alert(1)>";
    let mut view = link::View {
        payment: Payment { order_id: None, ..payment("eur") },
        customer: None,
        linked_to: None,
        is_pending: false,
        order: hostile.to_owned(),
        existing: Some(Vec::new()),
        payer: None,
        problems: Problems::default(),
        is_conflict: false,
        objection: None,
        now: NOW,
    };
    insta::assert_snapshot!(lines(&view.content()));
    let person = |email: &str| Person {
        payment_id: "pi_1".to_owned(),
        customer_id: None,
        email: Some(email.to_owned()),
        name: None,
    };
    for (payer, is_warned) in
        [(None, false), (Some(person("Ada@example.com")), false), (Some(person("bob@example.com")), true)]
    {
        view.customer = Some(person("ada@example.com"));
        view.payer = payer;
        assert_eq!(view.content().0.contains("Another customer paid"), is_warned, "{:?}", view.payer);
    }
    view.existing = None;
    assert!(!view.content().0.contains("method=\"post\""), "nothing is linked before it was looked up");
}
