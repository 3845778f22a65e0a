//! Accepting a dispute as lost, on a page of its own: the amount that is given up is typed.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::case::Case;
use crate::console::extract::Path;
use crate::console::failure::{Failure, refusal};
use crate::console::form::{Problems, described_by, field, invalid};
use crate::console::frame::{Page, Section};
use crate::console::parts::{Tone, code_or_none, disabled, facts, foreign, money, money_text, note, nothing, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::domain::currency;
use crate::store::queries::{self, Dispute};

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    console.acceptance(StatusCode::OK, &who, &id, "", &Problems::default()).await
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Sent {
    amount: String,
}

/// Requests that the dispute is accepted.
pub(in crate::console) async fn accept(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    sent: Result<Form<Sent>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(Sent { amount }) = sent.map_err(|_| Failure::Unreadable("This form holds no amount.".to_owned()))?;
    let mut tx = console.acting(&who).await?;
    let case = Case::load(&mut tx, &id).await?;
    if is_requested(&case) {
        return Ok(console.see(&to("/disputes/", &id)));
    }
    let confirmed = match confirmed(&amount, &case.dispute) {
        Ok(confirmed) => confirmed,
        Err(sentence) => {
            drop(tx);
            let problems = Problems::one("amount", sentence);
            return console.acceptance(StatusCode::UNPROCESSABLE_ENTITY, &who, &id, &amount, &problems).await;
        }
    };
    match queries::accept_dispute(&mut tx, &id, confirmed).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(console.see(&to("/disputes/", &id)))
        }
        Err(error) => {
            drop(tx);
            console.not_accepted(&who, &id, &amount, error).await
        }
    }
}

/// Whether the same form was sent before.
fn is_requested(case: &Case) -> bool {
    let state = case.response.as_ref().map(|response| response.state.as_str());
    matches!(state, Some("accept_requested" | "accepted"))
}

/// The typed amount in minor units, if it is the disputed one.
fn confirmed(typed: &str, dispute: &Dispute) -> Result<i64, String> {
    let amount = currency::parse(typed, &dispute.currency).map_err(|error| error.to_string())?;
    if amount == dispute.amount {
        return Ok(amount);
    }
    let text = |minor| money_text(minor, &dispute.currency);
    Err(format!("The disputed amount is {}, not {}.", text(dispute.amount), text(amount)))
}

impl Console {
    /// Shows why it was not accepted, unless the same form was sent at the same time.
    async fn not_accepted(&self, who: &Who, id: &str, typed: &str, error: sqlx::Error) -> Result<Response, Failure> {
        let Some(sentence) = refusal(&error) else { return Err(error.into()) };
        if is_requested(&Case::load(&mut *self.reading().await?, id).await?) {
            return Ok(self.see(&to("/disputes/", id)));
        }
        self.acceptance(StatusCode::CONFLICT, who, id, typed, &Problems::one("", sentence)).await
    }

    async fn acceptance(
        &self,
        status: StatusCode,
        who: &Who,
        id: &str,
        typed: &str,
        problems: &Problems,
    ) -> Result<Response, Failure> {
        let case = Case::load(&mut *self.reading().await?, id).await?;
        let content = content(&case, typed, problems, self.objection(who, Right::Respond).as_deref());
        let title = if case.dispute.phase == "inquiry" { "End inquiry" } else { "Accept dispute" };
        let page = Page {
            title: format!("{title} {id}"),
            section: Some(Section::Disputes),
            is_test: !case.dispute.livemode,
            refreshed: None,
            content,
        };
        Ok(self.show_as(status, Some(who), now(), &page))
    }
}

fn content(case: &Case, typed: &str, problems: &Problems, cannot: Option<&str>) -> Markup {
    html! {
        p { a href=(to("/disputes/", case.id())) { "Dispute " (foreign(case.id())) } }
        (problems.summary())
        @if case.dispute.phase == "inquiry" { (inquiry(&case.dispute)) }
        @else {
            (what_it_costs(&case.dispute))
            (form(case, typed, problems, cannot.map(str::to_owned).or_else(|| unacceptable(case)).as_deref()))
        }
    }
}

/// Accepting does not end an inquiry.
fn inquiry(dispute: &Dispute) -> Markup {
    html! {
        (note(Tone::Calm, &html! {
            p { "An inquiry is not accepted: no money moved yet. A refund of the full amount ends it, a partial one does not. So does evidence that the bank takes." }
        }))
        @if let Some(payment) = &dispute.payment_id {
            p { a.button href={ (to("/payments/", payment)) "/refund" } { "Refund the payment" } }
        }
    }
}

fn what_it_costs(dispute: &Dispute) -> Markup {
    let settled = |amount: i64| match &dispute.settlement_currency {
        Some(currency) => money(amount, currency),
        None => nothing(),
    };
    html! {
        div.card {
            dl.facts { div { dt { "Given up" } dd.big { (money(dispute.amount, &dispute.currency)) } } }
            (facts(&[
                ("Withdrawn already", settled(dispute.amount_withdrawn)),
                ("Dispute fee, charged already", settled(dispute.fee)),
                ("Reason", code_or_none(dispute.reason.as_deref())),
                ("Order", dispute.order_id.as_deref().map_or_else(nothing, foreign)),
            ]))
            p { "The dispute ends as " code { "lost" } ". Nothing more is charged, and it cannot be undone." }
        }
    }
}

/// Why the dispute cannot be accepted: as `clawback_v1.accept_dispute` decides.
fn unacceptable(case: &Case) -> Option<String> {
    let Dispute { phase, status, .. } = &case.dispute;
    let is_acceptable = matches!(phase.as_str(), "chargeback" | "compliance") && status == "needs_response";
    case.unchangeable().or_else(|| {
        (!is_acceptable).then(|| format!("It cannot be accepted: its phase is {phase}, its status {status}."))
    })
}

fn form(case: &Case, typed: &str, problems: &Problems, cannot: Option<&str>) -> Markup {
    let hint = format!("Type {} to confirm.", currency::number(case.dispute.amount, &case.dispute.currency));
    html! {
        form action={ (to("/disputes/", case.id())) "/accept" } method="post" {
            @if let Some(why) = cannot { div.actions { (disabled("Accept as lost", why)) } } @else {
                (field("amount", "Amount that is given up", Some(&hint), problems, &html! {
                    input id="amount" name="amount" value=(typed) inputmode="decimal" autocomplete="off" maxlength="40" required
                        aria-describedby=[described_by("amount", true, problems)] aria-invalid=[invalid("amount", problems)];
                }))
                div.actions { button.danger type="submit" { "Accept as lost" } }
            }
        }
    }
}
