//! The last look at a response before it is submitted: exactly what is sent, from the stored draft, with its version.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::answer::is_there;
use super::attached::described;
use super::case::{Case, is_withheld};
use super::fields;
use crate::console::extract::Path;
use crate::console::failure::{Failure, refusal};
use crate::console::form::Problems;
use crate::console::frame::{Page, Section};
use crate::console::parts::{
    Head, Tone, badge, code, code_or_none, deadline, disabled, facts, foreign, foreign_lines, money, note, order_link,
    table, to, unknown,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::desk::preview::{self, Parameter};
use crate::store::{queries, sqlstate};

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    console.review(StatusCode::OK, &who, &id, &Problems::default()).await
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Sent {
    /// The version that was reviewed.
    version: i64,
    /// The box is ticked.
    #[serde(rename = "final")]
    is_final: Option<String>,
}

/// Requests that the reviewed version is submitted.
pub(in crate::console) async fn submit(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    sent: Result<Form<Sent>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(sent) = sent.map_err(|_| Failure::Unreadable("This form names no version of the draft.".to_owned()))?;
    let mut tx = console.acting(&who).await?;
    let case = Case::load(&mut tx, &id).await?;
    if is_requested(&case, sent.version) {
        return Ok(console.see(&to("/disputes/", &id)));
    }
    if sent.is_final.is_none() {
        drop(tx);
        let problems =
            Problems::one("final", "Tick the box: a response is submitted once, and cannot be changed afterwards.");
        return console.review(StatusCode::UNPROCESSABLE_ENTITY, &who, &id, &problems).await;
    }
    match queries::submit_evidence(&mut tx, &id, sent.version).await {
        Ok(version) => {
            tx.commit().await?;
            match version {
                Some(_) => Ok(console.see(&to("/disputes/", &id))),
                None => console.review(StatusCode::UNPROCESSABLE_ENTITY, &who, &id, &late()).await,
            }
        }
        Err(error) => {
            drop(tx);
            console.not_submitted(&who, &id, sent.version, error).await
        }
    }
}

/// The deadline has passed: SQL asks for a second confirmation of the same version.
fn late() -> Problems {
    Problems::one(
        "",
        "Not submitted: the deadline has passed. Submit it again within the hour to send it anyway. Stripe promises nothing \
         for late evidence.",
    )
}

/// Whether this version was submitted by the same form already.
fn is_requested(case: &Case, version: i64) -> bool {
    let is_on_its_way = |state: &str| matches!(state, "submit_requested" | "submitted");
    case.response.as_ref().is_some_and(|response| is_on_its_way(&response.state) && response.version == version + 1)
}

impl Console {
    /// Shows why it was not submitted, unless the same form was sent at the same time.
    async fn not_submitted(&self, who: &Who, id: &str, version: i64, error: sqlx::Error) -> Result<Response, Failure> {
        let Some(sentence) = refusal(&error) else { return Err(error.into()) };
        let case = Case::load(&mut *self.reading().await?, id).await?;
        if is_requested(&case, version) {
            return Ok(self.see(&to("/disputes/", id)));
        }
        let problem = if sqlstate::is_any(&error, &["CB409"]) {
            "Somebody changed the draft since you reviewed it. Nothing was submitted: review it again.".to_owned()
        } else {
            sentence
        };
        self.review(StatusCode::CONFLICT, who, id, &Problems::one("", problem)).await
    }

    async fn review(&self, status: StatusCode, who: &Who, id: &str, problems: &Problems) -> Result<Response, Failure> {
        let mut tx = self.reading().await?;
        let case = Case::load(&mut tx, id).await?;
        let view = View::load(&mut tx, &case, who, problems, self.objection(who, Right::Respond)).await?;
        let page = Page {
            title: format!("Submit the response to dispute {id}"),
            section: Some(Section::Disputes),
            is_test: !case.dispute.livemode,
            // Only while there is no form to submit.
            refreshed: case.is_being_counted().then_some(3),
            content: view.content(),
        };
        Ok(self.show_as(status, Some(who), view.now, &page))
    }
}

struct View<'a> {
    case: &'a Case,
    who: &'a Who,
    problems: &'a Problems,
    /// In the order in which they are sent.
    parameters: Vec<Parameter>,
    /// What Stripe filled in and keeps.
    kept: Vec<Parameter>,
    cannot: Option<String>,
    now: OffsetDateTime,
}

impl<'a> View<'a> {
    async fn load(
        conn: &mut PgConnection,
        case: &'a Case,
        who: &'a Who,
        problems: &'a Problems,
        cannot: Option<String>,
    ) -> sqlx::Result<Self> {
        let (parameters, kept) = match &case.response {
            Some(response) => {
                let preview = preview::preview(conn, &case.dispute, response).await?;
                (preview.parameters, preview.kept)
            }
            None => (Vec::new(), Vec::new()),
        };
        Ok(Self { case, who, problems, parameters, kept, cannot, now: now() })
    }

    fn content(&self) -> Markup {
        html! {
            p { a href=(to("/disputes/", self.case.id())) { "Dispute " (foreign(self.case.id())) } }
            (self.problems.summary())
            section data-region="review" { (self.facts()) (self.gaps()) (self.all_sent()) (self.form()) }
        }
    }

    fn facts(&self) -> Markup {
        let dispute = &self.case.dispute;
        html! {
            div.card { (facts(&[
                ("Evidence due", dispute.evidence_due_by.map_or_else(unknown, |at| deadline(at, self.now))),
                ("Amount", money(dispute.amount, &dispute.currency)),
                ("Order", order_link(dispute.order_id.as_deref())),
                ("Reason", code_or_none(dispute.reason.as_deref())),
                ("Phase", code(&dispute.phase)),
                ("Version", html! { (self.case.version()) }),
                ("Mode", if dispute.livemode { html! { "live" } } else { badge(Tone::Warn, "test") }),
            ])) }
        }
    }

    fn all_sent(&self) -> Markup {
        html! {
            @if self.case.unchangeable().is_none() && !self.parameters.is_empty() {
                h2 { "Exactly this is sent" }
                (self.sent("What is sent", &self.parameters))
                @if !self.kept.is_empty() {
                    h2 { "Filled in by Stripe, and kept" }
                    (self.sent("What Stripe filled in", &self.kept))
                }
            }
        }
    }

    /// What is missing. It does not keep the response from being submitted.
    fn gaps(&self) -> Markup {
        let absent = |is_strong| {
            let needs = self.case.needs.iter().filter(move |need| need.is_strong == is_strong && !is_there(need));
            needs.map(|need| need.field.as_str()).collect::<Vec<_>>()
        };
        let (strong, others) = (absent(true), absent(false));
        html! {
            @if self.case.unchangeable().is_none() {
                @if !strong.is_empty() { (note(Tone::Warn, &self.missing("Missing, and among what helps most:", &strong))) }
                @if !others.is_empty() { (note(Tone::Calm, &self.missing("Not there, and would help somewhat:", &others))) }
            }
        }
    }

    fn missing(&self, sentence: &str, fields: &[&str]) -> Markup {
        html! {
            p { (sentence) }
            ul { @for name in fields { li { a href={ (to("/disputes/", self.case.id())) "/evidence#" (name) } { (fields::label(name)) } " " (code(name)) } } }
        }
    }

    fn sent(&self, caption: &str, parameters: &[Parameter]) -> Markup {
        const HEADS: [Head; 2] = [Head::Text("What, and the parameter"), Head::Text("Value")];
        table(
            caption,
            &HEADS,
            &html! { @for parameter in parameters {
                tr { th scope="row" { (label(&parameter.name)) br; (code(&parameter.name)) } td.wide { (self.value(parameter)) } }
            } },
        )
    }

    fn value(&self, parameter: &Parameter) -> Markup {
        let field = field_of(&parameter.name);
        let file = field.as_deref().and_then(|field| self.case.file(field));
        html! {
            @if let Some(file) = file { (described(self.case, self.who, file)) }
            @else if field.is_some_and(|field| is_withheld(self.who, &field)) && !parameter.value.is_empty() {
                span.none { (parameter.value.chars().count()) " characters; you lack the right “payloads” to see them" }
            } @else if parameter.value.is_empty() { span.none { "empty: it is removed at Stripe" } }
            @else { (foreign_lines(&parameter.value)) }
        }
    }

    /// Why the button does nothing.
    fn reasons(&self) -> Vec<String> {
        let closed = self.case.unchangeable();
        let stored =
            self.case.response.iter().flat_map(|response| response.problems.iter().map(|text| fields::problem(text)));
        let nothing = (self.case.response.is_none() && closed.is_none()).then(|| "Nothing is written yet.".to_owned());
        let problems: Vec<_> = if closed.is_some() { Vec::new() } else { stored.collect() };
        self.cannot.iter().cloned().chain(closed).chain(nothing).chain(problems).collect()
    }

    fn form(&self) -> Markup {
        let reasons = self.reasons();
        let is_late = self.case.dispute.evidence_due_by.is_some_and(|at| at < self.now);
        let is_asked_again = is_late && self.case.response.as_ref().is_some_and(|response| response.error.is_some());
        let label = if is_asked_again { "Submit it late" } else { "Submit" };
        html! {
            h2 { "Submit" }
            @if reasons.is_empty() {
                form action={ (to("/disputes/", self.case.id())) "/submit" } method="post" {
                    input type="hidden" name="version" value=(self.case.version());
                    @if is_late { p.problem { "The deadline has passed. Stripe promises nothing for late evidence." } }
                    @if let Some(problem) = self.problems.of("final") { p.problem #final-problem { (problem) } }
                    label { input #final type="checkbox" name="final" value="yes" aria-describedby=[self.problems.of("final").map(|_| "final-problem")]; " This is final: one submission, which cannot be changed." }
                    div.actions { button.primary type="submit" { (label) } a href={ (to("/disputes/", self.case.id())) "/evidence" } { "Change the draft" } }
                }
            } @else {
                div.actions { (disabled("Submit", "It cannot be submitted:")) }
                ul { @for reason in &reasons { li { (foreign(reason)) } } }
                @if self.case.unchangeable().is_none() { p { a href={ (to("/disputes/", self.case.id())) "/evidence" } { "To the evidence" } } }
            }
            @if !self.who.may(Right::Payloads) && reasons.is_empty() {
                p.hint { "You do not see all of what is sent: you lack the right “payloads”." }
            }
        }
    }
}

/// What a parameter is, for people.
fn label(parameter: &str) -> String {
    match parameter {
        "submit" => "Submits it to the bank".to_owned(),
        "intended_submission_method" => "Stripe does not answer by itself".to_owned(),
        "evidence[enhanced_evidence]" => "Former enhanced evidence".to_owned(),
        other if other.starts_with("metadata[") => "Mark of this submission".to_owned(),
        other => field_of(other).map(|field| fields::label(&field)).unwrap_or_default(),
    }
}

/// The evidence field of a parameter such as `evidence[shipping_date]`: the reverse of `evidence_parameter`. None for any
/// other parameter.
fn field_of(parameter: &str) -> Option<String> {
    let inner = parameter.strip_prefix("evidence[")?.strip_suffix(']')?;
    let mut field = String::new();
    for part in inner.split("][") {
        if part.parse::<u32>().is_ok() {
            field += &format!("[{part}]");
        } else {
            field += if field.is_empty() { "" } else { "." };
            field += part;
        }
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, NOW, anna, case, file, read};
    use super::*;
    use crate::stripe_api::evidence_parameter;

    fn shown(case: &Case, who: &Who, parameters: &[(&str, &str)]) -> Markup {
        let own =
            |(field, value): &(&str, &str)| Parameter { name: evidence_parameter(field), value: (*value).to_owned() };
        let mut parameters: Vec<_> = parameters.iter().map(own).collect();
        if !parameters.is_empty() {
            parameters.push(Parameter { name: "submit".to_owned(), value: "true".to_owned() });
        }
        let problems = &Problems::default();
        View { case, who, problems, parameters, kept: Vec::new(), cannot: None, now: NOW }.content()
    }

    #[test]
    fn what_is_sent_is_named_for_people_and_files_are_links() {
        let mut case = case(&[("shipping_carrier", "DHL"), ("customer_name", "Jane")]);
        case.response.as_mut().unwrap().files.push(file("receipt", "receipt.pdf"));
        let parameters = [
            ("shipping_carrier", "DHL"),
            ("customer_name", "Jane"),
            ("receipt", "file receipt.pdf"),
            ("service_date", ""),
        ];
        let page = shown(&case, &anna(), &parameters);
        assert!(page.0.contains("href=\"~/disputes/du_1/files/receipt\""), "{}", page.0);
        insta::assert_snapshot!("submit", read(&page));
        let page = read(&shown(&case, &samples::who(&[Right::Read, Right::Respond]), &parameters));
        assert!(!page.contains("Jane") && !page.contains("receipt.pdf"), "{page}");
    }

    #[test]
    fn without_a_draft_no_table_is_shown_and_what_is_missing_is_named() {
        let page = read(&shown(&Case { response: None, limits: None, ..case(&[]) }, &anna(), &[]));
        assert!(!page.contains("Exactly this is sent"), "{page}");
        for text in ["Nothing is written yet.", "Missing, and among what helps most:", "Tracking number"] {
            assert!(page.contains(text), "{text} is not in {page}");
        }
    }

    #[test]
    fn the_field_of_a_parameter_is_found_again() {
        for field in
            ["receipt", "appeal.card.supporting_files[0]", "enhanced_evidence.visa_compliance.fee_acknowledged"]
        {
            assert_eq!(field_of(&evidence_parameter(field)).as_deref(), Some(field));
        }
        assert_eq!(field_of("submit"), None);
    }
}
