//! Forms: a field with its label, hint and problem, and the summary of problems above.

use maud::{Markup, html};

/// What is wrong with a form that was sent: the id of each field, and a sentence. The empty id is the form as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problems(Vec<(String, String)>);

impl Problems {
    pub(super) fn add(&mut self, field: &str, sentence: impl Into<String>) {
        self.0.push((field.to_owned(), sentence.into()));
    }

    pub(super) fn one(field: &str, sentence: impl Into<String>) -> Self {
        Self(vec![(field.to_owned(), sentence.into())])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sentence beside a field.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == field).map(|(_, sentence)| sentence.as_str())
    }

    /// All of them above the form, each with a link to its field. The script moves the focus there.
    pub(super) fn summary(&self) -> Markup {
        html! {
            @if !self.0.is_empty() {
                div.problems #problems role="alert" tabindex="-1" data-focus {
                    h2 { "Not done" }
                    ul { @for (field, sentence) in &self.0 {
                        li { @if field.is_empty() { (super::parts::foreign(sentence)) } @else { a href={ "#" (field) } { (super::parts::foreign(sentence)) } } }
                    } }
                }
            }
        }
    }
}

/// A field: label, hint, problem, then the control, which names both by [`described_by`].
pub(super) fn field(id: &str, label: &str, hint: Option<&str>, problems: &Problems, control: &Markup) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            @if let Some(hint) = hint { p.hint id={ (id) "-hint" } { (hint) } }
            @if let Some(problem) = problems.of(id) { p.problem id={ (id) "-problem" } { (super::parts::foreign(problem)) } }
            (control)
        }
    }
}

/// The value of `aria-describedby` of a field's control.
pub(super) fn described_by(id: &str, has_hint: bool, problems: &Problems) -> Option<String> {
    let hint = has_hint.then(|| format!("{id}-hint"));
    let problem = problems.of(id).map(|_| format!("{id}-problem"));
    let all: Vec<_> = hint.into_iter().chain(problem).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// The value of `aria-invalid` of a field's control.
pub(super) fn invalid(id: &str, problems: &Problems) -> Option<&'static str> {
    problems.of(id).map(|_| "true")
}
