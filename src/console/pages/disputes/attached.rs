//! The files of a response on its page of evidence: what is attached, with a form for each field. Pure.

use maud::{Markup, html};

use super::case::Case;
use super::fields::{self, Kind};
use crate::console::form::Problems;
use crate::console::parts::{code, disabled, encoded, foreign, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::desk::checklist::{CHARACTERS_OF_A_PAGE, Limits, MOST_CHARACTERS};
use crate::store::queries::ResponseFile;

/// All of them, with how much of the limit they use.
pub(super) fn section(case: &Case, who: &Who, problems: &Problems, cannot: Option<&str>) -> Markup {
    let (first, rest) = ordered(case);
    let is_open = rest.iter().any(|name| problems.of(name).is_some());
    let one = |name: &String| one(case, who, problems, cannot, name);
    html! {
        section #files {
            h2 { "Files" }
            p.hint { (used(case)) " PDF, JPEG or PNG. Several files for one field become one PDF. Save your text first." }
            @for name in &first { (one(name)) }
            @if !rest.is_empty() {
                details #other-files open[is_open] {
                    summary { (rest.len()) " more kinds of document" }
                    @for name in &rest { (one(name)) }
                }
            }
        }
    }
}

/// `Used: 0.24 of 4.5 MB, 6 of 49 pages, 1200 of 150000 characters.`
pub(super) fn used(case: &Case) -> String {
    let Some(Limits { characters, bytes, pages, most_pages }) = case.limits else {
        return "At most 4.5 MB in all.".to_owned();
    };
    let of_pages = most_pages.map_or_else(String::new, |most| format!(" of {most}"));
    format!(
        "Used: {} of 4.5 MB, {pages}{of_pages} pages (text counts as a page for each {CHARACTERS_OF_A_PAGE} characters), \
         {characters} of {MOST_CHARACTERS} characters.",
        megabytes(bytes)
    )
}

/// `1.24 MB`, or `303 bytes` below a hundredth.
pub(super) fn megabytes(bytes: i64) -> String {
    if bytes < 10_000 {
        return format!("{bytes} bytes");
    }
    format!("{}.{:02} MB", bytes / 1_000_000, bytes % 1_000_000 / 10_000)
}

/// The fields of files: what the reason calls for or is there, then the others.
fn ordered(case: &Case) -> (Vec<String>, Vec<String>) {
    let there = case.response.iter().flat_map(|response| response.files.iter().map(|file| file.field.clone()));
    if case.is_appeal() {
        let mut places: Vec<_> = there.collect();
        let free = (0..).map(fields::appeal_file).find(|place| !places.contains(place));
        places.extend(free);
        return (places, Vec::new());
    }
    let called = case.needs.iter().map(|need| &need.field).filter(|name| fields::kind(name) == Kind::File);
    let mut first: Vec<String> = called.cloned().collect();
    for name in there {
        if !first.contains(&name) {
            first.push(name);
        }
    }
    let files = fields::all().iter().filter(|field| field.kind == Kind::File).map(|field| field.name.to_owned());
    let rest = files.filter(|name| !first.contains(name)).collect();
    (first, rest)
}

/// The path of a file of a dispute.
pub(super) fn path(case: &Case, name: &str) -> String {
    format!("{}/files/{}", to("/disputes/", case.id()), encoded(name))
}

fn one(case: &Case, who: &Who, problems: &Problems, cannot: Option<&str>, name: &str) -> Markup {
    let file = case.file(name);
    html! {
        div.card.file {
            h3 id=(name) { (fields::label(name)) " " (code(name)) }
            @if let Some(problem) = problems.of(name) { p.problem { (foreign(problem)) } }
            @match (file, case.held(name)) {
                (Some(file), _) => (described(case, who, file)),
                (None, Some(_)) => p.hint { "Stripe has a file for this. What you attach here replaces it." },
                (None, None) => {},
            }
            @match cannot {
                Some(why) => p { (disabled("Attach", why)) },
                None => (forms(case, name, file)),
            }
        }
    }
}

/// What is attached. Its name and content only for those who may see personal data.
pub(super) fn described(case: &Case, who: &Who, file: &ResponseFile) -> Markup {
    html! {
        p {
            @if who.may(Right::Payloads) {
                a href=(path(case, &file.field)) { (foreign(&file.name)) } ", "
            } @else { "A file, " }
            (megabytes(file.bytes)) ", "
            @match file.pages {
                Some(1) => "1 page",
                Some(pages) => { (pages) " pages" },
                None => "pages not counted",
            }
        }
    }
}

fn forms(case: &Case, name: &str, file: Option<&ResponseFile>) -> Markup {
    let was = file.map_or("", |file| &file.sha256);
    html! {
        div.actions {
            form.upload action=(path(case, name)) method="post" enctype="multipart/form-data" {
                input type="hidden" name="was" value=(was);
                label.hidden for={ "file-" (name) } { "Files for " (fields::label(name)) }
                input id={ "file-" (name) } type="file" name="file" multiple required accept=".pdf,.jpg,.jpeg,.png,application/pdf,image/jpeg,image/png";
                " " button type="submit" { @if file.is_some() { "Replace" } @else { "Attach" } }
            }
            @if file.is_some() {
                details id={ "remove-" (name) } {
                    summary { "Remove" }
                    form action={ (path(case, name)) "/remove" } method="post" {
                        input type="hidden" name="was" value=(was);
                        button.danger type="submit" { "Remove the file" }
                    }
                }
            }
        }
    }
}
