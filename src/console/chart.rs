//! Bars for the rows of a table, as SVG: the numbers stand beside them. Pure.
//!
//! Widths are attributes, which the content security policy allows; styles would not be.

use maud::{Markup, html};

use super::parts::Tone;

/// The width of a bar that is as long as the longest, in units of the drawing.
const WIDTH: i64 = 1_000;
/// Space between two parts.
const GAP: i64 = 4;

/// A bar of parts, one after the other, whose longest possible length is `most`. Nothing where all are 0.
pub(super) fn bar(parts: &[(Tone, i64)], most: i64) -> Markup {
    let most = most.max(1);
    let mut at = 0;
    let mut placed = Vec::new();
    for (tone, value) in parts.iter().filter(|(_, value)| *value > 0) {
        let width = (value.saturating_mul(WIDTH) / most).clamp(GAP * 2, WIDTH);
        placed.push((*tone, at, width - GAP));
        at += width;
    }
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " 14" } preserveAspectRatio="none" height="14" aria-hidden="true" focusable="false" {
            @for (tone, x, width) in placed {
                @let class: &str = tone.into();
                rect.(class) x=(x) y="1" width=(width) height="12" rx="2" {}
            }
        }
    }
}

/// What the colours of bars stand for.
pub(super) fn legend(parts: &[(Tone, &str)]) -> Markup {
    html! {
        p.legend { @for (tone, name) in parts {
            @let class: &str = (*tone).into();
            span { svg.chart viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false" { rect.(class) width="12" height="12" rx="2" {} } " " (name) }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_of_the_longest_and_no_part_vanishes() {
        let drawn = bar(&[(Tone::Good, 5), (Tone::Calm, 0), (Tone::Bad, 1)], 1_000_000).into_string();
        let rects: Vec<_> = drawn.match_indices("<rect").collect();
        assert_eq!(rects.len(), 2);
        let half = bar(&[(Tone::Good, 2), (Tone::Bad, 1)], 6).into_string();
        assert!(half.contains(r#"x="0" y="1" width="329""#) && half.contains(r#"x="333" y="1" width="162""#), "{half}");
    }
}
