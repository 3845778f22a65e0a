//! Whether the service keeps up: its numbers, each with when it needs attention. It runs no checks: `clawback doctor` does.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use time::{Duration, OffsetDateTime};

use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::numbers::{Numbers, Reading};
use crate::console::parts::{Head, Tone, badge, code, deadline, foreign, moment_ago, note, span, table, unknown};
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::intake::Availability;
use crate::store::gauges::Gauges;
use crate::store::overview::Account;

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    intake: Option<Extension<Availability>>,
) -> Result<Response, Failure> {
    let is_available = intake.map(|Extension(intake)| intake.is_available());
    let view = View { reading: console.numbers().await, is_available, now: now() };
    Ok(console.show(&who, view.now, &Page::list("Health", Section::Health, view.content())))
}

struct View {
    reading: Reading,
    /// Whether intake can store events; none: not known.
    is_available: Option<bool>,
    now: OffsetDateTime,
}

/// One number, and what to think of it.
struct Check {
    name: &'static str,
    value: Markup,
    verdict: Verdict,
    alert_when: &'static str,
}

/// What to think of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Attention,
    /// Nobody can say from the number alone.
    Depends,
    /// The number is not known.
    Unknown,
}

impl Verdict {
    fn attention_if(is_bad: bool) -> Self {
        if is_bad { Self::Attention } else { Self::Fine }
    }

    fn badge(self) -> Markup {
        match self {
            Self::Fine => badge(Tone::Good, "fine"),
            Self::Attention => badge(Tone::Bad, "attention"),
            Self::Depends => badge(Tone::Calm, "info"),
            Self::Unknown => badge(Tone::Warn, "not known"),
        }
    }
}

impl View {
    fn content(&self) -> Markup {
        html! {
            section data-region="health" {
                (self.headline())
                @match &self.reading {
                    Reading::Fresh(numbers) | Reading::Old(numbers) => (self.numbers(numbers)),
                    Reading::Unread => (numbers(&[("Receiving", vec![self.intake()])])),
                }
            }
            p { "These are numbers, not checks. To check settings, permissions and what Stripe has, run " (code("clawback doctor")) " where the service runs." }
        }
    }

    fn headline(&self) -> Markup {
        match &self.reading {
            Reading::Fresh(numbers) => match self.attention(numbers) {
                0 => note(Tone::Good, &html! { p { "Nothing needs attention." } }),
                1 => note(Tone::Bad, &html! { p { "1 number needs attention." } }),
                several => note(Tone::Bad, &html! { p { (several) " numbers need attention." } }),
            },
            Reading::Old(numbers) => note(
                Tone::Bad,
                &html! {
                    p { "The database does not answer. These are the last numbers that could be read: " (moment_ago(numbers.at, self.now)) "." }
                },
            ),
            Reading::Unread => {
                note(Tone::Bad, &html! { p { "The numbers could not be read: the database does not answer." } })
            }
        }
    }

    fn groups(&self, numbers: &Numbers) -> [(&'static str, Vec<Check>); 4] {
        [
            ("Receiving", self.receiving(numbers)),
            ("Processing", processing(&numbers.gauges)),
            ("Disputes and payments", self.deciding(numbers)),
            ("Stripe", calling(numbers)),
        ]
    }

    /// How many numbers need attention.
    fn attention(&self, numbers: &Numbers) -> usize {
        let groups = self.groups(numbers);
        groups.iter().flat_map(|(_, checks)| checks).filter(|check| check.verdict == Verdict::Attention).count()
    }

    fn numbers(&self, read: &Numbers) -> Markup {
        let accounts = &read.overview.accounts;
        html! {
            (numbers(&self.groups(read)))
            @if !accounts.is_empty() { (self.accounts(accounts)) }
            (versions(read))
        }
    }

    fn intake(&self) -> Check {
        let (value, verdict) = match self.is_available {
            Some(true) => (html! { "available" }, Verdict::Fine),
            Some(false) => (html! { "not available" }, Verdict::Attention),
            None => (unknown(), Verdict::Unknown),
        };
        Check {
            name: "Intake, of this process",
            value,
            verdict,
            alert_when: "it is not available for a minute: deliveries are answered 503",
        }
    }

    fn receiving(&self, numbers: &Numbers) -> Vec<Check> {
        let newest = numbers.overview.newest_event_at;
        let newest = newest.map_or_else(|| html! { "none yet" }, |at| moment_ago(at, self.now));
        vec![
            self.intake(),
            Check {
                name: "Newest event from Stripe",
                value: newest,
                verdict: Verdict::Depends,
                alert_when: "it is older than is usual: is the endpoint enabled, and does its URL lead here?",
            },
        ]
    }

    fn deciding(&self, numbers: &Numbers) -> Vec<Check> {
        let gauges = &numbers.gauges;
        let next = |livemode: bool| {
            gauges.due.iter().find(|due| due.livemode == livemode).and_then(|due| due.evidence_seconds)
        };
        let at = |seconds: f64| deadline(numbers.at + Duration::seconds_f64(seconds), self.now);
        let check = |name: &'static str, seconds: Option<f64>| Check {
            name,
            value: seconds.map_or_else(|| html! { "none" }, at),
            verdict: Verdict::attention_if(seconds.is_some_and(|seconds| seconds < 48.0 * 3_600.0)),
            alert_when: "it is less than 48 hours away",
        };
        let drafts = gauges.due.iter().map(|due| due.drafts).sum();
        vec![
            check("Next deadline for evidence, live mode", next(true)),
            check("Next deadline for evidence, test mode", next(false)),
            any("Drafts due within 24 hours", drafts, "~/disputes", "there is any: complete and submit it"),
            any("Payments with overdue evidence", gauges.evidence_overdue, "~/disputes", "it grows: a dispute is lost"),
            any(
                "Unlinked payments",
                gauges.unlinked,
                "~/unlinked",
                "there is any for an hour: is the order reference in the metadata?",
            ),
        ]
    }

    fn accounts(&self, accounts: &[Account]) -> Markup {
        const HEADS: [Head; 4] = [
            Head::Text("Account"),
            Head::Text("Mode"),
            Head::Text("Missed events listed up to"),
            Head::Text("Problem"),
        ];
        let row = |account: &Account| {
            html! {
                tr {
                    td { @match &account.account { Some(id) => (code(id)), None => "the platform's own" } }
                    td { @if account.livemode { "live" } @else { "test" } }
                    td { @match account.caught_up_at { Some(at) => (moment_ago(at, self.now)), None => "never to the end" } }
                    td.wide {
                        @if account.disconnected { "disconnected " }
                        @match account.problem.as_ref().or(account.last_error.as_ref()) { Some(error) => (foreign(error)), None => "none" }
                    }
                }
            }
        };
        html! {
            h2 #accounts { "Accounts" }
            (table("Accounts", &HEADS, &html! { @for account in accounts { (row(account)) } }))
        }
    }
}

fn processing(gauges: &Gauges) -> Vec<Check> {
    let dead: i64 = gauges.follow_ups.iter().filter(|row| row.state == "dead").map(|row| row.count).sum();
    let ready: i64 = gauges.follow_ups.iter().filter(|row| row.state == "ready").map(|row| row.count).sum();
    let oldest_ready = gauges.follow_ups.iter().map(|row| row.oldest_seconds).fold(0.0, f64::max);
    vec![
        count("Pending events", gauges.pending, "~/events?state=pending", Verdict::Depends, "it keeps growing"),
        Check {
            name: "Oldest pending event",
            value: age(gauges.pending, gauges.oldest_pending_seconds),
            verdict: Verdict::attention_if(gauges.oldest_pending_seconds > 300.0),
            alert_when: "it waits longer than 5 minutes: orders are out of date",
        },
        any("Failed events", gauges.failed, "~/events?state=failed", "there is any: read the error, then replay"),
        any("Dead follow-ups", dead, "~/follow-ups?state=dead", "there is any: requeue or discard it"),
        Check {
            name: "Oldest follow-up that is ready",
            value: age(ready, oldest_ready),
            verdict: Verdict::attention_if(oldest_ready > 3_600.0),
            alert_when: "it waits longer than an hour, or than its kind allows: its consumer is down",
        },
    ]
}

fn calling(numbers: &Numbers) -> Vec<Check> {
    let (gauges, keys) = (&numbers.gauges, &numbers.overview.keys);
    let modes = match (keys.contains(&true), keys.contains(&false)) {
        (true, true) => "live and test",
        (true, false) => "live",
        (false, true) => "test",
        (false, false) => "none: nothing is asked of Stripe",
    };
    let sync = if keys.is_empty() {
        html! { "none" }
    } else {
        html! { (seconds(gauges.sync_age_seconds)) " ago" }
    };
    vec![
        Check {
            name: "API key, by mode",
            value: html! { (modes) },
            verdict: Verdict::Depends,
            alert_when: "the mode that you refund in is missing",
        },
        any(
            "Accounts that refuse the API key",
            gauges.waiting.problems,
            "~/health#accounts",
            "there is any: nothing is refunded there until the key is mended",
        ),
        Check {
            name: "Oldest call that waits",
            value: age(gauges.waiting.calls, gauges.waiting.oldest),
            verdict: Verdict::attention_if(gauges.waiting.oldest > 3_600.0),
            alert_when: "it waits longer than an hour: Stripe does not answer, or a request is unknown",
        },
        Check {
            name: "Last complete listing of missed events",
            value: sync,
            verdict: Verdict::attention_if(gauges.sync_age_seconds > 7_200.0),
            alert_when: "it is older than two hours: the key may not read events, or Stripe cannot be reached",
        },
    ]
}

fn versions(numbers: &Numbers) -> Markup {
    let processors = &numbers.overview.processors;
    let mut rules: Vec<_> = processors.iter().map(ToString::to_string).collect();
    rules.dedup();
    html! {
        h2 { "Versions" }
        p {
            "This process: " (env!("CARGO_PKG_VERSION")) ". Schema: "
            @match numbers.overview.schema_version { Some(version) => (version), None => (unknown()) }
            ". Processors in the last minute: " (processors.len())
            @if !processors.is_empty() {
                ", with rules " (rules.join(", "))
            }
            "."
            @if rules.len() > 1 { " The older ones wait while newer ones run." }
        }
    }
}

/// A number of which any is too many.
fn any(name: &'static str, number: i64, href: &'static str, alert_when: &'static str) -> Check {
    count(name, number, href, Verdict::attention_if(number > 0), alert_when)
}

/// A number with a link to what it counts.
fn count(name: &'static str, number: i64, href: &'static str, verdict: Verdict, alert_when: &'static str) -> Check {
    let value = html! { @if number == 0 { "none" } @else { a href=(href) { (number) } } };
    Check { name, value, verdict, alert_when }
}

/// How old the oldest of so many is.
fn age(number: i64, oldest: f64) -> Markup {
    html! { @if number == 0 { "none" } @else { (seconds(oldest)) } }
}

fn seconds(seconds: f64) -> String {
    span(Duration::seconds_f64(seconds))
}

/// All numbers in one table, so that its columns are aligned, in groups with a name each.
fn numbers(groups: &[(&str, Vec<Check>)]) -> Markup {
    const HEADS: [Head; 4] = [Head::Text("Number"), Head::Text("Verdict"), Head::Text("Now"), Head::Text("Alert when")];
    let row = |check: &Check| {
        html! {
            tr { th scope="row" { (check.name) } td { (check.verdict.badge()) } td { (check.value) } td.wide { (check.alert_when) } }
        }
    };
    table(
        "Numbers",
        &HEADS,
        &html! { @for (name, checks) in groups {
            tr.group { th colspan="4" scope="rowgroup" { (name) } }
            @for check in checks { (row(check)) }
        } },
    )
}

#[cfg(test)]
mod tests;
