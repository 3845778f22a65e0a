//! A response to a dispute, as `clawback disputes show` prints it: what was staged or sent, and how it stands.

use std::collections::BTreeMap;

use crate::store::queries::{Response, ResponseFile};
use crate::terminal::table::{self, Cell, Column, column};
use crate::terminal::{Screen, escaped, moment};

const FILES: &[Column<ResponseFile>] = &[
    column("field", |file| Cell::text(&file.field)),
    column("file", |file| Cell::text(&file.name)),
    column("pages", |file| file.pages.map_or(Cell::Nothing, Cell::Number)),
    column("bytes", |file| Cell::Number(file.bytes)),
];

/// Whether a response can still be changed and submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is a draft, and its dispute takes evidence in its phase.
    Open,
    /// It is submitted or accepted, or its phase is over.
    Over,
}

impl Standing {
    /// Of a response in the present phase; `why_closed`: why the dispute takes no evidence.
    pub(super) fn of(response: &Response, why_closed: Option<&str>) -> Self {
        match response.state.as_str() {
            "draft" | "rejected" if why_closed.is_none() => Self::Open,
            _ => Self::Over,
        }
    }
}

/// The state of a response, then its texts, its files, and what Stripe filled in.
pub(super) fn shown(screen: &Screen, response: &Response, standing: Standing) -> String {
    let Response { phase, state, version, error, .. } = response;
    let mut lines = vec![format!("\nResponse in the phase {phase}: {state}, version {version}{}", by(response))];
    lines.extend(error.iter().map(|error| format!("Error: {}", escaped(error))));
    if standing == Standing::Open {
        lines.extend(what_follows(response));
    }
    let mut text = lines.join("\n") + "\n";
    text += &texts("Text", &response.fields);
    text += &table::section(screen, "Files", FILES, &response.files);
    text + &texts("Filled in by Stripe", &response.held)
}

/// What keeps an open draft from being submitted, and what becomes of it by itself.
fn what_follows(response: &Response) -> Vec<String> {
    let mut lines = Vec::new();
    if response.state == "rejected" {
        lines.push("The draft is open again: correct it and submit again".to_owned());
    }
    lines.extend(response.problems.iter().map(|problem| format!("It cannot be submitted: {}", escaped(problem))));
    lines.extend(response.accept_after.map(|at| {
        let at = moment::exact(at);
        format!("The dispute will be accepted automatically after {at}; any change of the draft cancels it")
    }));
    lines.extend(response.former_method.as_ref().map(|method| {
        format!("Stripe would respond by itself: {}; set to manual by the first change", escaped(method))
    }));
    lines
}

/// When it was submitted or accepted, and who asked for that.
fn by(response: &Response) -> String {
    let at = response.submitted_at.map_or_else(String::new, |at| format!(", at {}", moment::exact(at)));
    let by = response.submitted_by.as_ref().map_or_else(String::new, |who| format!(", requested by {}", escaped(who)));
    at + &by
}

/// Texts under a heading; nothing without any.
fn texts(heading: &str, texts: &BTreeMap<String, String>) -> String {
    if texts.is_empty() {
        return String::new();
    }
    let lines = texts.iter().map(|(field, text)| format!("  {} = {}\n", escaped(field), indented(text)));
    format!("\n{heading}\n\n{}", lines.collect::<String>())
}

/// A text of several lines, under its name.
pub(super) fn indented(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n      ")
}
