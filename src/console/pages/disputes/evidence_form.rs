//! What the page of evidence shows: the form of texts, then the files. Pure.

use maud::{Markup, html};
use time::OffsetDateTime;

use super::case::{Case, is_withheld};
use super::done::Done;
use super::fields::{self, APPEAL_REASON, Kind, PRODUCT};
use super::sent::{Sent, WITHHELD, digest};
use super::{answer, attached};
use crate::console::form::{Problems, described_by, field, invalid};
use crate::console::parts::{Tone, code, deadline, disabled, foreign, foreign_lines, note, to, unknown};
use crate::console::who::Who;

pub(super) struct View<'a> {
    pub case: &'a Case,
    pub who: &'a Who,
    /// What was typed; nothing when the page is opened.
    pub sent: &'a Sent,
    pub problems: &'a Problems,
    /// What this person just did.
    pub done: Option<Done>,
    /// Why this person can do nothing here.
    pub cannot: Option<String>,
    pub now: OffsetDateTime,
}

impl View<'_> {
    pub(super) fn content(&self) -> Markup {
        let closed = self.case.unchangeable();
        html! {
            p { a href=(to("/disputes/", self.case.id())) { "Dispute " (foreign(self.case.id())) } " · " (self.standing()) }
            (self.problems.summary())
            @if let Some(done) = self.done { (done.shown()) }
            @if let Some(why) = &closed {
                (note(Tone::Warn, &html! { p { (foreign(why)) } }))
                (self.unsaved())
            } @else {
                (self.form())
                (attached::section(self.case, self.who, self.problems, self.cannot.as_deref()))
                (self.next())
            }
        }
    }

    fn next(&self) -> Markup {
        html! {
            div.actions {
                a.button href={ (to("/disputes/", self.case.id())) "/submit" } { "Review and submit" }
                span.hint { "Save your text first." }
            }
        }
    }

    fn standing(&self) -> Markup {
        html! {
            @match self.case.dispute.evidence_due_by {
                Some(at) => { "due " (deadline(at, self.now)) },
                None => { "deadline " (unknown()) },
            }
            " · " (answer::badge_of(self.case, self.who))
        }
    }

    /// What was typed where it cannot be saved any more.
    fn unsaved(&self) -> Markup {
        html! {
            @if self.sent.all_changed().next().is_some() {
                h2 { "What you typed was not saved" }
                @for (name, text) in self.sent.all_changed() {
                    h3 { (fields::label(name)) " " (code(name)) }
                    div.card { (foreign_lines(text)) }
                }
            }
        }
    }

    fn form(&self) -> Markup {
        let (first, rest) = self.ordered();
        let is_open = rest.iter().any(|name| self.problems.of(name).is_some());
        html! {
            form action={ (to("/disputes/", self.case.id())) "/evidence" } method="post" data-guard {
                input type="hidden" name="version" value=(self.case.version());
                @if !self.case.is_appeal() { (self.product()) }
                @if let Some(name) = self.case.fee_field() { (self.fee(name)) }
                h2 { @if self.case.is_appeal() { "The appeal" } @else { "What the reason calls for" } }
                @for name in &first { (self.text(name)) }
                @if !rest.is_empty() {
                    details #other-fields open[is_open] {
                        summary { (rest.len()) " more fields" }
                        @for name in &rest { (self.text(name)) }
                    }
                }
                div.actions {
                    @match &self.cannot {
                        Some(why) => (disabled("Save the draft", why)),
                        None => { button.primary type="submit" { "Save the draft" } span.hint { "Nothing is submitted yet." } },
                    }
                }
            }
        }
    }

    /// The fields of text: what the reason calls for or is there, then the others.
    fn ordered(&self) -> (Vec<String>, Vec<String>) {
        if self.case.is_appeal() {
            return (vec![APPEAL_REASON.to_owned()], Vec::new());
        }
        let called = self.case.needs.iter().map(|need| &need.field).filter(|name| fields::kind(name) != Kind::File);
        let mut first: Vec<String> = called.cloned().collect();
        let stored = self.case.response.iter().flat_map(|response| response.fields.keys());
        let typed = self.sent.all_changed().map(|(name, _)| name);
        for name in stored.map(String::as_str).chain(typed) {
            let has_own_place = name == PRODUCT || Some(name) == self.case.fee_field();
            if !has_own_place && !first.iter().any(|listed| listed == name) {
                first.push(name.to_owned());
            }
        }
        let texts = fields::all().iter().filter(|field| field.kind != Kind::File).map(|field| field.name.to_owned());
        let rest = texts.filter(|name| !first.contains(name)).collect();
        (first, rest)
    }

    fn value(&self, name: &str) -> &str {
        let stored = if is_withheld(self.who, name) { None } else { self.case.text(name) };
        self.sent.changed(name).or(stored).unwrap_or_default()
    }

    /// What the form showed, by which a change by somebody else is noticed.
    fn was(&self, name: &str) -> Markup {
        let stored = self.case.text(name);
        let is_hidden = is_withheld(self.who, name) && stored.is_some();
        let was = if is_hidden { WITHHELD.to_owned() } else { digest(stored.unwrap_or_default()) };
        html! { input type="hidden" name={ "was." (name) } value=(was); }
    }

    fn text(&self, name: &str) -> Markup {
        let kind = fields::kind(name);
        let hint = format!("{name}, at most {} characters", kind.longest());
        let rows = if kind == Kind::Long { "9" } else { "2" };
        field(
            name,
            &fields::label(name),
            Some(&hint),
            self.problems,
            &html! {
                (self.held(name))
                @if is_withheld(self.who, name) && self.case.text(name).is_some() {
                    p.hint { "Filled in. You lack the right “payloads” to see it; what you type here replaces it." }
                }
                (self.was(name))
                // A text area drops the line break after its tag.
                textarea id=(name) name={ "text." (name) } rows=(rows) spellcheck="true" data-limit=(kind.longest())
                    aria-describedby=[described_by(name, true, self.problems)] aria-invalid=[invalid(name, self.problems)]
                    { "\n" (self.value(name)) }
                output.count data-count-of=(name) {}
                (self.conflict(name))
            },
        )
    }

    fn held(&self, name: &str) -> Markup {
        html! {
            @if let Some(held) = self.case.held(name) {
                @if is_withheld(self.who, name) {
                    p.hint { "Stripe filled this in, and it is sent unless you type something here." }
                } @else {
                    p.hint { "Stripe filled this in, and it is sent unless you type something here: " (foreign(held)) }
                }
            }
        }
    }

    /// The stored text beside the typed one, where somebody else changed it meanwhile.
    fn conflict(&self, name: &str) -> Markup {
        let stored = self.case.text(name).unwrap_or_default();
        let is_conflict = self.problems.of(name).is_some()
            && self.sent.changes(self.case, self.who).conflicts.iter().any(|it| it == name);
        html! {
            @if is_conflict {
                fieldset {
                    legend { "Two texts for " (fields::label(name)) }
                    label { input type="radio" name={ "take." (name) } value="mine" checked; " Save what is typed above" }
                    br;
                    label { input type="radio" name={ "take." (name) } value="stored"; " Keep what is stored now" (self.by()) ":" }
                    div.card {
                        @if is_withheld(self.who, name) { "Not shown: you lack the right “payloads”." }
                        @else if stored.is_empty() { "No text." }
                        @else { (foreign_lines(stored)) }
                    }
                }
            }
        }
    }

    fn by(&self) -> Markup {
        let by = self.case.response.as_ref().and_then(|response| response.staged_by.as_deref());
        html! { @if let Some(by) = by { ", by " (foreign(by)) } }
    }

    fn product(&self) -> Markup {
        const KINDS: [(&str, &str); 4] = [
            ("", "not said: as configured"),
            ("physical", "a physical product"),
            ("digital", "a digital product"),
            ("service", "a service, an event or a booking"),
        ];
        field(
            PRODUCT,
            "Kind of product",
            Some("Decides what the reason calls for. It is not sent."),
            self.problems,
            &html! {
                (self.was(PRODUCT))
                select id=(PRODUCT) name={ "text." (PRODUCT) } aria-describedby=[described_by(PRODUCT, true, self.problems)] {
                    @for (kind, said) in KINDS { option value=(kind) selected[self.value(PRODUCT) == kind] { (said) } }
                }
                (self.conflict(PRODUCT))
            },
        )
    }

    /// The network's fee, which a person must accept.
    fn fee(&self, name: &str) -> Markup {
        let amount = if name == fields::VISA_FEE { " of 500 USD, or as much in your currency" } else { "" };
        html! {
            (note(Tone::Warn, &html! {
                h2 { "The network charges a fee" }
                p { "Contesting this dispute costs a fee" (amount) ", on top of Stripe's dispute fee. It is returned if you win. Accepting the dispute costs no such fee." }
                @if let Some(problem) = self.problems.of(name) { p.problem { (foreign(problem)) } }
                (self.was(name))
                label { input id=(name) type="checkbox" name={ "text." (name) } value="true" checked[self.value(name) == "true"]; " I accept the fee" (amount) }
            }))
        }
    }
}
