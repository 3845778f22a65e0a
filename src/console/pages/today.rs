//! Today: the disputes that await an answer, overdue ones first, and one line for everything else that waits for a person.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use time::OffsetDateTime;

use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::pages::disputes::answer;
use crate::console::parts::{
    HERE, Head, Tone, badge, code, code_or_none, deadline, empty, foreign, money, nothing, order_link, state, table,
    to, unknown,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::gauges::{self, FollowUps, Gauges};
use crate::store::queries::{self, Dispute, DisputeFilter};

/// Disputes that are shown; the list has all of them.
const ROWS: usize = 20;
/// An event that has waited longer than this is late, in seconds.
const LATE: f64 = 60.0;

/// The first page.
pub(in crate::console) async fn show(State(console): State<Arc<Console>>, who: Who) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let filter = DisputeFilter { awaits_answer: true, ..DisputeFilter::default() };
    let page = queries::Page::first(51);
    let disputes = queries::disputes(&mut tx, &filter, &page).await?;
    let ids: Vec<_> = disputes.iter().map(|dispute| dispute.dispute_id.clone()).collect();
    let answers = match who.may(Right::Respond) {
        true => queries::response_states(&mut tx, Some(&ids), None).await?,
        false => Vec::new(),
    };
    let answers = answers.into_iter().map(|answer| (answer.dispute_id, answer.state)).collect();
    let gauges = gauges::read(&mut tx).await?;
    let view = View { disputes, answers, gauges, sees_answers: who.may(Right::Respond), now: now() };
    Ok(console.show(&who, view.now, &Page::list("Today", Section::Today, view.content())))
}

struct View {
    disputes: Vec<Dispute>,
    answers: BTreeMap<String, String>,
    gauges: Gauges,
    sees_answers: bool,
    now: OffsetDateTime,
}

impl View {
    fn content(&self) -> Markup {
        html! {
            section data-region="disputes" {
                h2 { "Disputes that await an answer" }
                @if self.disputes.is_empty() {
                    (empty("No dispute awaits an answer.", self.now))
                } @else {
                    @if !self.sees_answers { (answer::hidden()) }
                    (table("Disputes that await an answer, by deadline", &HEADS, &html! {
                        @for dispute in self.disputes.iter().take(ROWS) { (self.row(dispute)) }
                    }))
                    @if self.disputes.len() > ROWS { p { a href="~/disputes" { "All open disputes" } } }
                }
            }
            section data-region="waiting" {
                h2 { "What else waits" }
                @let (some, none): (Vec<_>, Vec<_>) = self.lines().into_iter().partition(|line| line.0 > 0);
                @if some.is_empty() {
                    (empty("Nothing else waits for a person.", self.now))
                } @else {
                    ul.waiting { @for line in &some { (line.shown()) } }
                }
                @if !some.is_empty() && !none.is_empty() {
                    details #nothing { summary { "Nothing waits here" } ul { @for line in &none { li { "No " (line.2[1]) } } } }
                }
            }
        }
    }

    fn row(&self, dispute: &Dispute) -> Markup {
        html! {
            tr data-key=(dispute.dispute_id) {
                td { @match dispute.evidence_due_by { Some(at) => (deadline(at, self.now)), None => (unknown()) } }
                td {
                    (order_link(dispute.order_id.as_deref()))
                    div {
                        a href=(to("/disputes/", &dispute.dispute_id)) { (code(&dispute.dispute_id)) }
                        @if !dispute.livemode { " " (badge(Tone::Warn, "test")) }
                    }
                }
                td.number { (money(dispute.amount, &dispute.currency)) }
                td { (code_or_none(dispute.reason.as_deref())) }
                td { (foreign(&dispute.phase)) }
                td { @match self.answers.get(&dispute.dispute_id) {
                    Some(answer) => (state(answer)),
                    None if self.sees_answers => "nothing yet",
                    None => (nothing()),
                } }
            }
        }
    }

    /// Everything else that waits for a person: what costs money first.
    fn lines(&self) -> Vec<Line> {
        let Gauges { failed, unlinked, evidence_overdue, oldest_pending_seconds, pending, waiting, follow_ups, .. } =
            &self.gauges;
        let count =
            |is_it: &dyn Fn(&FollowUps) -> bool| follow_ups.iter().filter(|row| is_it(row)).map(|row| row.count).sum();
        let ready = |kind: &'static str| count(&|row| row.kind == kind && row.state == "ready");
        let late = if *oldest_pending_seconds > LATE { *pending } else { 0 };
        vec![
            Line(
                *evidence_overdue,
                Tone::Bad,
                ["payment with a missed deadline for evidence", "payments with a missed deadline for evidence"],
                "/disputes",
            ),
            Line(
                ready("mend_evidence"),
                Tone::Bad,
                ["response to a dispute that Stripe refused", "responses to disputes that Stripe refused"],
                "/follow-ups?kind=mend_evidence&state=ready",
            ),
            Line(
                ready("resolve_failed_refund"),
                Tone::Bad,
                ["refund that failed", "refunds that failed"],
                "/follow-ups?kind=resolve_failed_refund&state=ready",
            ),
            Line(
                ready("resolve_refused_request"),
                Tone::Bad,
                ["refund request that Stripe refused", "refund requests that Stripe refused"],
                "/follow-ups?kind=resolve_refused_request&state=ready",
            ),
            Line(
                ready("consider_refund"),
                Tone::Warn,
                [
                    "payment to consider refunding, after a fraud warning or an inquiry",
                    "payments to consider refunding, after a fraud warning or an inquiry",
                ],
                "/follow-ups?kind=consider_refund&state=ready",
            ),
            Line(
                count(&|row| row.state == "dead"),
                Tone::Bad,
                ["dead follow-up", "dead follow-ups"],
                "/follow-ups?state=dead",
            ),
            Line(*failed, Tone::Bad, ["failed event", "failed events"], "/events?state=failed"),
            Line(
                waiting.problems,
                Tone::Bad,
                ["account whose calls to Stripe wait for a person", "accounts whose calls to Stripe wait for a person"],
                "/health",
            ),
            Line(*unlinked, Tone::Warn, ["payment without an order", "payments without an order"], "/unlinked"),
            Line(
                late,
                Tone::Warn,
                [
                    "event waiting to be processed for more than a minute",
                    "events waiting to be processed for more than a minute",
                ],
                "/health",
            ),
        ]
    }
}

/// How many of something wait, what it is as one and as many, and where they are.
struct Line(i64, Tone, [&'static str; 2], &'static str);

impl Line {
    fn shown(&self) -> Markup {
        let Self(count, tone, [one, many], path) = self;
        html! {
            li { (badge(*tone, &count.to_string())) " " a href={ (HERE) (path) } { (if *count == 1 { one } else { many }) } }
        }
    }
}

const HEADS: [Head; 6] = [
    Head::Text("Deadline"),
    Head::Text("Order and dispute"),
    Head::Number("Amount"),
    Head::Text("Reason"),
    Head::Text("Phase"),
    Head::Text("Our answer"),
];

#[cfg(test)]
mod tests {
    use super::Line;
    use crate::console::parts::Tone;

    #[test]
    fn one_is_not_a_plural() {
        let shown = |count| Line(count, Tone::Bad, ["failed event", "failed events"], "/events").shown().0;
        assert!(shown(1).contains(">failed event<"), "{}", shown(1));
        assert!(shown(2).contains(">failed events<"), "{}", shown(2));
    }
}
