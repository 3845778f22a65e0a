//! One refund request: its state, and cancelling it while it was not sent.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::console::extract::{Form, Path};
use crate::console::failure::Failure;
use crate::console::form::{Problems, described_by, field, invalid};
use crate::console::frame::{Page, Section};
use crate::console::pages::activity;
use crate::console::parts::{
    Tone, code, code_or_none, disabled, facts, foreign, mode, moment_ago, money, note, order_link, state, to,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Action, RefundRequest, RequestFilter};

/// Longest reason that is taken, in characters.
const LONGEST_REASON: usize = 1_000;

/// Why a request is cancelled.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Cancel {
    #[serde(default)]
    reason: String,
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let view = View::read(&mut tx, parsed(&id)?, console.objection(&who, Right::Refund)).await?;
    Ok(view.shown(&console, &who))
}

pub(in crate::console) async fn cancel(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    Form(form): Form<Cancel>,
) -> Result<Response, Failure> {
    let id = parsed(&id)?;
    let mut tx = console.acting(&who).await?;
    let mut view = View::read(&mut tx, id, None).await?;
    view.reason.clone_from(&form.reason);
    match form.reason.trim() {
        "" => view.problems.add("reason", "Say why the request is cancelled."),
        reason if reason.chars().count() > LONGEST_REASON => {
            view.problems.add("reason", "A reason has at most 1,000 characters.");
        }
        reason => {
            let is_cancelled = queries::cancel_refund_request(&mut tx, id, reason).await?;
            tx.commit().await?;
            // Of two who cancel at once, the second finds it done.
            if is_cancelled || view.request.state == "cancelled" {
                return Ok(console.see(&to("/refunds/", &id.to_string())));
            }
            let mut tx = console.reading().await?;
            view = View::read(&mut tx, id, None).await?;
            view.reason = form.reason;
            view.is_late = view.request.state != "cancelled";
        }
    }
    Ok(view.shown(&console, &who))
}

fn parsed(id: &str) -> Result<Uuid, Failure> {
    id.parse().map_err(|_| Failure::NotFound(format!("“{id}” is not the ID of a refund request.")))
}

pub(super) struct View {
    pub request: RefundRequest,
    /// Open inquiries that it does not end, with what would.
    pub inquiries: Vec<(String, i64)>,
    pub actions: Vec<Action>,
    /// The reason that was typed.
    pub reason: String,
    pub problems: Problems,
    /// It was asked to be cancelled, and cannot be any more.
    pub is_late: bool,
    pub objection: Option<String>,
    pub now: OffsetDateTime,
}

impl View {
    async fn read(conn: &mut PgConnection, id: Uuid, objection: Option<String>) -> Result<Self, Failure> {
        let filter = RequestFilter { id: Some(id), ..RequestFilter::default() };
        let page = queries::Page::first(1);
        let request = queries::refund_requests(conn, &filter, &page).await?.pop();
        let request = request.ok_or_else(|| Failure::NotFound(format!("There is no refund request {id}.")))?;
        let mut actions = queries::actions(conn, "payment", &request.payment_id).await?;
        actions.retain(|action| action.detail["request_id"] == id.to_string());
        Ok(Self {
            inquiries: queries::inquiries_left_open(conn, id).await?,
            request,
            actions,
            reason: String::new(),
            problems: Problems::default(),
            is_late: false,
            objection,
            now: now(),
        })
    }

    fn shown(&self, console: &Console, who: &Who) -> Response {
        let status = match (self.problems.is_empty(), self.is_late) {
            (false, _) => StatusCode::UNPROCESSABLE_ENTITY,
            (true, true) => StatusCode::CONFLICT,
            (true, false) => StatusCode::OK,
        };
        let page = Page {
            title: "Refund request".to_owned(),
            section: Some(Section::Refunds),
            is_test: !self.request.livemode,
            // The form has a region of its own, which is left alone while somebody types.
            refreshed: Some(15),
            content: self.content(),
        };
        console.show_as(status, Some(who), self.now, &page)
    }

    pub(super) fn content(&self) -> Markup {
        html! {
            (self.problems.summary())
            @if self.is_late {
                (note(Tone::Warn, &html! { p { "Not cancelled: it was sent to Stripe, or is being sent." } }))
            }
            section data-region="request" {
                (note(self.tone(), &html! { p { (self.meaning()) } }))
                div.card { (facts(&self.facts())) }
                (self.warnings())
            }
            section data-region="cancel" { @if self.can_be_cancelled() { (self.form()) } }
            section data-region="actions" { (self.trail()) }
        }
    }

    fn tone(&self) -> Tone {
        match self.request.state.as_str() {
            "succeeded" => Tone::Good,
            "failed" => Tone::Bad,
            "unknown" => Tone::Warn,
            _ => Tone::Calm,
        }
    }

    /// What its state means.
    fn meaning(&self) -> &'static str {
        match self.request.state.as_str() {
            "requested" => "The service makes the refund at Stripe within seconds, or as soon as it runs again.",
            "sent" => "It was sent to Stripe. The answer is awaited.",
            "unknown" => {
                "It was sent, and Stripe’s answer did not arrive. The service finds out whether the refund was made."
            }
            "pending" => "Stripe made the refund, and the money is on its way.",
            "succeeded" => "Stripe made the refund.",
            "failed" => "The money was not given back.",
            "cancelled" => "It was cancelled. Nothing is refunded.",
            _ => "Its state is not known to this version.",
        }
    }

    fn facts(&self) -> Vec<(&'static str, Markup)> {
        let request = &self.request;
        let mut shown = vec![
            ("Amount", html! { span.big { (money(request.amount, &request.currency)) } }),
            ("State", state(&request.state)),
        ];
        shown.extend(request.error.as_deref().map(|error| ("Error", foreign(error))));
        shown.extend([
            ("Order", order_link(request.order_id.as_deref())),
            ("Payment", html! { a href=(to("/orders?id=", &request.payment_id)) { (code(&request.payment_id)) } }),
            ("Refund at Stripe", code_or_none(request.refund_id.as_deref())),
            ("Reason", code_or_none(request.reason.as_deref())),
            ("Mode", mode(request.livemode)),
        ]);
        shown.extend(request.account.as_deref().map(|account| ("Connected account", code(account))));
        shown.extend([
            ("Requested by", foreign(&request.actor)),
            ("Requested", moment_ago(request.created_at, self.now)),
            ("Changed", moment_ago(request.updated_at, self.now)),
            ("Request", html! { code { (request.id) } }),
            ("Request key", code(&request.request_key)),
        ]);
        shown
    }

    fn warnings(&self) -> Markup {
        let is_over = matches!(self.request.state.as_str(), "failed" | "cancelled");
        html! { @for (dispute_id, amount) in self.inquiries.iter().filter(|_| !is_over) {
            (note(Tone::Warn, &html! { p {
                "It does not end the open inquiry " a href=(to("/disputes/", dispute_id)) { (code(dispute_id)) } " over "
                (money(*amount, &self.request.currency)) ": that takes a refund of all of it."
            } }))
        } }
    }

    fn can_be_cancelled(&self) -> bool {
        matches!(self.request.state.as_str(), "requested" | "unknown")
    }

    fn form(&self) -> Markup {
        let control = html! {
            input #reason name="reason" value=(self.reason) maxlength="1000" required autocomplete="off"
                aria-describedby=[described_by("reason", true, &self.problems)] aria-invalid=[invalid("reason", &self.problems)];
        };
        let hint = match self.request.state.as_str() {
            "unknown" => "Possible once it has been unknown for 24 hours: it is looked up once more first.",
            _ => "Possible until it is sent. Kept in the audit trail with your name.",
        };
        html! {
            h2 { "Cancel the request" }
            form method="post" action={ (to("/refunds/", &self.request.id.to_string())) "/cancel" } {
                (field("reason", "Why", Some(hint), &self.problems, &control))
                div.actions { @match &self.objection {
                    Some(why) => (disabled("Cancel the request", why)),
                    None => button.danger type="submit" { "Cancel the request" },
                } }
            }
        }
    }

    fn trail(&self) -> Markup {
        html! { h2 { "Who did what" } (activity::done(&self.actions, "Nobody did anything with it.", self.now)) }
    }
}
