//! The pages of refunds, without a server.

use maud::Markup;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::list::{self, Asked, Rows};
use super::one::View;
use crate::console::form::Problems;
use crate::console::list::Window;
use crate::store::queries::RefundRequest;

const NOW: OffsetDateTime = datetime!(2026-11-26 12:03:10 UTC);

/// One tag a line.
fn lines(markup: &Markup) -> String {
    markup.0.replace("><", ">\n<")
}

fn request(state: &str) -> RefundRequest {
    RefundRequest {
        id: Uuid::nil(),
        request_key: "key-1".to_owned(),
        order_id: Some("o_1".to_owned()),
        payment_id: "pi_1".to_owned(),
        account: None,
        livemode: false,
        currency: "kwd".to_owned(),
        amount: 1_230,
        reason: Some("duplicate".to_owned()),
        state: state.to_owned(),
        refund_id: None,
        error: Some("<b>no</b> money".to_owned()),
        requested_by: "clawback".to_owned(),
        actor: "anna".to_owned(),
        created_at: datetime!(2026-11-26 09:00 UTC),
        updated_at: datetime!(2026-11-26 09:00 UTC),
    }
}

fn view(state: &str) -> View {
    View {
        request: request(state),
        inquiries: vec![("du_1".to_owned(), 5_000)],
        actions: Vec::new(),
        reason: String::new(),
        problems: Problems::default(),
        is_late: false,
        objection: None,
        now: NOW,
    }
}

#[test]
fn a_refund_request_is_a_page() {
    insta::assert_snapshot!(lines(&view("unknown").content()));
}

#[test]
fn a_list_of_refund_requests_is_a_page() {
    let rows = Rows::Requests(Window { rows: vec![request("failed")], newer: None, older: None });
    insta::assert_snapshot!(lines(&list::View { asked: Asked::default(), rows, now: NOW }.content()));
}

#[test]
fn only_what_was_not_sent_can_be_cancelled() {
    for (state, is_offered) in [
        ("requested", true),
        ("unknown", true),
        ("sent", false),
        ("pending", false),
        ("succeeded", false),
        ("failed", false),
        ("cancelled", false),
        ("something_new", false),
    ] {
        assert_eq!(view(state).content().0.contains("/cancel\""), is_offered, "{state}");
    }
}
