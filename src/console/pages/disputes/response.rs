//! The response to a dispute on its page: how it stands, the checklist, texts and files. Pure.

use maud::{Markup, html};

use super::answer::is_there;
use super::attached::{described, used};
use super::case::{Case, is_withheld};
use super::fields::{self, Kind, PRODUCT};
use crate::console::parts::{
    Head, Tone, badge, code, foreign, foreign_lines, moment, moment_or_none, note, state, table, to,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::desk::checklist::Need;
use crate::store::queries::Response;

/// The response of the present phase, the checklist while it can be changed, then the responses of other phases.
pub(super) fn section(case: &Case, who: &Who) -> Markup {
    let is_open = case.unchangeable().is_none();
    html! {
        @if let (Some(response), true) = (&case.response, is_open) { (standing(response, who)) }
        @if is_open { (checklist(case)) }
        h2 { "Our response" }
        @if let Some(response) = &case.response {
            @if response.version > 0 { (written(case, response, who)) }
        } @else {
            p.empty { @if is_open { "Nothing is written yet." } @else { "Nothing was written here." } }
        }
        @for other in &case.others { (written(case, other, who)) }
    }
}

/// What was refused, what keeps it from being submitted, and what becomes of it by itself.
fn standing(response: &Response, who: &Who) -> Markup {
    html! {
        @if let Some(error) = &response.error {
            (note(Tone::Bad, &html! {
                @if response.state == "rejected" { p { strong { "Stripe refused it. " } "The draft is open again: correct it and submit it again." } }
                @if who.may(Right::Payloads) { p { (foreign(error)) } } @else { p { "You lack the right “payloads” to read what Stripe said." } }
            }))
        }
        @if !response.problems.is_empty() {
            (note(Tone::Warn, &html! { p { "It cannot be submitted yet:" } ul { @for problem in &response.problems { li { (foreign(&fields::problem(problem))) } } } }))
        }
        @if let Some(at) = response.accept_after {
            (note(Tone::Bad, &html! { p { "The dispute will be accepted as lost by itself after " (moment(at)) ". Any change of the draft prevents it." } }))
        }
        @if let Some(method) = &response.former_method {
            p.hint { "Stripe would have answered by itself (" (code(method)) "); that was set to manual." }
        }
    }
}

/// What the reason calls for, and where it comes from.
fn checklist(case: &Case) -> Markup {
    const HEADS: [Head; 3] = [Head::Text("Field"), Head::Text("Helps"), Head::Text("State")];
    let title = if case.is_appeal() { "What an appeal takes" } else { "What the reason calls for" };
    html! {
        h2 { (title) }
        (table(title, &HEADS, &html! { @for need in &case.needs {
            tr {
                td { a href={ (to("/disputes/", case.id())) "/evidence#" (need.field) } { (fields::label(&need.field)) } " " (code(&need.field)) }
                td { @if need.is_strong { "most" } @else { "somewhat" } }
                td { (badge(tone(need), need.source)) }
            }
        } }))
    }
}

fn tone(need: &Need) -> Tone {
    match (is_there(need), need.is_strong) {
        (true, _) => Tone::Good,
        (false, true) => Tone::Warn,
        (false, false) => Tone::Calm,
    }
}

/// A response with its texts and files.
fn written(case: &Case, response: &Response, who: &Who) -> Markup {
    let id = format!("response-{}", response.phase);
    html! {
        details.response id=(id) open[response.phase == case.dispute.phase] {
            summary { "Response in the phase " (code(&response.phase)) ", version " (response.version) ": " (state(&response.state)) }
            p.hint {
                @if let Some(by) = &response.staged_by { "Last changed by " (foreign(by)) ", " (moment(response.updated_at)) ". " }
                @if let Some(by) = &response.submitted_by { "Requested by " (foreign(by)) ". " }
                @if response.submitted_at.is_some() { "Done at " (moment_or_none(response.submitted_at)) ". " }
                @if response.is_staged { "Stripe holds this version, not submitted." }
            }
            (texts(response, who))
            (files(case, response, who))
        }
    }
}

fn texts(response: &Response, who: &Who) -> Markup {
    const HEADS: [Head; 2] = [Head::Text("Field"), Head::Text("Text")];
    html! {
        @if !response.fields.is_empty() {
            (table(&format!("Texts of the response, {}", response.phase), &HEADS, &html! { @for (name, text) in response.fields.iter() {
                tr {
                    th scope="row" { (fields::label(name)) @if name != PRODUCT { br; (code(name)) } }
                    td.wide { (shown(name, text, who)) }
                }
            } }))
        }
    }
}

/// A text, for those who may see it.
pub(super) fn shown(name: &str, text: &str, who: &Who) -> Markup {
    html! {
        @if is_withheld(who, name) { span.none { (text.chars().count()) " characters; you lack the right “payloads” to see them" } }
        @else { (foreign_lines(text)) }
    }
}

fn files(case: &Case, response: &Response, who: &Who) -> Markup {
    let is_present = response.phase == case.dispute.phase;
    html! {
        @if !response.files.is_empty() {
            h3 { "Files" }
            @if is_present { p.hint { (used(case)) } }
            ul { @for file in response.files.iter() {
                li { (fields::label(&file.field)) " " (code(&file.field))
                    @if is_present { (described(case, who, file)) }
                    @else if who.may(Right::Payloads) { ": " (foreign(&file.name)) }
                }
            } }
        }
    }
}

/// What Stripe holds that nobody wrote here: it is sent too.
pub(super) fn held(case: &Case, who: &Who) -> Markup {
    let held = case.response.as_ref().map(|response| &response.held).filter(|held| !held.is_empty());
    html! {
        @if let Some(held) = held {
            h3 { "Filled in at Stripe, and sent too" }
            dl.facts { @for (name, text) in held.iter() {
                div {
                    dt { (fields::label(name)) " " (code(name)) }
                    dd { @if fields::kind(name) == Kind::File { (code(text)) } @else { (shown(name, text, who)) } }
                }
            } }
        }
    }
}
