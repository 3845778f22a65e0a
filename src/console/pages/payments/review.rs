//! The review of a refund: what will be done, and, in live mode, the amount typed again.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use uuid::Uuid;

use super::case::{Case, Sent};
use crate::console::Console;
use crate::console::form::{Problems, described_by, field, invalid};
use crate::console::parts::{Tone, code, facts, money, note, to};
use crate::console::who::Who;
use crate::domain::currency;

pub(super) struct Review {
    pub case: Case,
    pub sent: Sent,
    /// In minor units.
    pub amount: i64,
    pub problems: Problems,
    /// The request that this form made already.
    pub sent_before: Option<Uuid>,
    /// What was left when the page was shown before, in minor units; none: nothing changed since.
    pub shown_before: Option<i64>,
}

impl Review {
    /// Whether the amount was typed again where it has to be; else says so beside the field. A form that was sent before
    /// asks for nothing.
    pub(super) fn is_confirmed(&mut self) -> bool {
        let is_needed = self.case.payment.livemode && self.sent_before.is_none();
        let is_same = currency::parse(&self.sent.again, self.case.currency()) == Ok(self.amount);
        if is_needed && !is_same {
            self.problems.add("again", "This is not the amount above. Type it again.");
        }
        !is_needed || is_same
    }

    /// Shows what is left now, in place of what was left before.
    pub(super) fn look_again(&mut self, case: Case) {
        self.shown_before = Some(self.sent.left);
        self.case = case;
    }

    pub(super) fn shown(&self, console: &Console, who: &Who) -> Response {
        let status = match (self.problems.is_empty(), self.shown_before) {
            (false, _) => StatusCode::UNPROCESSABLE_ENTITY,
            (true, Some(_)) => StatusCode::CONFLICT,
            (true, None) => StatusCode::OK,
        };
        console.show_as(status, Some(who), self.case.now, &self.case.page("Review the refund", self.content()))
    }

    pub(super) fn content(&self) -> Markup {
        html! {
            (self.problems.summary())
            (self.change())
            @if let Some(id) = self.sent_before {
                (note(Tone::Warn, &html! { p {
                    "This form was sent already: see " a href=(to("/refunds/", &id.to_string())) { "its request" }
                    ". Sending it again refunds nothing more."
                } }))
            }
            (self.case.warnings())
            @if self.sent.reason == "fraudulent" {
                (note(Tone::Warn, &html! { p { "The reason " code { "fraudulent" } " also blocks the card and the e-mail address of the buyer at Stripe." } }))
            }
            div.cards {
                div.card { h2 { "What is refunded" } (facts(&self.facts())) (self.form()) }
                div.card { h2 { "What is left now" } (self.case.sums()) }
            }
        }
    }

    /// Says that less is left than was shown.
    fn change(&self) -> Markup {
        html! { @if let Some(before) = self.shown_before.filter(|_| self.sent_before.is_none()) {
            (note(Tone::Warn, &html! { p {
                "Nothing was requested: " (money(self.case.remainder.left(), self.case.currency())) " is left, and this page showed "
                (money(before, self.case.currency())) ". Somebody refunded or disputed part of it meanwhile. Look at it again."
            } }))
        } }
    }

    fn facts(&self) -> Vec<(&'static str, Markup)> {
        let currency = self.case.currency();
        let after = self.case.remainder.left().saturating_sub(self.amount);
        let reason = Some(self.sent.reason.as_str()).filter(|reason| !reason.is_empty());
        let first = [
            ("Amount", html! { span.big { (money(self.amount, currency)) } }),
            ("Left after it", money(after.max(0), currency)),
            ("Reason", reason.map_or_else(|| html! { "none" }, code)),
        ];
        first.into_iter().chain(self.case.facts()).collect()
    }

    fn form(&self) -> Markup {
        let path = to("/payments/", &self.case.payment.payment_id);
        let again = html! {
            input #again name="again" value=(self.sent.again) inputmode="decimal" autocomplete="off" required
                aria-describedby=[described_by("again", true, &self.problems)] aria-invalid=[invalid("again", &self.problems)];
        };
        html! {
            @if self.amount <= self.case.remainder.left() {
                form method="post" action={ (path) "/refund" } {
                    input type="hidden" name="amount" value=(currency::number(self.amount, self.case.currency()));
                    input type="hidden" name="reason" value=(self.sent.reason);
                    input type="hidden" name="request_key" value=(self.sent.request_key);
                    input type="hidden" name="left" value=(self.case.remainder.left());
                    @if self.case.payment.livemode {
                        (field("again", "Type the amount again", Some("This is real money."), &self.problems, &again))
                    }
                    div.actions {
                        button.primary type="submit" { "Refund " (money(self.amount, self.case.currency())) }
                        a.button href={ (path) "/refund" } { "Start again" }
                    }
                    p.hint { "The service makes the refund at Stripe soon after. Sending this form twice refunds once." }
                }
            } @else {
                p { a.button href={ (path) "/refund" } { "Start again" } }
            }
        }
    }
}
