//! The page that says why something was not done, in the frame of whoever asked.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use maud::{Markup, html};

use super::failure::Failure;
use super::frame::Page;
use super::parts::{foreign, to};
use super::who::{REFRESH, Who};
use super::{Console, login, now, unsent};

/// Makes a page of a failure.
pub(super) async fn dress(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let is_form = request.method() == Method::POST;
    let (path, is_poll) = (unsent::wanted(&request), request.headers().contains_key(REFRESH));
    let is_page = request.method() == Method::GET && !is_poll;
    let mut response = next.run(request).await;
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    let who = response.extensions_mut().remove::<Who>();
    if let (Failure::NobodyLoggedIn, true) = (&failure, is_page) {
        return console.see(&to("/login?next=", &path));
    }
    let content = match &failure {
        Failure::LoggedOutMeanwhile(unsent) => login::again(unsent),
        _ => html! { (said(&failure))
        @if is_form && failure.status() != StatusCode::FORBIDDEN { p { "Go back in the browser: what you typed is still there." } }
        @if who.is_some() { p { a href="~/" { "To the first page" } } } },
    };
    let page = Page { title: title(&failure).to_owned(), section: None, is_test: false, refreshed: None, content };
    let mut dressed = console.show_as(failure.status(), who.as_ref(), now(), &page);
    dressed.headers_mut().remove(header::ETAG);
    dressed
}

fn title(failure: &Failure) -> &'static str {
    match failure {
        Failure::NobodyLoggedIn | Failure::LoggedOutMeanwhile(_) | Failure::LinkUsed => "Log in",
        Failure::NotFromProxy | Failure::UnknownUser | Failure::Forbidden(_) | Failure::CrossSite => "Not allowed",
        Failure::NotFound(_) => "Not found",
        Failure::Unreadable(_) => "Cannot be read",
        Failure::Refused(_) => "Not done",
        Failure::ForeignHost => "Wrong address",
        Failure::TooLarge => "Too large",
        Failure::Busy | Failure::NoGrant | Failure::NoDatabase => "Not available",
    }
}

fn said(failure: &Failure) -> Markup {
    let text = match failure {
        Failure::NobodyLoggedIn | Failure::LoggedOutMeanwhile(_) => "You are not logged in.".to_owned(),
        Failure::LinkUsed => {
            "This link works once, and was used, or is another one's. Start `clawback dev` again for a new one.".to_owned()
        }
        Failure::NotFromProxy => {
            "This console is entered through its proxy, and the request did not come from there with one name in the \
                 header."
                .to_owned()
        }
        Failure::UnknownUser => "The proxy knows you, but you are not in the list of this console's users.".to_owned(),
        Failure::Forbidden(right) => format!("You lack the right “{right}”. Ask whoever runs this service."),
        Failure::NotFound(what) | Failure::Unreadable(what) | Failure::Refused(what) => what.clone(),
        Failure::CrossSite => {
            "This form was sent from another site, or not by a browser: open the page here and send it again."
                .to_owned()
        }
        Failure::ForeignHost => "This is not the address of the console.".to_owned(),
        Failure::TooLarge => "More was sent than this form takes.".to_owned(),
        Failure::NoGrant => {
            "The database role of this console lacks a right: whoever runs it gives it what `clawback grants --console` prints."
                .to_owned()
        }
        Failure::Busy => "The database is busy. Nothing was changed. Try again in a moment.".to_owned(),
        Failure::NoDatabase => {
            "The database does not answer. Events are still accepted or resent by Stripe. Try again in a moment."
                .to_owned()
        }
    };
    html! { p { (foreign(&text)) } }
}
