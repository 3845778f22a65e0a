//! How disputes ended, by reason and by month, and the ratios that card networks watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use crate::console::chart::{bar, legend};
use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::list::{MODES, known, livemode};
use crate::console::parts::{Head, Tone, code, code_or_none, empty, money, nothing, table, unknown};
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::desk::limits::{self, Limit};
use crate::store::queries::{self, Outcome, Ratio};

/// How far back it goes.
const SINCE: Duration = Duration::days(365);
/// Decided disputes below which a win rate says little.
const FEW: i64 = 10;
/// The parts of the bars.
const PARTS: [(Tone, &str); 3] =
    [(Tone::Good, "won"), (Tone::Bad, "lost"), (Tone::Calm, "not answered, or not decided")];

/// What the address says.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Asked {
    /// `live` or `test`; empty: live mode, or test mode while there is nothing in live mode.
    #[serde(default)]
    mode: String,
}

impl Asked {
    fn is_test(&self, outcomes: &[Outcome], ratios: &[Ratio]) -> bool {
        let modes = || outcomes.iter().map(|row| row.livemode).chain(ratios.iter().map(|row| row.livemode));
        match livemode(&self.mode) {
            Some(livemode) => !livemode,
            None => !modes().any(|livemode| livemode) && modes().any(|livemode| !livemode),
        }
    }
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    known("mode", &asked.mode, &MODES)?;
    let now = now();
    let mut tx = console.reading().await?;
    let mut outcomes = queries::outcomes(&mut tx, now - SINCE).await?;
    let mut ratios = queries::ratios(&mut tx, now - SINCE).await?;
    let is_test = asked.is_test(&outcomes, &ratios);
    outcomes.retain(|row| row.livemode != is_test);
    ratios.retain(|row| row.livemode != is_test);
    let view = View { outcomes, ratios, is_test, now };
    let page = Page {
        title: "Outcomes of disputes".to_owned(),
        section: Some(Section::Disputes),
        is_test,
        refreshed: None,
        content: view.content(),
    };
    Ok(console.show(&who, now, &page))
}

struct View {
    outcomes: Vec<Outcome>,
    ratios: Vec<Ratio>,
    is_test: bool,
    now: OffsetDateTime,
}

/// Disputes of one reason, or of one month.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    disputes: i64,
    answered: i64,
    won: i64,
    lost: i64,
}

impl Sum {
    fn add(&mut self, row: &Outcome) {
        self.disputes += row.disputes;
        self.answered += row.countered;
        self.won += row.won;
        self.lost += row.lost;
    }

    fn parts(self) -> [(Tone, i64); 3] {
        [(Tone::Good, self.won), (Tone::Bad, self.lost), (Tone::Calm, self.disputes - self.won - self.lost)]
    }

    /// Of the decided ones, in whole per cent.
    fn win_rate(self) -> Markup {
        let decided = self.won + self.lost;
        html! {
            @if decided == 0 { (nothing()) } @else {
                ((self.won * 200 + decided) / (decided * 2)) " %" @if decided < FEW { " *" }
            }
        }
    }
}

impl View {
    fn content(&self) -> Markup {
        html! {
            p {
                "Disputes of the last twelve months in " strong { (if self.is_test { "test" } else { "live" }) } " mode. "
                @if self.is_test { a href="~/outcomes?mode=live" { "Live mode" } } @else { a href="~/outcomes?mode=test" { "Test mode" } }
                " · " a href="~/disputes" { "All disputes" }
            }
            @if self.outcomes.is_empty() && self.ratios.is_empty() {
                (empty("No disputes and no card payments in this time.", self.now))
            } @else {
                (self.by_reason())
                (self.by_month())
                p.hint { "The win rate is of those that were answered and are decided. * fewer than " (FEW) ": it says little." }
                (self.amounts())
                (self.networks())
            }
        }
    }

    fn summed(&self, key: impl Fn(&Outcome) -> String) -> Vec<(String, Sum)> {
        let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
        for row in &self.outcomes {
            sums.entry(key(row)).or_default().add(row);
        }
        sums.into_iter().collect()
    }

    fn by_reason(&self) -> Markup {
        let mut sums = self.summed(|row| row.reason.clone().unwrap_or_default());
        sums.sort_by_key(|(_, sum)| -sum.disputes);
        let name = |reason: &str| if reason.is_empty() { unknown() } else { code(reason) };
        html! { h2 { "By reason" } (legend(&PARTS)) (charted("By reason", "Reason", &sums, name)) }
    }

    fn by_month(&self) -> Markup {
        let sums = self.summed(|row| month(&row.month).to_owned());
        html! { h2 { "By month" } (legend(&PARTS)) (charted("By month", "Month", &sums, |month| html! { (month) })) }
    }

    /// What was kept and lost, by currency.
    fn amounts(&self) -> Markup {
        const HEADS: [Head; 4] =
            [Head::Text("Currency"), Head::Number("Disputed"), Head::Number("Kept"), Head::Number("Lost")];
        let mut sums: BTreeMap<&str, (i64, i64, i64)> = BTreeMap::new();
        for row in &self.outcomes {
            let sum = sums.entry(&row.currency).or_default();
            *sum = (sum.0 + row.amount, sum.1 + row.amount_won, sum.2 + row.amount_lost);
        }
        html! {
            h2 { "Amounts" }
            (table("Amounts by currency", &HEADS, &html! { @for (currency, (disputed, kept, lost)) in sums {
                tr { th scope="row" { (currency.to_uppercase()) } td.number { (money(disputed, currency)) } td.number { (money(kept, currency)) } td.number { (money(lost, currency)) } }
            } }))
            p.hint { "Kept and lost: of the disputes that were answered and are decided." }
        }
    }

    fn networks(&self) -> Markup {
        html! {
            @if !self.ratios.is_empty() {
                h2 { "Ratio to card payments" }
                p { "Card networks, and Stripe, watch how many payments are disputed. Above a limit they charge fees, and in the end close the account." }
                (ratios(&self.ratios))
                (limits_of(&self.ratios))
            }
        }
    }
}

/// Rows with a bar each.
fn charted(caption: &str, of: &'static str, sums: &[(String, Sum)], name: impl Fn(&str) -> Markup) -> Markup {
    let heads = [
        Head::Text(of),
        Head::Text("Outcome"),
        Head::Number("Disputes"),
        Head::Number("Answered"),
        Head::Number("Won"),
        Head::Number("Lost"),
        Head::Number("Win rate"),
    ];
    let most = sums.iter().map(|(_, sum)| sum.disputes).max().unwrap_or(0);
    table(
        caption,
        &heads,
        &html! { @for (key, sum) in sums {
            tr {
                th scope="row" { (name(key)) }
                td.bars { (bar(&sum.parts(), most)) }
                td.number { (sum.disputes) }
                td.number { (sum.answered) }
                td.number { (sum.won) }
                td.number { (sum.lost) }
                td.number { (sum.win_rate()) }
            }
        } },
    )
}

fn ratios(ratios: &[Ratio]) -> Markup {
    const HEADS: [Head; 8] = [
        Head::Text("Month"),
        Head::Text("Network"),
        Head::Text("Account"),
        Head::Number("Charges"),
        Head::Number("Disputes"),
        Head::Number("Fraud warnings"),
        Head::Number("Ratio"),
        Head::Text("Nearest limit"),
    ];
    table(
        "Ratios by month and network",
        &HEADS,
        &html! { @for row in ratios {
            tr {
                td { (month(&row.month)) }
                td { (code(&row.card_brand)) }
                td { (code_or_none(row.account.as_deref())) }
                td.number { (row.charges) }
                td.number { (row.disputes) }
                td.number { (row.fraud_warnings) }
                td.number { @match row.ratio { Some(ratio) => (percent(ratio)), None => (nothing()) } }
                td.bars { (nearest(row)) }
            }
        } },
    )
}

/// How near a month is to the limit that it is nearest to, or which it reached.
fn nearest(row: &Ratio) -> Markup {
    let reached: Vec<_> = limits::reached(row).map(|limit| limit.programme).collect();
    let share = |limit: &&Limit| thousandths(row, limit);
    html! {
        @if !reached.is_empty() {
            (bar(&[(Tone::Bad, 1)], 1))
            strong { "above the limit: " (reached.join(", ")) }
        } @else if let Some(limit) = limits::of(row).max_by_key(share) {
            (bar(&[(Tone::Calm, thousandths(row, limit))], 1_000))
            (thousandths(row, limit) / 10) " % of the limit: " (limit.programme)
        }
    }
}

/// How much of a limit is used: the smaller of its ratio and its cases, since it takes both.
fn thousandths(row: &Ratio, limit: &Limit) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a ratio is at most a few thousand limits")]
    let of_ratio = (row.ratio.unwrap_or(0.0) / limit.ratio * 1_000.0) as i64;
    limit.cases.map_or(of_ratio, |cases| of_ratio.min(limits::cases(row) * 1_000 / cases))
}

/// The limits that are about these networks.
fn limits_of(ratios: &[Ratio]) -> Markup {
    const HEADS: [Head; 5] = [
        Head::Text("Programme"),
        Head::Text("Network"),
        Head::Number("Cases from"),
        Head::Number("Ratio from"),
        Head::Text("Holds since"),
    ];
    let is_about =
        |limit: &&Limit| limit.card_brand.is_none_or(|brand| ratios.iter().any(|row| row.card_brand == brand));
    html! {
        h3 { "Limits" }
        (table("Limits", &HEADS, &html! { @for limit in limits::LIMITS.iter().filter(is_about) {
            tr {
                th scope="row" { (limit.programme) }
                td { @match limit.card_brand { Some(brand) => (code(brand)), None => "all" } }
                td.number { @match limit.cases { Some(cases) => (cases), None => (nothing()) } }
                td.number { (percent(limit.ratio)) }
                td { @match limit.since { Some(day) => (day), None => (nothing()) } }
            }
        } }))
    }
}

/// `2026-11` of `2026-11-01`.
fn month(day: &str) -> &str {
    day.get(..7).unwrap_or(day)
}

fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn outcome(month: &str, reason: Option<&str>, currency: &str, (disputes, won, lost): (i64, i64, i64)) -> Outcome {
        Outcome {
            month: month.to_owned(),
            account: None,
            livemode: true,
            currency: currency.to_owned(),
            reason: reason.map(str::to_owned),
            network_reason_code: None,
            payment_method: Some("card".to_owned()),
            disputes,
            amount: disputes * 1_000,
            countered: won + lost,
            won,
            lost,
            amount_won: won * 1_000,
            amount_lost: lost * 1_000,
            win_rate: None,
        }
    }

    fn ratio(card_brand: &str, charges: i64, disputes: i64) -> Ratio {
        Ratio {
            month: "2026-11-01".to_owned(),
            account: None,
            livemode: true,
            card_brand: card_brand.to_owned(),
            charges,
            disputes,
            fraud_warnings: 0,
            ratio: (charges > 0).then_some(disputes as f64 / charges as f64),
        }
    }

    #[test]
    fn outcomes_are_summed_by_reason_month_and_currency_and_ratios_held_against_the_nearest_limit() {
        let view = View {
            outcomes: vec![
                outcome("2026-11-01", Some("fraudulent"), "eur", (20, 8, 4)),
                outcome("2026-10-01", Some("fraudulent"), "eur", (2, 0, 2)),
                outcome("2026-10-01", None, "kwd", (1, 0, 0)),
            ],
            ratios: vec![ratio("visa", 10_000, 30), ratio("mastercard", 10_000, 200), ratio("amex", 0, 0)],
            is_test: false,
            now: datetime!(2026-11-26 12:03:10 UTC),
        };
        insta::assert_snapshot!(super::super::disputes::read(&view.content()));
    }

    #[test]
    fn test_mode_is_shown_where_there_is_nothing_in_live_mode_or_it_is_asked_for() {
        let live = || outcome("2026-11-01", None, "eur", (1, 0, 0));
        let test = || Outcome { livemode: false, ..live() };
        for (mode, outcomes, is_test) in [
            ("", vec![], false),
            ("", vec![test()], true),
            ("", vec![test(), live()], false),
            ("live", vec![test()], false),
            ("test", vec![live()], true),
        ] {
            assert_eq!(Asked { mode: mode.to_owned() }.is_test(&outcomes, &[]), is_test, "{mode:?} {outcomes:?}");
        }
    }

    #[test]
    fn without_disputes_the_page_says_so() {
        let now = datetime!(2026-11-26 12:03:10 UTC);
        let page = View { outcomes: Vec::new(), ratios: Vec::new(), is_test: true, now }.content().0;
        assert!(page.contains("No disputes and no card payments in this time. Looked at 12:03:10 UTC."), "{page}");
    }
}
