//! One follow-up: what is to be done, how it goes, and what people did with it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;
use time::OffsetDateTime;

use super::super::activity::done;
use super::change::Change;
use crate::console::extract::Path;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::parts::{
    code, code_or_none, deadline, disabled, facts, foreign, foreign_lines, moment, moment_ago, nothing, state, to,
    unknown,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Action, FollowUp};

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let missing = || Failure::NotFound(format!("There is no follow-up {id}."));
    let number = id.parse().map_err(|_| missing())?;
    let mut tx = console.reading().await?;
    let follow_up = queries::follow_up(&mut tx, number).await?.ok_or_else(missing)?;
    let actions = queries::actions(&mut tx, "follow_up", &id).await?;
    let view = View { follow_up, actions, refused: console.objection(&who, Right::Work), now: now() };
    let page = Page {
        title: format!("Follow-up {id}"),
        section: Some(Section::FollowUps),
        is_test: !view.follow_up.livemode,
        refreshed: Some(60),
        content: view.content(),
    };
    Ok(console.show(&who, view.now, &page))
}

struct View {
    follow_up: FollowUp,
    actions: Vec<Action>,
    /// Why nothing can be changed here.
    refused: Option<String>,
    now: OffsetDateTime,
}

impl View {
    fn content(&self) -> Markup {
        html! {
            section data-region="follow-up" {
                div.cards {
                    div.card { h2 { "What is to be done" } (self.task()) }
                    div.card { h2 { "How it goes" } (self.progress()) (self.buttons()) }
                }
                h2 { "Payload" }
                @if self.follow_up.is_pruned() { p { "Its payload, result and last error were pruned." } }
                @else { (pretty(Some(&self.follow_up.payload))) }
                @if self.follow_up.result.is_some() { h2 { "Result" } (pretty(self.follow_up.result.as_ref())) }
                h2 { "Actions" }
                (done(&self.actions, "Nobody has requeued or discarded it.", self.now))
            }
        }
    }

    fn task(&self) -> Markup {
        let FollowUp { kind, subject, round, key, order_id, payment_id, account, due_at, .. } = &self.follow_up;
        let found = |id: &str| html! { a href=(to("/find?q=", id)) { (code(id)) } };
        facts(&[
            ("Kind", code(kind)),
            ("Subject", found(subject)),
            ("Round", code_or_none(Some(round.as_str()).filter(|round| !round.is_empty()))),
            (
                "Due",
                due_at.map_or_else(nothing, |at| match self.follow_up.finished_at {
                    None => deadline(at, self.now),
                    Some(_) => moment(at),
                }),
            ),
            (
                "Order",
                order_id.as_ref().map_or_else(nothing, |id| html! { a href=(to("/orders?id=", id)) { (foreign(id)) } }),
            ),
            ("Payment", payment_id.as_deref().map_or_else(unknown, found)),
            ("Account", code_or_none(account.as_deref())),
            ("Idempotency key", code(key)),
        ])
    }

    fn progress(&self) -> Markup {
        let FollowUp { attempts, max_attempts, consumer, leased_until, run_at, created_at, finished_at, .. } =
            &self.follow_up;
        let lease = leased_until.map_or_else(nothing, |until| html! { "until " (deadline(until, self.now)) });
        html! {
            p.big { (state(&self.follow_up.state)) }
            @if !self.follow_up.wanted { p { "The payment no longer asks for it." } }
            @if let Some(error) = &self.follow_up.last_error { h3 { "Last error" } (foreign_lines(error)) }
            (facts(&[
                ("Attempts", html! { (attempts) " of " (max_attempts) }),
                ("Not before", moment(*run_at)),
                ("Last consumer", code_or_none(consumer.as_deref())),
                ("Lease", lease),
                ("Created", moment_ago(*created_at, self.now)),
                ("Finished", finished_at.map_or_else(nothing, |at| moment_ago(at, self.now))),
            ]))
        }
    }

    fn buttons(&self) -> Markup {
        html! { div.actions { (self.button(Change::Requeue)) (self.button(Change::Discard)) } }
    }

    fn button(&self, change: Change) -> Markup {
        let label = format!("{} …", change.verb());
        let obstacle = || change.obstacle(Some(&self.follow_up)).map(|why| format!("It {why}."));
        match self.refused.clone().or_else(obstacle) {
            Some(why) => disabled(&label, &why),
            None => {
                html! { a.button href=(to(&format!("{}?id=", change.path()), &self.follow_up.id.to_string())) { (label) } }
            }
        }
    }
}

/// JSON, indented.
fn pretty(value: Option<&Value>) -> Markup {
    let text = value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default();
    html! { pre tabindex="0" { @for line in text.lines() { (foreign(line)) "\n" } } }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{NOW, action, cancelled, dead, lines};
    use super::*;

    fn shown(follow_up: FollowUp, actions: Vec<Action>, refused: Option<&str>) -> String {
        lines(&View { follow_up, actions, refused: refused.map(str::to_owned), now: NOW }.content())
    }

    #[test]
    fn a_dead_one_is_shown_with_all_that_is_known() {
        insta::assert_snapshot!(shown(dead(), vec![action("requeue")], None));
    }

    #[test]
    fn what_cannot_be_done_says_why() {
        assert!(shown(cancelled(), Vec::new(), None).contains("It is no longer wanted."));
        let leased = FollowUp { state: "leased".to_owned(), ..dead() };
        assert!(shown(leased, Vec::new(), None).contains("It is leased by shop."));
        assert!(shown(dead(), Vec::new(), Some("The console is read-only.")).contains("The console is read-only."));
    }
}
