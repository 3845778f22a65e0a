//! Disputes by deadline, with filters that stand in the address.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use sqlx::PgConnection;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::answer::{self, Standing};
use super::one::due;
use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::form::Problems;
use crate::console::frame::{Page, Section};
use crate::console::list::{self, Cursor, MODES, Window, address, choice, filled, known, livemode};
use crate::console::parts::{
    Head, Tone, badge, code, empty, foreign, moment, money, nothing, order_link, state, table, to, unknown,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Answer, Dispute, DisputeFilter};

/// Stripe's statuses of a dispute.
const STATUSES: [&str; 10] = [
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "appeal_needs_response",
    "appeal_under_review",
    "won",
    "lost",
    "prevented",
];
const PHASES: [&str; 5] = ["inquiry", "chargeback", "appeal", "compliance", "prevention"];

/// What the address says. An empty filter is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct Asked {
    order: String,
    status: String,
    phase: String,
    reason: String,
    mode: String,
    account: String,
    /// A day, or a time as RFC 3339.
    due: String,
    /// Closed ones too.
    all: String,
    before: Option<String>,
    after: Option<String>,
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let filter = match asked.filter() {
        Err(Failure::Unreadable(sentence)) => return Ok(refused(&console, &who, &asked, sentence)),
        filter => filter?,
    };
    let cursor = Cursor { before: asked.before.clone(), after: asked.after.clone() };
    let mut tx = console.reading().await?;
    let disputes = queries::disputes(&mut tx, &filter, &cursor.page()).await?;
    let window = cursor.window(disputes, |dispute| dispute.dispute_id.clone());
    let answers = match who.may(Right::Respond) {
        true => answers(&mut tx, &window.rows).await?,
        false => BTreeMap::new(),
    };
    let view = View { asked, window, answers, who: &who, now: now() };
    Ok(console.show(&who, view.now, &Page::list("Disputes", Section::Disputes, view.content())))
}

/// The filters as they were typed, with what is wrong with one of them.
fn refused(console: &Console, who: &Who, asked: &Asked, sentence: String) -> Response {
    let content = html! { (Problems::one("", sentence).summary()) (filters(asked)) };
    let page = Page { refreshed: None, ..Page::list("Disputes", Section::Disputes, content) };
    console.show_as(StatusCode::BAD_REQUEST, Some(who), now(), &page)
}

/// How we answer each dispute.
async fn answers(conn: &mut PgConnection, disputes: &[Dispute]) -> sqlx::Result<BTreeMap<String, Answer>> {
    let ids: Vec<_> = disputes.iter().map(|dispute| dispute.dispute_id.clone()).collect();
    let answers = queries::answers(conn, &ids).await?;
    Ok(answers.into_iter().map(|answer| (answer.dispute_id.clone(), answer)).collect())
}

impl Asked {
    /// What is read.
    fn filter(&self) -> Result<DisputeFilter, Failure> {
        known("mode", &self.mode, &MODES)?;
        known("phase", &self.phase, &PHASES)?;
        Ok(DisputeFilter {
            status: filled(&self.status),
            phase: filled(&self.phase),
            order_id: filled(&self.order),
            reason: filled(&self.reason),
            account: filled(&self.account),
            livemode: livemode(&self.mode),
            due_before: filled(&self.due).map(|text| instant(&text)).transpose()?,
            open: self.all.is_empty() && self.status.is_empty(),
            ..DisputeFilter::default()
        })
    }

    fn address(&self) -> String {
        let set = [
            ("order", self.order.as_str()),
            ("status", &self.status),
            ("phase", &self.phase),
            ("reason", &self.reason),
            ("mode", &self.mode),
            ("account", &self.account),
            ("due", &self.due),
            ("all", &self.all),
        ];
        address("~/disputes", &set)
    }
}

/// A day, as its beginning in UTC, or a time as RFC 3339.
fn instant(text: &str) -> Result<OffsetDateTime, Failure> {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]"));
    let day = day.map(|day| day.midnight().assume_utc());
    let at = day.or_else(|_| OffsetDateTime::parse(text, &Rfc3339));
    at.map_err(|_| {
        Failure::Unreadable(format!("“{text}” is no time: write a day such as 2026-12-04, or 2026-12-04T12:00:00Z."))
    })
}

struct View<'a> {
    asked: Asked,
    window: Window<Dispute>,
    answers: BTreeMap<String, Answer>,
    who: &'a Who,
    now: OffsetDateTime,
}

impl View<'_> {
    fn content(&self) -> Markup {
        html! {
            p { a href="~/outcomes" { "Outcomes and ratios" } }
            (filters(&self.asked))
            section data-region="disputes" {
                @if self.window.rows.is_empty() { (self.none()) } @else {
                    @if !self.who.may(Right::Respond) { (answer::hidden()) }
                    (table("Disputes by deadline", &HEADS, &html! { @for dispute in &self.window.rows { (self.row(dispute)) } }))
                    (self.window.pager(&self.asked.address()))
                }
            }
        }
    }

    fn none(&self) -> Markup {
        let is_plain = self.asked.address() == "~/disputes";
        if self.asked.after.is_some() || self.asked.before.is_some() {
            return html! {
                (empty("No dispute follows here: the list has changed.", self.now))
                p { a href=(self.asked.address()) { "To the first page" } }
            };
        }
        empty(if is_plain { "No dispute is open." } else { "No dispute matches these filters." }, self.now)
    }

    fn row(&self, dispute: &Dispute) -> Markup {
        html! {
            tr data-key=(dispute.dispute_id) {
                td { (due(dispute, self.now)) }
                td {
                    (order_link(dispute.order_id.as_deref()))
                    div {
                        a href=(to("/disputes/", &dispute.dispute_id)) { (code(&dispute.dispute_id)) }
                        @if let Some(account) = &dispute.account { " in " (code(account)) }
                        @if !dispute.livemode { " " (badge(Tone::Warn, "test")) }
                    }
                }
                td.number { (money(dispute.amount, &dispute.currency)) }
                td {
                    @match &dispute.reason { Some(reason) => (code(reason)), None => (unknown()) }
                    @if let Some(network) = &dispute.network_reason_code { " " (code(network)) }
                }
                td { (code(&dispute.phase)) div { (state(&dispute.status)) } }
                (self.answer(dispute))
            }
        }
    }

    fn answer(&self, dispute: &Dispute) -> Markup {
        let answer = self.answers.get(&dispute.dispute_id);
        let standing = answer.map(|answer| Standing {
            state: &answer.state,
            called: answer.called,
            there: answer.there,
            error: answer.error.as_deref(),
        });
        html! {
            td {
                @if self.who.may(Right::Respond) { (answer::said(standing, dispute, self.who)) } @else { (nothing()) }
                @if let Some(at) = answer.and_then(|answer| answer.accept_after) { " " (badge(Tone::Bad, "accepted by itself")) " after " (moment(at)) }
            }
            td { @match answer.and_then(|answer| answer.touched_by.as_deref()) { Some(name) => (foreign(name)), None => (nothing()) } }
        }
    }
}

const HEADS: [Head; 7] = [
    Head::Text("Evidence due"),
    Head::Text("Order and dispute"),
    Head::Number("Amount"),
    Head::Text("Reason"),
    Head::Text("Phase and status"),
    Head::Text("Our answer"),
    Head::Text("Last touched by"),
];

fn filters(asked: &Asked) -> Markup {
    // Stripe may have added one.
    let new = Some(asked.status.as_str()).filter(|status| !status.is_empty() && !STATUSES.contains(status));
    let statuses: Vec<_> = STATUSES.into_iter().chain(new).collect();
    let fields = html! {
        label { "Order " input name="order" value=(asked.order) maxlength="500" spellcheck="false"; }
        (choice("Status", "status", "any", &statuses, &asked.status))
        (choice("Phase", "phase", "any", &PHASES, &asked.phase))
        label { "Reason " input name="reason" value=(asked.reason) maxlength="100" spellcheck="false"; }
        (choice("Mode", "mode", "any", &MODES, &asked.mode))
        label { "Account " input name="account" value=(asked.account) maxlength="100" spellcheck="false" size="12"; }
        label { "Due before (UTC) " input name="due" value=(asked.due) maxlength="40" placeholder="2026-12-04" size="12"; }
        label { input type="checkbox" name="all" value="1" checked[!asked.all.is_empty()]; " include closed disputes" }
    };
    let set =
        [&asked.order, &asked.status, &asked.phase, &asked.reason, &asked.mode, &asked.account, &asked.due, &asked.all];
    list::filters("~/disputes", set.iter().any(|value| !value.is_empty()), &fields)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::console::pages::disputes::samples;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_in_a_sentence() {
        let asked = |mode: &str, due: &str| Asked { mode: mode.to_owned(), due: due.to_owned(), ..Asked::default() };
        for (mode, due, sentence) in [
            ("real", "", "There is no mode “real” to filter by."),
            ("", "tomorrow", "“tomorrow” is no time: write a day such as 2026-12-04, or 2026-12-04T12:00:00Z."),
        ] {
            let refused = asked(mode, due).filter().unwrap_err();
            assert!(matches!(&refused, Failure::Unreadable(said) if said == sentence), "{refused:?}");
        }
        let day = asked("live", "2026-12-04").filter().unwrap();
        assert_eq!(day.due_before.map(|at| at.unix_timestamp()), Some(1_796_342_400));
    }

    #[test]
    fn a_list_says_how_each_dispute_is_answered_and_an_empty_one_why_it_is_empty() {
        let dispute = |id: &str, change: fn(&mut Dispute)| {
            let mut dispute = Dispute { dispute_id: id.to_owned(), ..samples::dispute() };
            change(&mut dispute);
            dispute
        };
        let answer = |id: &str, state: &str, error: Option<&str>| Answer {
            dispute_id: id.to_owned(),
            state: state.to_owned(),
            called: 9,
            there: 5,
            error: error.map(str::to_owned),
            touched_by: Some("ben".to_owned()),
            accept_after: None,
        };
        let rows = vec![
            dispute("du_1", |dispute| dispute.evidence_due_by = Some(datetime!(2026-11-26 09:00 UTC))),
            dispute("du_2", |dispute| (dispute.livemode, dispute.account) = (false, Some("acct_1".to_owned()))),
            dispute("du_3", |dispute| (dispute.evidence_due_by, dispute.reason, dispute.order_id) = (None, None, None)),
            dispute("du_4", |dispute| (dispute.amount, dispute.currency) = (1_234, "kwd".to_owned())),
        ];
        let answers = [
            answer("du_2", "draft", None),
            answer("du_3", "rejected", Some("evidence is too long (req_1)")),
            answer("du_4", "submit_requested", None),
        ];
        let answers = answers.map(|answer| (answer.dispute_id.clone(), answer)).into();
        let who = samples::anna();
        let window = Cursor::default().window(rows, |dispute: &Dispute| dispute.dispute_id.clone());
        let mut view = View { asked: Asked::default(), window, answers, who: &who, now: samples::NOW };
        insta::assert_snapshot!(samples::read(&view.content()));
        view.window.rows.clear();
        assert!(view.content().0.contains("No dispute is open. Looked at 12:03:10 UTC."));
        view.asked.after = Some("du_gone".to_owned());
        assert!(view.content().0.contains("No dispute follows here: the list has changed."));
        view.asked.after = None;
        view.asked.reason = "brand_new".to_owned();
        assert!(view.content().0.contains("No dispute matches these filters."));
    }
}
