//! Requesting a refund of a payment: the form, its review, and the request. What is left is read again at each step, and
//! the form carries the key of its request, so that sending it twice requests one refund.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::review::Review;
use super::{customer, named, payment};
use crate::console::failure::{Failure, refusal};
use crate::console::form::{Problems, described_by, field, invalid};
use crate::console::frame::{Page, Section};
use crate::console::parts::{
    Head, Tone, code, disabled, facts, mode, moment_ago, money, money_text, note, order_link, state, table, to,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::domain::currency;
use crate::store::queries::{
    self, Dispute, DisputeFilter, Payment, Person, RefundRequest, Refundee, Remainder, RequestFilter,
};

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
const REASONS: [(&str, &str); 4] = [
    ("", "none"),
    ("requested_by_customer", "requested_by_customer"),
    ("duplicate", "duplicate"),
    ("fraudulent", "fraudulent: also blocks the card and the e-mail address"),
];

pub(in crate::console) async fn ask(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let case = Case::read(&mut tx, &who, &id).await?;
    let currency = case.payment.currency.clone().unwrap_or_default();
    let sent = Sent {
        amount: currency::number(case.remainder.left(), &currency),
        request_key: Uuid::new_v4().to_string(),
        ..Sent::default()
    };
    let view = View { case, sent, problems: Problems::default(), objection: console.objection(&who, Right::Refund) };
    Ok(view.shown(&console, &who))
}

pub(in crate::console) async fn review(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let case = Case::read(&mut tx, &who, &id).await?;
    let amount = match case.check(&sent) {
        Ok(amount) => amount,
        Err(problems) => return Ok(View { case, sent, problems, objection: None }.shown(&console, &who)),
    };
    let review = Review { case, sent, amount, problems: Problems::default(), shown_before: None };
    Ok(review.shown(&console, &who))
}

pub(in crate::console) async fn request(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let mut tx = console.acting(&who).await?;
    let case = Case::read(&mut tx, &who, &id).await?;
    // Sent before: the amount may no longer be left.
    let known = queries::request_of_key(&mut tx, &case.payment.payment_id, &sent.request_key).await?;
    let amount = match (case.check(&sent), known) {
        (Ok(amount), _) => amount,
        (Err(_), Some(known)) => return Ok(console.see(&to("/refunds/", &known.to_string()))),
        (Err(problems), None) => return Ok(View { case, sent, problems, objection: None }.shown(&console, &who)),
    };
    let mut review = Review { case, sent, amount, problems: Problems::default(), shown_before: None };
    if known.is_none() {
        review.confirm();
        if !review.problems.is_empty() {
            return Ok(review.shown(&console, &who));
        }
    }
    match enter(&mut tx, &review).await? {
        Entered::Request(id) => {
            tx.commit().await?;
            Ok(console.see(&to("/refunds/", &id.to_string())))
        }
        Entered::LessLeft => {
            tx.rollback().await?;
            let mut tx = console.reading().await?;
            review.look_again(Case::read(&mut tx, &who, &id).await?);
            Ok(review.shown(&console, &who))
        }
        Entered::Refused(sentence) => {
            let used = "This form was used already, for another amount or reason. Start again for another refund.";
            review.problems.add("", if known.is_some() { used.to_owned() } else { sentence });
            Ok(review.shown(&console, &who))
        }
    }
}

/// What became of a request.
enum Entered {
    /// It is recorded, or was before.
    Request(Uuid),
    /// Less was left than the page showed. The transaction must not be committed.
    LessLeft,
    /// The database refused. The transaction is over.
    Refused(String),
}

/// Requests the refund, and looks afterwards at what was left before: the request locks the payment.
async fn enter(conn: &mut PgConnection, review: &Review) -> Result<Entered, Failure> {
    let Review { case, sent, amount, .. } = review;
    let payment_id = &case.payment.payment_id;
    let is_known = queries::request_of_key(conn, payment_id, &sent.request_key).await?.is_some();
    let reason = Some(sent.reason.as_str()).filter(|reason| !reason.is_empty());
    let of = Refundee::Payment(payment_id);
    let id = match queries::request_refund(conn, of, &sent.request_key, Some(*amount), reason).await {
        Ok(id) => id,
        Err(error) => return Ok(Entered::Refused(refusal(&error).ok_or(error)?)),
    };
    let left = queries::remainder(conn, payment_id).await?.map_or(0, |remainder| remainder.left());
    let was_less = !is_known && left.saturating_add(*amount) < sent.left;
    Ok(if was_less { Entered::LessLeft } else { Entered::Request(id) })
}

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
    async fn read(conn: &mut PgConnection, who: &Who, id: &str) -> Result<Self, Failure> {
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
    fn check(&self, sent: &Sent) -> Result<i64, Problems> {
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
pub(super) fn sentence(error: &str) -> String {
    let mut letters = error.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

pub(super) struct View {
    pub case: Case,
    pub sent: Sent,
    pub problems: Problems,
    pub objection: Option<String>,
}

impl View {
    fn shown(&self, console: &Console, who: &Who) -> Response {
        let status = if self.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        console.show_as(status, Some(who), self.case.now, &self.case.page("Refund a payment", self.content()))
    }

    pub(super) fn content(&self) -> Markup {
        html! {
            (self.problems.summary())
            (self.case.warnings())
            div.cards {
                div.card { h2 { "What is left" } (facts(&self.case.facts())) (self.case.sums()) (self.under_way()) }
                div.card { h2 { "The refund" } (self.form()) }
            }
        }
    }

    fn under_way(&self) -> Markup {
        html! { @if !self.case.under_way.is_empty() {
            h3 { "Requests under way" }
            ul { @for request in &self.case.under_way { li {
                a href=(to("/refunds/", &request.id.to_string())) { (money(request.amount, &request.currency)) } " "
                (state(&request.state)) " by " (crate::console::parts::foreign(&request.actor)) ", "
                (moment_ago(request.created_at, self.case.now))
            } } }
        } }
    }

    fn form(&self) -> Markup {
        let Self { case, sent, problems, .. } = self;
        let code = case.currency().to_uppercase();
        let amount = html! {
            input #amount name="amount" value=(sent.amount) inputmode="decimal" autocomplete="off" required
                aria-describedby=[described_by("amount", true, problems)] aria-invalid=[invalid("amount", problems)];
        };
        let hint = format!("In {code}, at most what is left.");
        html! {
            form method="post" action={ (to("/payments/", &case.payment.payment_id)) "/refund/review" } {
                input type="hidden" name="request_key" value=(sent.request_key);
                (field("amount", &format!("Amount in {code}"), Some(&hint), problems, &amount))
                (field("reason", "Reason", Some("Stripe’s words."), problems, &self.reasons()))
                div.actions { @match (&self.objection, case.remainder.left()) {
                    (Some(why), _) => (disabled("Review", why)),
                    (None, 0) => (disabled("Review", "Nothing is left to refund.")),
                    (None, _) => button.primary type="submit" { "Review" },
                } }
                p.hint { "Nothing is refunded yet: the next page shows what will be done." }
            }
        }
    }

    fn reasons(&self) -> Markup {
        html! {
            select #reason name="reason" aria-describedby=[described_by("reason", true, &self.problems)]
                aria-invalid=[invalid("reason", &self.problems)] {
                @for (reason, name) in REASONS { option value=(reason) selected[self.sent.reason == reason] { (name) } }
            }
        }
    }
}
