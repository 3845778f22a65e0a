//! Promise: every page is accessible, fits a phone, and makes the browser complain of nothing; in both schemes.
//!
//! The pages are found by following links from the first one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

use serde_json::{Value, json};

use crate::session::{Browser, Scheme};
use crate::world::Seeded;

/// How many pages of one kind are looked at.
const OF_A_KIND: usize = 2;
/// Fewer pages than this are a sign that links are missing.
const FEWEST: usize = 25;

/// The links of the page within the console, without those that download a file.
const LINKS: &str = "[...document.querySelectorAll('a[href]')].map((link) => new URL(link.href))
    .filter(({ origin, pathname }) => origin === location.origin && !/\\/(files|payload)(\\/|$)/.test(pathname))
    .map((url) => url.pathname + url.search)";

/// Violations of the rules of WCAG 2.2 AA, and of good practice: rule, what it says, and where.
const VIOLATIONS: &str = "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    .then(({ violations }) => violations.map(({ id, help, nodes }) =>
        `${id}: ${help}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' and ')}`))";

/// What a path leads to, whichever row it is of.
fn kind(path: &str) -> String {
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let parts =
        place.split('/').map(|part| if part.contains(['_', '-']) || part.parse::<u64>().is_ok() { "*" } else { part });
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    format!("{}?{}", parts.collect::<Vec<_>>().join("/"), names.collect::<Vec<_>>().join("&"))
}

/// The script that checks accessibility, where `make browser-tools` has put it.
fn axe() -> Option<String> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let axe = fs::read_to_string(target.join("tools/axe.min.js")).ok();
    if axe.is_none() {
        eprintln!("not checked: accessibility, because axe-core is missing: run make browser-tools");
        assert!(env::var("CI").as_deref() != Ok("true"), "in CI there is axe-core");
    }
    axe
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_fits_and_is_quiet() {
    let Some(browser) = Browser::start().await else { return };
    let seeded = Seeded::full().await;
    seeded.add_hostile().await;
    seeded.enter(&browser, "/").await;
    let (axe, mut wrong) = (axe(), Vec::new());
    let (mut known, mut waiting) = (BTreeSet::new(), vec!["/".to_owned()]);
    while let Some(path) = waiting.pop() {
        let of_this_kind = known.iter().filter(|other: &&String| kind(other) == kind(&path)).count();
        if of_this_kind < OF_A_KIND && known.insert(path.clone()) {
            browser.open_path(&path).await;
            let found = look_both_ways(&browser, axe.as_deref()).await;
            wrong.extend(found.into_iter().map(|what| format!("{path}: {what}")));
            let links = browser.value(LINKS).await;
            waiting.extend(links.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(known.len() > FEWEST, "only {} pages were found: {known:?}", known.len());
}

/// What is wrong with the page that is shown, on a phone in light and on a desk in dark.
async fn look_both_ways(browser: &Browser, axe: Option<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (scheme, width) in [(Scheme::Light, 320), (Scheme::Dark, 1280)] {
        browser.set_scheme(scheme).await;
        browser.set_width(width, 900).await;
        let found = look(browser, axe).await;
        wrong.extend(found.into_iter().map(|what| format!("{scheme:?}, {width} wide: {what}")));
    }
    // A link that leads nowhere is a failed request.
    wrong.extend(browser.log().await);
    wrong
}

/// What is wrong with the page that is shown.
async fn look(browser: &Browser, axe: Option<&str>) -> Vec<String> {
    let width = browser.value("[document.documentElement.scrollWidth, innerWidth]").await;
    let mut wrong = Vec::new();
    if width[0].as_u64() > width[1].as_u64() {
        wrong.push(format!("is {width} wide, by {}", browser.value(WIDEST).await));
    }
    if let Some(axe) = axe {
        // Not by a script element, which the policy forbids.
        browser.devtools("Runtime.evaluate", &json!({ "expression": axe })).await;
        let violations = browser.value(VIOLATIONS).await;
        wrong.extend(violations.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    }
    wrong
}

/// The elements that stick out.
const WIDEST: &str = "[...document.querySelectorAll('body *')].filter((element) =>
        element.getBoundingClientRect().right > innerWidth && !element.closest('.scroll'))
    .map((element) => element.outerHTML.slice(0, 100)).slice(0, 3).join(' ')";
