//! Times for people: exact in UTC, or how far away they are.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

/// To the second, in UTC.
pub(crate) fn exact(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_else(|_| at.to_string())
}

/// `3h ago` or `in 2d`; the day itself when that is more than two months away.
pub(crate) fn relative(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let away = (at - now).abs();
    let text = match away {
        away if away < Duration::MINUTE => format!("{}s", away.whole_seconds()),
        away if away < Duration::HOUR => format!("{}m", away.whole_minutes()),
        away if away < Duration::DAY * 2 => format!("{}h", away.whole_hours()),
        away if away < Duration::DAY * 60 => format!("{}d", away.whole_days()),
        _ => return exact(at).chars().take("2026-11-25".len()).collect(),
    };
    if at > now { format!("in {text}") } else { format!("{text} ago") }
}

/// A time as people give it: a day, a moment as in RFC 3339, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(OffsetDateTime),
    Ago(std::time::Duration),
}

impl Moment {
    /// Reads `2h`, `2026-11-25` or `2026-11-25T15:00:00Z`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(ago) = text.parse::<humantime::Duration>() {
            return Ok(Self::Ago(ago.into()));
        }
        let moment = if text.len() == "2026-11-25".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
        OffsetDateTime::parse(&moment, &Rfc3339).map(Self::At).map_err(|_| {
            "expected a duration such as 2h, a day such as 2026-11-25, or a time such as 2026-11-25T15:00:00Z"
                .to_owned()
        })
    }

    /// When that is. A duration longer than time itself is the earliest time that the database knows.
    pub(crate) fn before(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                let ago = Duration::try_from(ago).ok().and_then(|ago| now.checked_sub(ago));
                ago.unwrap_or(OffsetDateTime::UNIX_EPOCH)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 15:00 UTC);

    #[test]
    fn a_time_is_told_by_how_far_away_it_is() {
        for (at, text) in [
            (NOW - Duration::seconds(5), "5s ago"),
            (NOW + Duration::minutes(59), "in 59m"),
            (NOW - Duration::hours(47), "47h ago"),
            (NOW + Duration::days(2), "in 2d"),
            (NOW - Duration::days(90), "2026-08-27"),
        ] {
            assert_eq!(relative(at, NOW), text);
        }
        assert_eq!(exact(datetime!(2026-11-25 16:00 +1)), "2026-11-25 15:00:00Z");
    }

    #[test]
    fn a_time_is_a_day_a_moment_or_how_long_ago() {
        let at = |text: &str| Moment::parse(text).map(|moment| moment.before(NOW));
        assert_eq!(at("2h"), Ok(NOW - Duration::hours(2)));
        assert_eq!(at("2026-11-25"), Ok(datetime!(2026-11-25 00:00 UTC)));
        assert_eq!(at("2026-11-25T16:00:00+01:00"), Ok(NOW));
        assert_eq!(at("100000years"), Ok(OffsetDateTime::UNIX_EPOCH));
        assert!(at("yesterday").is_err());
    }
}
