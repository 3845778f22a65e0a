//! Who did what: everything that was done by the commands, the console or SQL, the newest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::list::{Cursor, Window, address, cut, filled, filters};
use crate::console::parts::{Head, code, empty, foreign, foreign_lines, moment_ago, money_text, nothing, table, to};
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Action, Activity, ActivityFilter};

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    person: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    subject: String,
    #[serde(flatten)]
    cursor: Cursor,
}

impl Asked {
    /// The address of this list without the place in it.
    fn address(&self) -> String {
        let Self { person, action, subject, .. } = self;
        address("~/activity", &[("person", person), ("action", action), ("subject", subject)])
    }
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let filter =
        ActivityFilter { actor: filled(&asked.person), action: filled(&asked.action), subject: filled(&asked.subject) };
    let mut tx = console.reading().await?;
    let rows = queries::activity(&mut tx, &filter, &asked.cursor.page()).await?;
    let window = asked.cursor.window(rows, |activity| activity.id.to_string());
    let view = View { asked, window, now: now() };
    Ok(console.show(&who, view.now, &Page::list("Activity", Section::Activity, view.content())))
}

struct View {
    asked: Asked,
    window: Window<Activity>,
    now: OffsetDateTime,
}

impl View {
    fn content(&self) -> Markup {
        let rows = &self.window.rows;
        html! {
            (filters("~/activity", self.asked.address() != "~/activity", &html! {
                label { "Person " input name="person" value=(self.asked.person) maxlength="255" spellcheck="false"; }
                label { "Action " input name="action" value=(self.asked.action) maxlength="100" spellcheck="false" placeholder="requeue"; }
                label { "Subject " input name="subject" value=(self.asked.subject) maxlength="255" spellcheck="false"; }
            }))
            section data-region="activity" {
                @if rows.is_empty() {
                    (self.asked.cursor.empty("Nobody has done anything that matches.", &self.asked.address(), self.now))
                } @else {
                    (listed("Activity", rows, self.now))
                }
                (self.window.pager(&self.asked.address()))
            }
        }
    }
}

/// A table of actions, with links to what was acted on.
pub(super) fn listed(caption: &str, rows: &[Activity], now: OffsetDateTime) -> Markup {
    table(caption, &COLUMNS, &html! { @for activity in rows { (row(activity, now)) } })
}

fn row(activity: &Activity, now: OffsetDateTime) -> Markup {
    let Activity { at, actor, role, via, action, subject_kind, subject, reason, detail, .. } = activity;
    html! {
        tr data-key=(activity.id) {
            td { (moment_ago(*at, now)) }
            td {
                (foreign(actor))
                div.hint { "via " (code(via)) @if actor != role { " as " (foreign(role)) } }
            }
            td { (code(action)) }
            td { (foreign(&subject_kind.replace('_', "-"))) " " (linked(subject_kind, subject)) }
            td.wide { @match reason { Some(reason) => (foreign(&cut(reason))), None => (nothing()) } }
            td.wide { (details(detail)) }
        }
    }
}

const COLUMNS: [Head; 6] = [
    Head::Text("When"),
    Head::Text("Who"),
    Head::Text("Action"),
    Head::Text("Subject"),
    Head::Text("Reason"),
    Head::Text("Details"),
];

/// What was acted on, with a link to its page where it has one.
fn linked(kind: &str, subject: &str) -> Markup {
    let page = match kind {
        "event" => "/events/",
        "follow_up" => "/follow-ups/",
        "dispute" => "/disputes/",
        "order" => "/orders?id=",
        "payment" | "fraud_warning" => "/find?q=",
        _ => return code(subject),
    };
    html! { a href=(to(page, subject)) { (code(subject)) } }
}

/// What else is known of it, name by name. An amount is shown in its currency.
fn details(detail: &Value) -> Markup {
    let money = detail["amount"].as_i64().zip(detail["currency"].as_str());
    let fields = detail.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let text = |name: &str, value: &Value| match (name, money) {
        ("amount", Some((minor, currency))) => money_text(minor, currency),
        (_, _) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    };
    let fields = fields.filter(|(name, _)| *name != "currency" || money.is_none());
    let fields: Vec<_> =
        fields.map(|(name, value)| format!("{}: {}", name.replace('_', " "), text(name, value))).collect();
    if fields.is_empty() { nothing() } else { foreign(&cut(&fields.join(", "))) }
}

/// What people did with one thing. `none`: what to say when nobody did anything.
pub(super) fn done(actions: &[Action], none: &str, now: OffsetDateTime) -> Markup {
    html! {
        @if actions.is_empty() {
            (empty(none, now))
        } @else {
            (table("What people did", &HEADS, &html! { @for action in actions { tr { (cells(action, now)) } } }))
        }
    }
}

/// The last thing that somebody did with it, as a sentence.
pub(super) fn last(actions: &[Action], now: OffsetDateTime) -> Markup {
    html! {
        @if let Some(action) = actions.last() {
            "Last action: " (code(&action.action)) " by " (foreign(&action.actor)) ", " (moment_ago(action.at, now)) "."
        }
    }
}

const HEADS: [Head; 5] =
    [Head::Text("When"), Head::Text("Who"), Head::Text("Action"), Head::Text("Reason"), Head::Text("Via")];

fn cells(action: &Action, now: OffsetDateTime) -> Markup {
    html! {
        td { (moment_ago(action.at, now)) }
        td { (foreign(&action.actor)) }
        td { (code(&action.action)) }
        td.wide { @match &action.reason { Some(reason) => (foreign_lines(reason)), None => (nothing()) } }
        td { (code(&action.via)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{HOSTILE, NOW, lines};
    use super::*;

    fn activity(id: i64, action: &str, kind: &str, subject: &str) -> Activity {
        Activity {
            id,
            at: NOW,
            actor: HOSTILE.to_owned(),
            role: "console".to_owned(),
            via: "cli".to_owned(),
            action: action.to_owned(),
            subject_kind: kind.to_owned(),
            subject: subject.to_owned(),
            reason: Some(HOSTILE.to_owned()),
            detail: json!({ "peer": "127.0.0.1", "nothing": null, "order_id": HOSTILE }),
        }
    }

    #[test]
    fn an_amount_is_shown_in_its_currency() {
        let shown = |detail| details(&detail).into_string().replace('\u{202f}', " ");
        let of_refund = shown(json!({ "amount": 10_050, "currency": "eur", "request_key": "k" }));
        assert_eq!(of_refund, "<bdi>amount: 100.50 EUR, request key: k</bdi>");
        assert_eq!(shown(json!({ "amount": 500, "currency": "jpy" })), "<bdi>amount: 500 JPY</bdi>");
        assert_eq!(shown(json!({ "amount": 500 })), "<bdi>amount: 500</bdi>");
    }

    #[test]
    fn actions_link_to_what_was_acted_on() {
        let none = Activity { reason: None, detail: json!({}), ..activity(1, "log_in", "session", "anna") };
        let rows = vec![
            activity(4, "replay", "event", "evt_1"),
            activity(3, "link", "payment", "pi/1"),
            activity(2, "requeue", "follow_up", "7"),
            none,
        ];
        let window = Window { rows, newer: None, older: None };
        insta::assert_snapshot!(lines(&View { asked: Asked::default(), window, now: NOW }.content()));
    }
}
