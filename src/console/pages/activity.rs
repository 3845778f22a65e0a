//! Who did what.

use maud::{Markup, html};
use time::OffsetDateTime;

use crate::console::parts::{Head, code, empty, foreign, foreign_lines, moment_ago, nothing, table};
use crate::store::queries::Action;

/// What people did with one thing. `none`: what to say when nobody did anything.
pub(super) fn done(actions: &[Action], none: &str, now: OffsetDateTime) -> Markup {
    html! {
        @if actions.is_empty() {
            (empty(none, now))
        } @else {
            (table("What people did", &HEADS, &html! { @for action in actions { tr { (cells(action, now)) } } }))
        }
    }
}

/// The last thing that somebody did with it, as a sentence.
pub(super) fn last(actions: &[Action], now: OffsetDateTime) -> Markup {
    html! {
        @if let Some(action) = actions.last() {
            "Last action: " (code(&action.action)) " by " (foreign(&action.actor)) ", " (moment_ago(action.at, now)) "."
        }
    }
}

const HEADS: [Head; 5] =
    [Head::Text("When"), Head::Text("Who"), Head::Text("Action"), Head::Text("Reason"), Head::Text("Via")];

fn cells(action: &Action, now: OffsetDateTime) -> Markup {
    html! {
        td { (moment_ago(action.at, now)) }
        td { (foreign(&action.actor)) }
        td { (code(&action.action)) }
        td.wide { @match &action.reason { Some(reason) => (foreign_lines(reason)), None => (nothing()) } }
        td { (code(&action.via)) }
    }
}
