//! A payment that is to be refunded: what is left of it and why, and whether what was typed can be refunded.

use maud::{Markup, html};
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{customer, named, payment};
use crate::console::failure::Failure;
use crate::console::form::Problems;
use crate::console::frame::{Page, Section};
use crate::console::now;
use crate::console::parts::{Head, Tone, code, mode, money, money_text, note, order_link, state, table, to};
use crate::console::who::Who;
use crate::domain::currency::{self, NotAnAmount};
use crate::store::queries::{self, Dispute, DisputeFilter, Payment, Person, RefundRequest, Remainder, RequestFilter};

/// What a person typed or chose, and what the page carried along.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::console) struct Sent {
    /// In major units.
    #[serde(default)]
    pub amount: String,
    /// One of Stripe's words, or empty.
    #[serde(default)]
    pub reason: String,
    /// The key of the request, made with the form.
    #[serde(default)]
    pub request_key: String,
    /// What was left when the page was made, in minor units.
    #[serde(default)]
    pub left: i64,
    /// In live mode: the amount, typed again.
    #[serde(default)]
    pub again: String,
}

/// Stripe's reasons, and what they mean here.
pub(super) const REASONS: [(&str, &str); 4] = [
    ("", "none"),
    ("requested_by_customer", "requested_by_customer"),
    ("duplicate", "duplicate"),
    ("fraudulent", "fraudulent: also blocks the card and the e-mail address"),
];

/// A payment, and what decides how much of it can be refunded.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub payment: Payment,
    pub remainder: Remainder,
    /// For those who may know.
    pub customer: Option<Person>,
    /// Without an outcome.
    pub disputes: Vec<Dispute>,
    /// Requests that are under way.
    pub under_way: Vec<RefundRequest>,
    pub now: OffsetDateTime,
}

impl Case {
    pub(super) async fn read(conn: &mut PgConnection, who: &Who, id: &str) -> Result<Self, Failure> {
        let payment = payment(conn, id).await?;
        let payment_id = Some(payment.payment_id.clone());
        let many = queries::Page::first(50);
        let remainder = queries::remainder(conn, &payment.payment_id).await?.unwrap_or_default();
        let open = DisputeFilter { open: true, payment_id: payment_id.clone(), ..DisputeFilter::default() };
        let disputes = queries::disputes(conn, &open, &many).await?;
        let mut under_way =
            queries::refund_requests(conn, &RequestFilter { payment_id, ..RequestFilter::default() }, &many).await?;
        under_way.retain(|request| ["requested", "sent", "unknown", "pending"].contains(&request.state.as_str()));
        let customer = customer(conn, who, &payment.payment_id).await?;
        Ok(Self { payment, remainder, customer, disputes, under_way, now: now() })
    }

    pub(super) fn currency(&self) -> &str {
        self.payment.currency.as_deref().unwrap_or_default()
    }

    /// The amount that was typed, in minor units; else what is wrong.
    pub(super) fn check(&self, sent: &Sent) -> Result<i64, Problems> {
        let mut problems = Problems::default();
        if !REASONS.iter().any(|(reason, _)| *reason == sent.reason) {
            problems.add("reason", "Choose one of the reasons.");
        }
        if sent.request_key.is_empty() {
            problems.add("", "The form is incomplete. Open it again.");
        }
        let left = self.remainder.left();
        let amount = match currency::parse(&sent.amount, self.currency()) {
            Ok(0) => Err("The amount must be above 0.".to_owned()),
            Ok(amount) if amount > left => {
                Err(format!("Only {} is left of this payment.", money_text(left, self.currency())))
            }
            Ok(amount) => Ok(amount),
            Err(_) if sent.amount.trim().is_empty() => Err("Enter an amount.".to_owned()),
            Err(NotAnAmount::Malformed { code, .. }) => Err(self.malformed(&code)),
            Err(error) => Err(sentence(&error.to_string())),
        };
        match amount {
            Ok(amount) if problems.is_empty() => Ok(amount),
            Ok(_) => Err(problems),
            Err(why) => {
                problems.add("amount", why);
                Err(problems)
            }
        }
    }

    /// How an amount is written, with what is left as the example.
    fn malformed(&self, code: &str) -> String {
        let (left, currency) = (self.remainder.left(), self.currency());
        let (plain, printed) = (currency::number(left, currency), money_text(left, currency));
        format!(
            "Not an amount in {code}. Write it like {plain} or {printed}, without commas or points between thousands."
        )
    }

    /// What one must know about open disputes before giving money back.
    pub(super) fn warnings(&self) -> Markup {
        html! { @for dispute in &self.disputes {
            @let link = html! { a href=(to("/disputes/", &dispute.dispute_id)) { (code(&dispute.dispute_id)) } };
            @if dispute.phase == "inquiry" {
                (note(Tone::Warn, &html! { p {
                    "An inquiry is open: " (link) " over " (money(dispute.amount, &dispute.currency)) ". "
                    @if dispute.payment_method.as_deref() == Some("klarna") { "A refund of the disputed amount ends it; a smaller one does not." }
                    @else { "A refund of all that is left ends it; a smaller one does not." }
                } }))
            } @else {
                (note(Tone::Bad, &html! { p {
                    "A dispute is open: " (link) " over " (money(dispute.amount, &dispute.currency))
                    ". Stripe refuses refunds of a charge with an open chargeback. To give this money back, accept the dispute."
                } }))
            }
        } }
    }

    /// Why less is left than was paid.
    pub(super) fn sums(&self) -> Markup {
        let Remainder { paid, refunded, lost, disputed, requested } = self.remainder;
        let lines = [
            ("Refunded, or on its way", refunded),
            ("Lost in disputes", lost),
            ("In open chargebacks", disputed),
            ("Requested, no refund known yet", requested),
        ];
        let rows = html! {
            tr { th scope="row" { "Paid" } td.number { (money(paid, self.currency())) } }
            @for (name, minor) in lines.into_iter().filter(|(_, minor)| *minor != 0) {
                tr { th scope="row" { (name) } td.number { (money(-minor, self.currency())) } }
            }
            tr.total { th scope="row" { "Left" } td.number { (money(self.remainder.left(), self.currency())) } }
        };
        table("What is left", &[Head::Text("What"), Head::Number("Amount")], &rows)
    }

    pub(super) fn facts(&self) -> Vec<(&'static str, Markup)> {
        let payment = &self.payment;
        let mut shown = vec![
            ("Order", order_link(payment.order_id.as_deref())),
            ("Payment", html! { a href=(to("/orders?id=", &payment.payment_id)) { (code(&payment.payment_id)) } }),
            ("State", state(&payment.state)),
            ("Mode", mode(payment.livemode)),
        ];
        shown.extend(payment.account.as_deref().map(|account| ("Connected account", code(account))));
        shown.extend(self.customer.as_ref().map(named));
        shown
    }

    /// A page about this payment.
    pub(super) fn page(&self, title: &str, content: Markup) -> Page {
        let is_test = !self.payment.livemode;
        Page { title: title.to_owned(), section: Some(Section::Orders), is_test, refreshed: None, content }
    }
}

/// An error as a sentence.
fn sentence(error: &str) -> String {
    let mut letters = error.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
