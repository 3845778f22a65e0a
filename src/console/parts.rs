//! The small parts of pages: text from outside, ids, money, times, states. Pure functions from values to markup.
//!
//! Nothing here judges what a state means for money: words of Stripe's are shown as they came.

use maud::{Markup, html};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

use crate::domain::currency;

/// Between the groups of three digits, and before the currency: a narrow space that does not break.
const NARROW: char = '\u{202f}';

/// The mark of a path within the console, which [`super::frame`] replaces by the prefix of its URL. Markup alone can hold
/// it in an attribute: a quotation mark within a value is escaped.
pub(super) const HERE: &str = "~";

/// The path of something within the console: `to("/disputes/", id)`. The last part is encoded.
pub(super) fn to(path: &str, last: &str) -> String {
    format!("{HERE}{path}{}", encoded(last))
}

/// Percent-encoded, for a path or a query.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Text that a buyer, a merchant or Stripe wrote: it cannot change the direction or the look of what stands beside it.
pub(super) fn foreign(text: &str) -> Markup {
    html! {
        bdi {
            @for part in disguised(text) {
                @match part {
                    Part::Plain(text) => (text),
                    Part::Odd(c) => span.odd { (format!("U+{:04X}", u32::from(c))) },
                }
            }
        }
    }
}

/// The same where there can be no markup.
pub(super) fn plain(text: &str) -> String {
    let part = |part| match part {
        Part::Plain(text) => text.to_owned(),
        Part::Odd(c) => format!("U+{:04X}", u32::from(c)),
    };
    disguised(text).map(part).collect()
}

/// The same with its line breaks, for texts of several lines.
pub(super) fn foreign_lines(text: &str) -> Markup {
    html! { div.text { @for line in text.lines() { (foreign(line)) br; } } }
}

enum Part<'a> {
    Plain(&'a str),
    Odd(char),
}

/// Splits a text at characters that are invisible, or that change how others are shown.
fn disguised(text: &str) -> impl Iterator<Item = Part<'_>> {
    text.split_inclusive(is_odd).flat_map(|piece| {
        let odd = piece.chars().next_back().filter(|c| is_odd(*c));
        let plain = &piece[..piece.len() - odd.map_or(0, char::len_utf8)];
        [Some(Part::Plain(plain)).filter(|_| !plain.is_empty()), odd.map(Part::Odd)].into_iter().flatten()
    })
}

/// Control characters, direction marks, and what has no width.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// An id, or a word of Stripe's.
pub(super) fn code(text: &str) -> Markup {
    html! { code { (foreign(text)) } }
}

/// A word of Stripe's, where there is one.
pub(super) fn code_or_none(text: Option<&str>) -> Markup {
    text.map_or_else(nothing, code)
}

/// In place of a value that there is none of.
pub(super) fn nothing() -> Markup {
    html! { span.none { "–" } }
}

/// In place of a value that is not known.
pub(super) fn unknown() -> Markup {
    html! { span.none { "not known" } }
}

/// An amount in minor units: `1 234.50 EUR`.
pub(super) fn money(minor: i64, currency: &str) -> Markup {
    html! { span.money { (money_text(minor, currency)) } }
}

/// The same as text.
pub(super) fn money_text(minor: i64, currency: &str) -> String {
    let text = currency::major(minor, Some(currency));
    let (number, code) = text.split_once(' ').unwrap_or((&text, ""));
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |rest| ("\u{2212}", rest));
    let (whole, part) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::from(sign);
    for (place, digit) in whole.char_indices() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(NARROW);
        }
        grouped.push(digit);
    }
    if let Some(part) = part {
        grouped.push('.');
        grouped.push_str(part);
    }
    format!("{grouped}{NARROW}{code}")
}

/// An amount that may not be known, in a currency that may not be.
pub(super) fn amount(minor: Option<i64>, currency: Option<&str>) -> Markup {
    match (minor, currency) {
        (Some(minor), Some(currency)) => money(minor, currency),
        (Some(0), None) => html! { span.money { "0" } },
        (Some(minor), None) => html! { span.money { (minor) " minor units" } },
        (None, _) => unknown(),
    }
}

/// An amount, or nothing where it is 0.
pub(super) fn amount_above_zero(minor: i64, currency: Option<&str>) -> Markup {
    if minor == 0 { nothing() } else { amount(Some(minor), currency) }
}

/// A link to the story of an order, where there is one.
pub(super) fn order_link(order_id: Option<&str>) -> Markup {
    order_id.map_or_else(nothing, |order_id| html! { a href=(to("/orders?id=", order_id)) { (foreign(order_id)) } })
}

/// `live` or `test`, as a word.
pub(super) fn mode(livemode: bool) -> Markup {
    if livemode {
        html! { "live" }
    } else {
        badge(Tone::Warn, "test")
    }
}

/// A moment: `2026-12-04 23:59 UTC`. A script adds the local time.
pub(super) fn moment(at: OffsetDateTime) -> Markup {
    html! { time datetime=(machine(at)) { (minute(at)) } }
}

/// A moment that there may be none of.
pub(super) fn moment_or_none(at: Option<OffsetDateTime>) -> Markup {
    at.map_or_else(nothing, moment)
}

/// A moment with its distance: `2026-12-04 23:59 UTC, 3 h ago`.
pub(super) fn moment_ago(at: OffsetDateTime, now: OffsetDateTime) -> Markup {
    html! { (moment(at)) " " span.distance data-distance=(machine(at)) { (distance(at, now)) } }
}

/// A deadline with its distance: `in 8 d 4 h`, or `overdue 3 h`, in a tone that says how urgent it is.
pub(super) fn deadline(at: OffsetDateTime, now: OffsetDateTime) -> Markup {
    let tone = match at - now {
        left if left < Duration::ZERO => "bad",
        left if left < Duration::DAY => "bad",
        left if left < Duration::days(3) => "warn",
        _ => "calm",
    };
    html! {
        (moment(at)) " "
        span.distance.(tone) data-deadline=(machine(at)) { (until(at, now)) }
    }
}

/// `in 8 d 4 h` or `overdue 3 h`.
pub(super) fn until(at: OffsetDateTime, now: OffsetDateTime) -> String {
    if at >= now { distance(at, now) } else { format!("overdue {}", span(now - at)) }
}

/// `in 8 d 4 h` or `3 h ago`.
pub(super) fn distance(at: OffsetDateTime, now: OffsetDateTime) -> String {
    if at > now { format!("in {}", span(at - now)) } else { format!("{} ago", span(now - at)) }
}

/// The two largest units: `8 d 4 h`, `4 h 10 min`, `10 min`, `less than a minute`.
pub(super) fn span(span: Duration) -> String {
    let (days, hours, minutes) = (span.whole_days(), span.whole_hours() % 24, span.whole_minutes() % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// For machines, to the second.
pub(super) fn machine(at: OffsetDateTime) -> String {
    let whole = at.to_offset(UtcOffset::UTC).replace_nanosecond(0).unwrap_or(at);
    whole.format(&Rfc3339).unwrap_or_default()
}

/// To the minute.
pub(super) fn minute(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// The time of day, to the second.
pub(super) fn clock(at: OffsetDateTime) -> String {
    let format = format_description!("[hour]:[minute]:[second] UTC");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// How a state is coloured. The word itself says what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Tone {
    Good,
    Warn,
    Bad,
    Calm,
}

/// A word in a frame.
pub(super) fn badge(tone: Tone, word: &str) -> Markup {
    let tone: &str = tone.into();
    html! { span.badge.(tone) { (foreign(word)) } }
}

/// A state of ours or of Stripe's, coloured where it is known.
pub(super) fn state(word: &str) -> Markup {
    badge(tone(word), word)
}

fn tone(word: &str) -> Tone {
    match word {
        "paid" | "succeeded" | "won" | "processed" | "done" | "submitted" | "prevented" | "linked" => Tone::Good,
        "needs_response"
        | "warning_needs_response"
        | "appeal_needs_response"
        | "disputed"
        | "inquiry"
        | "dispute_open"
        | "rejected"
        | "unknown"
        | "pending"
        | "overdue"
        | "requires_action" => Tone::Warn,
        "lost"
        | "charged_back"
        | "partially_charged_back"
        | "dispute_lost"
        | "failed"
        | "dead"
        | "fraud_warning"
        | "refund_failed" => Tone::Bad,
        _ => Tone::Calm,
    }
}

/// The column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Head {
    /// Text, aligned left.
    Text(&'static str),
    /// Numbers, aligned right: cells carry the class `number` too.
    Number(&'static str),
}

/// A table. `rows` are `tr`s; the caption says what they are, for those who do not see the heading.
pub(super) fn table(caption: &str, heads: &[Head], rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads {
                    @match head {
                        Head::Text(name) => th scope="col" { (name) },
                        Head::Number(name) => th.number scope="col" { (name) },
                    }
                } } }
                tbody { (rows) }
            }
        }
    }
}

/// Names and values, one below the other.
pub(super) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! { dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } }
}

/// What stands where a list is empty: what would be here, and when it was looked at.
pub(super) fn empty(sentence: &str, now: OffsetDateTime) -> Markup {
    html! { p.empty { (sentence) " Looked at " (clock(now)) "." } }
}

/// A sentence that asks for attention.
pub(super) fn note(tone: Tone, content: &Markup) -> Markup {
    let class: &str = tone.into();
    html! { div.note.(class) { (content) } }
}

/// A button that does nothing, with the reason.
pub(super) fn disabled(label: &str, why: &str) -> Markup {
    html! { button type="button" disabled aria-disabled="true" { (label) } " " span.why { (why) } }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn amounts_are_grouped_and_carry_their_code() {
        for (minor, currency, text) in [
            (123_450, "eur", "1 234.50 EUR"),
            (-5, "usd", "\u{2212}0.05 USD"),
            (1_000_000, "jpy", "1 000 000 JPY"),
            (1_234, "kwd", "1.234 KWD"),
            (100, "isk", "1.00 ISK"),
            (0, "eur", "0.00 EUR"),
        ] {
            assert_eq!(money_text(minor, currency).replace(NARROW, " "), text);
        }
    }

    proptest! {
        #[test]
        fn a_printed_amount_is_read_as_the_same_amount(minor in 0..=i64::MAX, shift in 0..63_u32, index in 0..5_usize) {
            let (currency, step) = [("eur", 1), ("jpy", 1), ("kwd", 10), ("isk", 100), ("ugx", 100)][index];
            let minor = (minor >> shift) / step * step;
            let printed = money_text(minor, currency);
            prop_assert_eq!(currency::parse(&printed, currency), Ok(minor));
            prop_assert_eq!(currency::parse(&printed.replace(NARROW, " "), currency), Ok(minor));
        }
    }

    #[test]
    fn characters_that_disguise_text_are_shown() {
        let shown = foreign("a\u{202e}b<i>\u{0}").into_string();
        assert_eq!(shown, "<bdi>a<span class=\"odd\">U+202E</span>b&lt;i&gt;<span class=\"odd\">U+0000</span></bdi>");
    }

    #[test]
    fn a_distance_has_its_two_largest_units() {
        let now = datetime!(2026-11-26 12:00 UTC);
        for (at, text) in [
            (datetime!(2026-12-04 16:30 UTC), "in 8 d 4 h"),
            (datetime!(2026-11-26 11:59:30 UTC), "overdue less than a minute"),
            (datetime!(2026-11-26 09:00 UTC), "overdue 3 h"),
            (datetime!(2026-11-26 12:10 UTC), "in 10 min"),
            (datetime!(2026-11-27 12:05 UTC), "in 1 d"),
        ] {
            assert_eq!(until(at, now), text);
        }
    }

    #[test]
    fn a_path_is_encoded() {
        assert_eq!(to("/orders?id=", "a/b c&d\"é"), "~/orders?id=a%2Fb%20c%26d%22%C3%A9");
    }
}
