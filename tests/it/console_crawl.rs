//! Promise: every page of the console answers, every link on it leads somewhere, nobody sees or does more than their
//! rights, and no text from outside is ever more than text.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clawback::console::users::{Recognition, Right, Users};
use clawback::console::{Route, routes};
use reqwest::{Method, StatusCode};

use crate::console_client::{Console, USERS, Visitor, attributes};
use crate::console_world::{PERSON, PROBES, break_things, fill};
use crate::harness::TestApp;

async fn world() -> TestApp {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["console_sessions"]);
    fill(&app).await;
    break_things(&app).await;
    app
}

/// What an address leads to, with its query: each kind of page a few times, since a world has thousands of them.
struct Crawl {
    pages: BTreeMap<String, String>,
    actions: BTreeSet<(String, String)>,
    foreign: BTreeSet<String>,
}

/// How many pages of one shape are visited.
const OF_A_SHAPE: usize = 12;

/// A path without its ids.
fn shape(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<_> = path
        .split('/')
        .map(|part| if part.chars().any(|c| c == '_' || c.is_ascii_digit()) { "ID" } else { part })
        .collect();
    let names: Vec<_> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    format!("{}?{}", parts.join("/"), names.join("&"))
}

/// `may_refuse`: pages may say that a right is missing.
async fn crawl(visitor: &Visitor, may_refuse: bool) -> Crawl {
    let mut crawl = Crawl { pages: BTreeMap::new(), actions: BTreeSet::new(), foreign: BTreeSet::new() };
    let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
    let mut ahead = VecDeque::from(["/".to_owned()]);
    while let Some(path) = ahead.pop_front() {
        let of_shape = shapes.entry(shape(&path)).or_default();
        if crawl.pages.contains_key(&path) || *of_shape >= OF_A_SHAPE {
            continue;
        }
        *of_shape += 1;
        let answer = visitor.get(&path).await;
        let is_there = [StatusCode::OK, StatusCode::SEE_OTHER].contains(&answer.status)
            || may_refuse && answer.status == StatusCode::FORBIDDEN;
        assert!(is_there, "{path}: {} {}", answer.status, answer.body);
        for link in attributes(&answer.body, "href").into_iter().chain(forms(&answer.body, "get")) {
            match link.strip_prefix('/') {
                Some(rest) if !rest.starts_with(['/', '\\']) => {
                    ahead.push_back(link.split('#').next().unwrap_or_default().to_owned())
                }
                Some(_) | None if link.starts_with('#') => {}
                Some(_) | None => drop(crawl.foreign.insert(link)),
            }
        }
        crawl.actions.extend(forms(&answer.body, "post").into_iter().map(|action| (path.clone(), action)));
        crawl.pages.insert(path, answer.body);
    }
    crawl
}

/// The actions of the forms with this method.
fn forms(html: &str, method: &str) -> Vec<String> {
    let tags = html.split("<form").skip(1).filter_map(|rest| rest.split('>').next()).map(|tag| format!(" {tag}"));
    let of_method = tags.filter(|tag| attributes(tag, "method").iter().any(|given| given == method));
    of_method.flat_map(|tag| attributes(&tag, "action")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_leads_to_a_page_and_no_text_from_outside_becomes_markup() {
    let app = world().await;
    let console = Console::open(&app.db).await;
    let crawl = crawl(&console.visitor(&app.db, "boss").await, false).await;
    assert!(crawl.pages.len() > 60, "only {} pages were found: {:?}", crawl.pages.len(), crawl.pages.keys());
    let elsewhere: Vec<_> =
        crawl.foreign.iter().filter(|link| !link.starts_with("https://dashboard.stripe.com/")).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    let mut seen = 0;
    // Bodies of events are downloaded as files, never shown.
    for (path, html) in crawl.pages.iter().filter(|(path, _)| !path.ends_with("/payload")) {
        for probe in PROBES.iter().filter(|probe| probe.contains(['<', '\u{202e}'])) {
            assert!(!html.contains(probe), "{path} has {probe} as it was written");
        }
        let is_script = |value: &String| value.trim_start().to_lowercase().starts_with("javascript:");
        assert!(!attributes(html, "href").iter().any(is_script), "{path}");
        assert!(!html.contains(" style=\"") && !html.contains("\u{202e}"), "{path}");
        seen += usize::from(html.contains("&lt;img src=x onerror=alert(1)&gt;"));
    }
    assert!(seen > 3, "the hostile order was on {seen} pages only");
    let known = routes();
    for (path, action) in &crawl.actions {
        let is_known =
            action == "/logout" || known.iter().any(|route| route.method == Method::POST && fits(route, action));
        assert!(is_known, "{path} has a form for {action}");
    }
    let visited = |route: &&Route| route.method == Method::GET && !crawl.pages.keys().any(|path| fits(route, path));
    let missed: Vec<_> = known.iter().filter(visited).map(|route| route.path).collect();
    assert!(missed.is_empty(), "no link leads to {missed:?}");
}

/// Whether a path is one of a route's.
fn fits(route: &Route, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (known, given): (Vec<_>, Vec<_>) = (route.path.split('/').collect(), path.split('/').collect());
    known.len() == given.len()
        && known.iter().zip(&given).all(|(known, given)| known.starts_with('{') || known == given)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_no_personal_data_is_shown_anywhere() {
    let app = world().await;
    let console = Console::open(&app.db).await;
    let with = crawl(&console.visitor(&app.db, "analyst").await, true).await;
    assert!(with.pages.values().any(|html| html.contains(PERSON)), "it would not be noticed");
    for name in ["reader", "worker", "cashier"] {
        let without = crawl(&console.visitor(&app.db, name).await, true).await;
        let shown: Vec<_> =
            without.pages.iter().filter(|(_, html)| html.contains(PERSON)).map(|(path, _)| path).collect();
        assert!(shown.is_empty(), "{name} sees it on {shown:?}");
    }
}

/// The path of a route with ids that belong to nothing.
fn nowhere(route: &Route) -> String {
    route.path.split('/').map(|part| if part.starts_with('{') { "0" } else { part }).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_takes_its_right_and_nothing_else_does() {
    let app = TestApp::start().await;
    let console = Console::open(&app.db).await;
    let users = Users::parse(USERS, Recognition::Proxy).expect("users");
    for name in ["boss", "reader", "analyst", "worker", "cashier", "advocate"] {
        let visitor = console.visitor(&app.db, name).await;
        let rights = users.find(name).expect("a user").rights;
        for route in routes() {
            let status = sent(&visitor, &route).await;
            let is_refused = status == StatusCode::FORBIDDEN;
            // A file of evidence may hold personal data.
            let is_file = route.path == "/disputes/{id}/files/{field}" && route.method == Method::GET;
            let may = rights.contains(&route.right) && (!is_file || rights.contains(&Right::Payloads));
            assert_eq!(is_refused, !may, "{name} {} {}: {status}", route.method, route.path);
            assert!(!status.is_server_error() && status != StatusCode::UNAUTHORIZED, "{name} {}: {status}", route.path);
        }
    }
    for route in routes() {
        let status = sent(&console.nobody(), &route).await;
        let expected = if route.method == Method::GET { StatusCode::SEE_OTHER } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, expected, "nobody {} {}", route.method, route.path);
    }
}

async fn sent(visitor: &Visitor, route: &Route) -> StatusCode {
    match route.method {
        Method::GET => visitor.get(&nowhere(route)).await.status,
        _ => visitor.post(&nowhere(route), &[]).await.status,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_console_has_no_action() {
    let app = TestApp::start().await;
    let console = Console::open_with(&app.db, |settings| settings.is_read_only = true).await;
    let boss = console.visitor(&app.db, "boss").await;
    for route in routes().into_iter().filter(|route| route.method == Method::POST) {
        assert_eq!(sent(&boss, &route).await, StatusCode::NOT_FOUND, "{}", route.path);
    }
    assert!(routes().iter().any(|route| route.right == Right::Respond && route.method == Method::POST));
}
