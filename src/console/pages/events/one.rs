//! One event: where it stands, its body, and who had it processed again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use time::OffsetDateTime;

use super::super::activity::done;
use super::replay;
use crate::console::extract::Path;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::json;
use crate::console::parts::{
    code, code_or_none, disabled, facts, foreign, foreign_lines, moment_ago, moment_or_none, nothing, state, to,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Action, Event};

fn missing(id: &str) -> Failure {
    Failure::NotFound(format!("There is no event {id} in the ledger."))
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let event = queries::event(&mut tx, &id).await?.ok_or_else(|| missing(&id))?;
    let actions = queries::actions(&mut tx, "event", &id).await?;
    let body = match who.may(Right::Payloads) {
        true => queries::payload(&mut tx, &id).await?.map_or(Body::Pruned, Body::Text),
        false => Body::NotAllowed,
    };
    let view = View { event, body, actions, refused: console.objection(&who, Right::Work), now: now() };
    let page = Page {
        title: "Event".to_owned(),
        section: Some(Section::Events),
        is_test: view.event.livemode == Some(false),
        refreshed: Some(60),
        content: view.content(),
    };
    Ok(console.show(&who, view.now, &page))
}

/// The body as a file.
pub(in crate::console) async fn download(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let body = queries::payload(&mut tx, &id).await?;
    let body = body.ok_or_else(|| Failure::NotFound(format!("The ledger has no body of event {id}.")))?;
    let name: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(100).collect();
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.json\"")),
    ];
    Ok((headers, body).into_response())
}

/// The body of an event, as this person may see it.
enum Body {
    Text(String),
    /// It was deleted after the time that bodies are kept.
    Pruned,
    NotAllowed,
}

struct View {
    event: Event,
    body: Body,
    actions: Vec<Action>,
    /// Why nothing can be changed here.
    refused: Option<String>,
    now: OffsetDateTime,
}

impl View {
    fn content(&self) -> Markup {
        html! {
            section data-region="event" {
                p.big { (code(&self.event.event_id)) }
                div.cards {
                    div.card { h2 { "What happened" } (self.origin()) }
                    div.card { h2 { "Where it stands" } (self.progress()) (self.button()) }
                }
                h2 { "Replays" }
                (done(&self.actions, "Nobody has replayed it.", self.now))
            }
            section data-region="body" { h2 { "Body" } (self.body()) }
        }
    }

    fn origin(&self) -> Markup {
        let Event { event_type, object_id, payment_id, account, api_version, livemode, created_at, .. } = &self.event;
        let found = |id: &Option<String>| match id {
            Some(id) => html! { a href=(to("/find?q=", id)) { (code(id)) } },
            None => nothing(),
        };
        facts(&[
            ("Type", code(event_type)),
            ("Object", found(object_id)),
            ("Payment", found(payment_id)),
            ("Mode", livemode.map_or_else(nothing, |live| html! { @if live { "live" } @else { "test" } })),
            ("Account", code_or_none(account.as_deref())),
            ("API version", code_or_none(api_version.as_deref())),
            ("Created at Stripe", moment_or_none(*created_at)),
        ])
    }

    fn progress(&self) -> Markup {
        let Event { received_at, attempts, processed_at, last_error, .. } = &self.event;
        let tried = if self.event.state == "failed" { "Last tried" } else { "Processed" };
        html! {
            p { (state(&self.event.state)) }
            @if let Some(error) = last_error { h3 { "Last error" } (foreign_lines(error)) }
            (facts(&[
                ("Received", moment_ago(*received_at, self.now)),
                ("Attempts", html! { (attempts) }),
                (tried, processed_at.map_or_else(nothing, |at| moment_ago(at, self.now))),
            ]))
        }
    }

    fn button(&self) -> Markup {
        let pruned = || matches!(self.body, Body::Pruned).then(|| "Its body was pruned.".to_owned());
        let obstacle = || replay::obstacle(Some(&self.event)).map(|why| format!("It {why}."));
        html! {
            div.actions { @match self.refused.clone().or_else(obstacle).or_else(pruned) {
                Some(why) => (disabled("Replay …", &why)),
                None => a.button href=(to("/events/replay?id=", &self.event.event_id)) { "Replay …" },
            } }
        }
    }

    fn body(&self) -> Markup {
        match &self.body {
            Body::Text(text) => html! {
                p { "As received; client secrets are masked." }
                div.actions {
                    button type="button" data-copy="body" hidden { "Copy" }
                    a.button href={ (to("/events/", &self.event.event_id)) "/payload" } { "Download" }
                }
                pre #body tabindex="0" { @for line in json::indented(text).lines() { (foreign(line)) "\n" } }
            },
            Body::Pruned => html! { p { "Its body was pruned: it is older than the time for which bodies are kept." } },
            Body::NotAllowed => {
                html! { p { "To read bodies, which contain personal data, you need the right “" (Right::Payloads) "”." } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{NOW, action, failed, lines, pending};
    use super::*;

    fn shown(event: Event, body: Body, actions: Vec<Action>) -> String {
        lines(&View { event, body, actions, refused: None, now: NOW }.content())
    }

    #[test]
    fn a_failed_event_is_shown_with_its_body() {
        let body = Body::Text(r#"{"z":12345678901234567890,"a":"</pre><script>"}"#.to_owned());
        insta::assert_snapshot!(shown(failed(), body, vec![action("replay")]));
    }

    #[test]
    fn a_body_that_is_gone_or_not_for_everybody_is_said_to_be() {
        let pruned = shown(failed(), Body::Pruned, Vec::new());
        assert!(pruned.contains("for which bodies are kept") && pruned.contains("Its body was pruned."), "{pruned}");
        let kept = shown(pending(), Body::NotAllowed, Vec::new());
        assert!(kept.contains("you need the right “payloads”") && kept.contains("It is pending"), "{kept}");
    }
}
