//! The frame of every page: navigation, who is logged in, banners, and the document around it.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::parts::{HERE, clock, foreign, machine, plain};
use super::who::Who;
use super::{Console, assets};

/// The parts of the console, as in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumIter)]
pub(super) enum Section {
    Today,
    Disputes,
    Orders,
    Refunds,
    #[strum(to_string = "Follow-ups")]
    FollowUps,
    Events,
    Activity,
    Health,
}

impl Section {
    fn path(self) -> &'static str {
        match self {
            Self::Today => "~/",
            Self::Disputes => "~/disputes",
            Self::Orders => "~/orders",
            Self::Refunds => "~/refunds",
            Self::FollowUps => "~/follow-ups",
            Self::Events => "~/events",
            Self::Activity => "~/activity",
            Self::Health => "~/health",
        }
    }
}

/// A page without its frame.
#[derive(Debug)]
pub(super) struct Page {
    /// The heading, and the title of the tab.
    pub title: String,
    /// Which entry of the navigation it is below; none: it is below none.
    pub section: Option<Section>,
    /// What it shows is of test mode.
    pub is_test: bool,
    /// How often it is refreshed while it is open, in seconds; none: never, since something is typed on it.
    pub refreshed: Option<u32>,
    /// What stands in it. What is refreshed stands in `section data-region=…` with an id of its own.
    pub content: Markup,
}

impl Page {
    /// A page that is refreshed every half a minute.
    pub(super) fn list(title: &str, section: Section, content: Markup) -> Self {
        Self { title: title.to_owned(), section: Some(section), is_test: false, refreshed: Some(30), content }
    }
}

impl Console {
    /// A page in its frame. The tag of the answer does not depend on when it was made.
    pub(super) fn show(&self, who: &Who, now: OffsetDateTime, page: &Page) -> Response {
        self.show_as(StatusCode::OK, Some(who), now, page)
    }

    /// The same with another status, and for whoever it is.
    pub(super) fn show_as(&self, status: StatusCode, who: Option<&Who>, now: OffsetDateTime, page: &Page) -> Response {
        // That it was looked at again is nothing new.
        let content = page.content.0.replace(&clock(now), "");
        let digest = Sha256::new().chain_update(content).chain_update(assets::style()).finalize();
        let tag = format!("\"{}\"", hex::encode(&digest[..12]));
        let document = document(self.settings.is_read_only, who, now, page).into_string();
        let html = self.placed(&document);
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()), (header::ETAG, tag)], html)
            .into_response()
    }

    /// Replaces the mark of paths within the console by its prefix: in attributes that hold a path, and in no other, since
    /// what somebody typed may begin with the mark too.
    fn placed(&self, document: &str) -> String {
        let prefix = &self.settings.url.prefix;
        ["href", "action", "formaction", "src"].iter().fold(document.to_owned(), |text, name| {
            text.replace(&format!(" {name}=\"{HERE}/"), &format!(" {name}=\"{prefix}/"))
        })
    }

    /// Sends the browser to another page: `303 See Other`. Takes paths as [`super::parts::to`] makes them.
    pub(super) fn see(&self, path: &str) -> Response {
        let path = path.strip_prefix(HERE).unwrap_or(path);
        (StatusCode::SEE_OTHER, [(header::LOCATION, format!("{}{path}", self.settings.url.prefix))]).into_response()
    }
}

fn document(is_read_only: bool, who: Option<&Who>, now: OffsetDateTime, page: &Page) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (plain(&page.title)) " · Clawback" }
                link rel="icon" type="image/svg+xml" href=(assets::icon());
                link rel="stylesheet" href=(assets::style());
                script src=(assets::script()) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (top(who, page.section))
                @if page.is_test { p.mode role="status" { "TEST MODE: no real money" } }
                @if is_read_only { p.mode role="status" { "Read-only: nothing can be changed here" } }
                p.banner data-stale hidden role="status" {}
                p.banner data-logged-out hidden role="status" {
                    "You are logged out. " a href="~/login" target="_blank" { "Log in" } ": what you typed stays here."
                }
                main #main data-live=[page.refreshed] {
                    h1 { (foreign(&page.title)) }
                    p.news aria-live="polite" data-news {}
                    (page.content)
                }
                (bottom(who.is_some(), now, page.refreshed.is_some()))
            }
        }
    }
}

fn top(who: Option<&Who>, current: Option<Section>) -> Markup {
    html! {
        header.top {
            a.brand href="~/" { "Clawback" }
            @if let Some(who) = who {
                (navigation(current))
                form.find action="~/find" method="get" role="search" {
                    label.hidden for="q" { "Order, Stripe ID or e-mail address" }
                    input #q name="q" type="search" placeholder="Order, Stripe ID, e-mail" autocomplete="off" spellcheck="false" maxlength="500";
                    button type="submit" { "Find" }
                }
                (account(who))
            }
        }
    }
}

fn navigation(current: Option<Section>) -> Markup {
    use strum::IntoEnumIterator;
    html! {
        nav aria-label="Sections" { ul {
            @for section in Section::iter() {
                li { a href=(section.path()) aria-current=[(current == Some(section)).then_some("page")] { (section) } }
            }
        } }
    }
}

fn account(who: &Who) -> Markup {
    let rights: Vec<_> = who.rights.iter().map(ToString::to_string).collect();
    html! {
        details.account {
            summary { (foreign(&who.name)) }
            div {
                p { "Rights: " (rights.join(", ")) }
                @if who.can_log_out {
                    form action="~/logout" method="post" { button type="submit" { "Log out" } }
                }
            }
        }
    }
}

fn bottom(is_known: bool, now: OffsetDateTime, is_refreshed: bool) -> Markup {
    html! {
        footer.bottom {
            span { "As of " time data-as-of datetime=(machine(now)) { (clock(now)) } }
            @if is_refreshed { button type="button" data-pause hidden { "Pause refresh" } }
            @if is_known {
                label data-keys hidden { input type="checkbox"; " Keyboard shortcuts" }
            }
            span { "Clawback " (env!("CARGO_PKG_VERSION")) }
        }
        @if is_known { (keys()) }
    }
}

/// The help on keys, shown by the script.
fn keys() -> Markup {
    const KEYS: [(&str, &str); 7] = [
        ("/", "Find"),
        ("g then d, o, f, e, h, a", "Disputes, orders, follow-ups, events, health, activity"),
        ("j, k", "Next and previous row"),
        ("Enter", "Open the row"),
        ("p", "Pause the refresh"),
        ("?", "This help"),
        ("Esc", "Close it"),
    ];
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keyboard shortcuts" }
            dl.facts { @for (key, does) in KEYS { div { dt { kbd { (key) } } dd { (does) } } } }
            form method="dialog" { button { "Close" } }
        }
    }
}
