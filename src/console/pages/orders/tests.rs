//! The pages of orders, without a server: empty, one, hostile, without amounts, with three decimals, in test mode.

use maud::Markup;
use time::OffsetDateTime;
use time::macros::datetime;

use super::Asked;
use super::list;
use super::story::{Around, View};
use crate::console::list::Window;
use crate::domain::BalanceMove;
use crate::store::queries::{Order, Payment, Statement, StatementLine, Story, Total};

const NOW: OffsetDateTime = datetime!(2026-11-26 12:03:10 UTC);
const HOSTILE: &str = "\"><img src=x onerror=alert(1)>\u{202e}";

/// One tag a line.
fn lines(markup: &Markup) -> String {
    markup.0.replace("><", ">\n<")
}

fn order() -> Order {
    Order {
        order_id: "o_1".to_owned(),
        account: None,
        livemode: true,
        currency: Some("eur".to_owned()),
        state: "partially_refunded".to_owned(),
        amount_paid: Some(123_450),
        amount_refunded: 400,
        amount_disputed: 0,
        amount_lost: 0,
        hold: false,
        open_disputes: 0,
        evidence_due_by: None,
        updated_at: datetime!(2026-11-26 09:00 UTC),
    }
}

fn payment() -> Payment {
    Payment {
        payment_id: "pi_1".to_owned(),
        order_id: Some("o_1".to_owned()),
        charge_id: Some("ch_1".to_owned()),
        account: None,
        livemode: true,
        payment_method: Some("card".to_owned()),
        failure_code: None,
        cancellation_reason: None,
        currency: Some("eur".to_owned()),
        amount: Some(123_450),
        amount_paid: Some(123_450),
        amount_refunded: 400,
        amount_disputed: 0,
        amount_lost: 0,
        state: "partially_refunded".to_owned(),
        hold: false,
        evidence_due_by: None,
        updated_at: datetime!(2026-11-26 09:00 UTC),
    }
}

fn line(what: &str, id: &str, adds: Total) -> StatementLine {
    StatementLine {
        at: Some(datetime!(2026-11-20 08:00 UTC)),
        what: what.to_owned(),
        id: id.to_owned(),
        status: "succeeded".to_owned(),
        amount: Some(adds.paid + adds.refunded),
        currency: Some("eur".to_owned()),
        adds,
        balance: None,
        payment_id: "pi_1".to_owned(),
        follow_up: None,
    }
}

/// An order with a charge and a refund.
fn told() -> View {
    let statement = vec![
        line("charge", "ch_1", Total { paid: 123_450, ..Total::default() }),
        line("refund", "re_1", Total { refunded: 400, ..Total::default() }),
    ];
    let total = Total { paid: 123_450, refunded: 400, ..Total::default() };
    let orders = vec![Statement { subject: order(), total, statement }];
    View {
        asked: "o_1".to_owned(),
        story: Story { order_id: Some("o_1".to_owned()), orders, ..Story::default() },
        around: Around { payments: vec![payment()], ..Around::default() },
        no_refunds: None,
        now: NOW,
    }
}

fn listed(orders: Vec<Order>) -> String {
    let orders = Window { rows: orders, newer: None, older: Some("o_1".to_owned()) };
    let asked = Asked { state: "paid".to_owned(), ..Asked::default() };
    lines(&list::View { asked, orders, now: NOW }.content())
}

#[test]
fn the_story_of_an_order_is_a_page() {
    insta::assert_snapshot!(lines(&told().content()));
}

#[test]
fn a_list_of_orders_is_a_page() {
    let odd = Order {
        order_id: HOSTILE.to_owned(),
        account: Some("acct_1".to_owned()),
        livemode: false,
        currency: None,
        state: "something_new".to_owned(),
        amount_paid: None,
        amount_refunded: 5,
        hold: true,
        evidence_due_by: Some(datetime!(2026-11-26 09:00 UTC)),
        ..order()
    };
    let exact = Order { currency: Some("kwd".to_owned()), amount_paid: Some(1_230), ..order() };
    insta::assert_snapshot!(listed(vec![order(), odd, exact]));
}

#[test]
fn an_empty_list_says_so_and_keeps_the_filters_in_its_links() {
    let page = listed(Vec::new());
    assert!(page.contains("No order matches. Looked at 12:03:10 UTC."), "{page}");
    assert!(page.contains("~/orders?state=paid&amp;after=o_1"), "{page}");
}

#[test]
fn what_the_lines_do_not_explain_has_a_line_of_its_own() {
    let mut view = told();
    assert!(!view.content().0.contains("Not explained"));
    view.story.orders[0].subject.amount_lost = 700;
    let page = view.content().0;
    assert!(page.contains("Not explained by these lines") && page.contains(">Lost<"), "{page}");
}

#[test]
fn a_statement_has_no_follow_ups() {
    let mut view = told();
    let follow_up = StatementLine { follow_up: Some(195), ..line("notify_refund", "re_1", Total::default()) };
    view.story.orders[0].statement.push(follow_up);
    assert!(!view.content().0.contains("notify_refund"), "{}", view.content().0);
}

#[test]
fn what_moved_on_the_balance_is_shown_in_its_own_currency() {
    let mut view = told();
    let moved = BalanceMove { amount: -1_000, fee: 1_500, currency: "kwd".to_owned() };
    view.story.orders[0].statement[0].balance = Some(moved);
    let page = view.content().0.replace('\u{202f}', " ");
    assert!(page.contains("\u{2212}1.000 KWD") && page.contains("1.500 KWD"), "{page}");
}

#[test]
fn nothing_from_outside_is_markup() {
    let mut view = told();
    view.story.order_id = Some(HOSTILE.to_owned());
    view.asked = HOSTILE.to_owned();
    view.story.unreadable.push(HOSTILE.to_owned());
    view.around.payments[0].failure_code = Some(HOSTILE.to_owned());
    view.story.orders[0].statement[0].id = HOSTILE.to_owned();
    let page = view.content().0;
    assert!(!page.contains("<img") && page.contains("U+202E"), "{page}");
}

#[test]
fn a_button_that_does_nothing_says_why() {
    let mut view = told();
    assert!(view.content().0.contains("~/payments/pi_1/refund"));
    view.no_refunds = Some("You lack the right “refund”.".to_owned());
    let page = view.content().0;
    assert!(page.contains("You lack the right") && !page.contains("~/payments/pi_1/refund"), "{page}");
    view.around.payments[0].amount_refunded = 123_450;
    assert!(view.content().0.contains("Nothing is left."));
}

#[test]
fn a_story_is_marked_as_test_when_all_of_it_is() {
    let mut view = told();
    assert!(!view.is_test());
    view.story.orders[0].subject.livemode = false;
    assert!(view.is_test());
    view.story = Story::default();
    assert!(!view.is_test());
    assert!(view.content().0.contains("was received, but the payment it belongs to is not known"));
}
