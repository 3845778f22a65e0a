//! Disputes by deadline, with filters that stand in the address.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::parts::{Head, code, deadline, empty, foreign, money, nothing, state, table, to, unknown};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Dispute, DisputeFilter};

/// Rows of a page.
const ROWS: usize = 50;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    status: String,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    order: String,
    #[serde(default)]
    all: String,
    before: Option<String>,
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let filter = DisputeFilter {
        status: filled(&asked.status),
        phase: filled(&asked.phase),
        order_id: filled(&asked.order),
        open: asked.all.is_empty(),
        ..DisputeFilter::default()
    };
    let mut tx = console.reading().await?;
    let page = queries::Page { before: asked.before.clone(), limit: 51 };
    let disputes = queries::disputes(&mut tx, &filter, &page).await?;
    let answers = match who.may(Right::Respond) {
        true => answers(&mut tx, &disputes).await?,
        false => BTreeMap::new(),
    };
    let view = View { asked, disputes, answers, now: now() };
    Ok(console.show(&who, view.now, &Page::list("Disputes", Section::Disputes, view.content())))
}

/// The state of our response to each dispute.
async fn answers(conn: &mut sqlx::PgConnection, disputes: &[Dispute]) -> sqlx::Result<BTreeMap<String, String>> {
    let ids: Vec<_> = disputes.iter().map(|dispute| dispute.dispute_id.clone()).collect();
    let states = queries::response_states(conn, Some(&ids), None).await?;
    Ok(states.into_iter().map(|response| (response.dispute_id, response.state)).collect())
}

struct View {
    asked: Asked,
    disputes: Vec<Dispute>,
    answers: BTreeMap<String, String>,
    now: OffsetDateTime,
}

impl View {
    fn content(&self) -> Markup {
        html! {
            (filters(&self.asked))
            section data-region="disputes" {
                @if self.disputes.is_empty() {
                    (empty("No dispute matches.", self.now))
                } @else {
                    (table("Disputes", &HEADS, &html! { @for dispute in self.disputes.iter().take(ROWS) { (self.row(dispute)) } }))
                }
            }
        }
    }

    fn row(&self, dispute: &Dispute) -> Markup {
        html! {
            tr data-key=(dispute.dispute_id) {
                td { @match (dispute.evidence_due_by, &dispute.outcome) {
                    (_, Some(outcome)) => (state(outcome)),
                    (Some(at), None) => (deadline(at, self.now)),
                    (None, None) => (unknown()),
                } }
                td { a href=(to("/disputes/", &dispute.dispute_id)) { (code(&dispute.dispute_id)) } }
                td { @match &dispute.order_id {
                    Some(order) => a href=(to("/orders?id=", order)) { (foreign(order)) },
                    None => (nothing()),
                } }
                td.number { (money(dispute.amount, &dispute.currency)) }
                td { @match &dispute.reason { Some(reason) => (code(reason)), None => (unknown()) } }
                td { (code(&dispute.phase)) }
                td { (state(&dispute.status)) }
                td { @match self.answers.get(&dispute.dispute_id) { Some(answer) => (state(answer)), None => (nothing()) } }
            }
        }
    }
}

const HEADS: [Head; 8] = [
    Head::Text("Deadline"),
    Head::Text("Dispute"),
    Head::Text("Order"),
    Head::Number("Amount"),
    Head::Text("Reason"),
    Head::Text("Phase"),
    Head::Text("Status"),
    Head::Text("Our answer"),
];

fn filters(asked: &Asked) -> Markup {
    html! {
        form.filters action="~/disputes" method="get" {
            label { "Order " input name="order" value=(asked.order) maxlength="500"; }
            label { "Status " input name="status" value=(asked.status) maxlength="100"; }
            label { "Phase "
                select name="phase" {
                    @for phase in ["", "inquiry", "chargeback", "appeal", "compliance", "prevention"] {
                        option value=(phase) selected[asked.phase == phase] { @if phase.is_empty() { "any" } @else { (phase) } }
                    }
                }
            }
            label { input type="checkbox" name="all" value="1" checked[!asked.all.is_empty()]; " closed ones too" }
            button type="submit" { "Filter" }
        }
    }
}
