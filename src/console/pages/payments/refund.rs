//! Requesting a refund of a payment: the form, its review, and the request. What is left is read again at each step, and
//! the form carries the key of its request, so that sending it twice requests one refund.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use sqlx::PgConnection;
use uuid::Uuid;

use super::case::{Case, REASONS, Sent};
use super::review::Review;
use crate::console::Console;
use crate::console::extract::{Form, Path};
use crate::console::failure::{Failure, refusal};
use crate::console::form::{Problems, described_by, field, invalid};
use crate::console::parts::{disabled, facts, foreign, moment_ago, money, money_text, state, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::domain::currency;
use crate::store::queries::{self, Refundee};

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
    let sent_before = queries::request_of_key(&mut tx, &case.payment.payment_id, &sent.request_key).await?;
    let review = Review { case, sent, amount, problems: Problems::default(), sent_before, shown_before: None };
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
    let mut review =
        Review { case, sent, amount, problems: Problems::default(), sent_before: known, shown_before: None };
    if !review.is_confirmed() {
        return Ok(review.shown(&console, &who));
    }
    match enter(&mut tx, &review).await? {
        Entered::Request(id) => {
            tx.commit().await?;
            return Ok(console.see(&to("/refunds/", &id.to_string())));
        }
        Entered::Refused(sentence) => {
            tx.rollback().await?;
            refused(&mut review, sentence, &console, &who).await?;
        }
        Entered::LessLeft => {
            tx.rollback().await?;
            look_again(&mut review, &console, &who).await?;
        }
    }
    Ok(review.shown(&console, &who))
}

/// Says why the database refused. Where less is left than was asked for, the page says so with its amounts; the
/// database's own sentence has them in minor units.
async fn refused(review: &mut Review, sentence: String, console: &Console, who: &Who) -> Result<(), Failure> {
    let mut tx = console.reading().await?;
    let now = Case::read(&mut tx, who, &review.case.payment.payment_id).await?;
    if review.sent_before.is_none() && now.remainder.left() < review.amount {
        review.look_again(now);
    } else {
        review.problems.add("", sentence);
    }
    Ok(())
}

/// Reads again what is left, and whether this form made a request meanwhile.
async fn look_again(review: &mut Review, console: &Console, who: &Who) -> Result<(), Failure> {
    let mut tx = console.reading().await?;
    let payment_id = review.case.payment.payment_id.clone();
    review.sent_before = queries::request_of_key(&mut tx, &payment_id, &review.sent.request_key).await?;
    review.look_again(Case::read(&mut tx, who, &payment_id).await?);
    Ok(())
}

/// The outcome of a request.
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
    let Review { case, sent, amount, sent_before, .. } = review;
    let of = Refundee::Payment(&case.payment.payment_id);
    let reason = Some(sent.reason.as_str()).filter(|reason| !reason.is_empty());
    let id = match queries::request_refund(conn, of, &sent.request_key, Some(*amount), reason).await {
        Ok(id) => id,
        Err(error) => {
            let sentence = refusal(&error).ok_or(error)?;
            let used = "This form was used already, for another amount or reason. Start again for another refund.";
            return Ok(Entered::Refused(if sent_before.is_some() { used.to_owned() } else { sentence }));
        }
    };
    let left = queries::remainder(conn, &case.payment.payment_id).await?.map_or(0, |remainder| remainder.left());
    let was_less = sent_before.is_none() && left.saturating_add(*amount) < sent.left;
    Ok(if was_less { Entered::LessLeft } else { Entered::Request(id) })
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
                (state(&request.state)) " by " (foreign(&request.actor)) ", "
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
        let hint = format!("At most {}.", money_text(case.remainder.left(), case.currency()));
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
