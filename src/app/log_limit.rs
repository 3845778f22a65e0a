//! Limits what a flood writes to the log: of each kind of line the first ten a minute, then how many more there were.
//!
//! Anybody can send forged requests, and a fault of the database repeats its lines until it ends; metrics count them all.
//! A kind is a place in the code and, where a line has a field `reason`, that. Not limited: `debug` and `trace`, which
//! somebody asked for.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, warn};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of one kind that are written between two reports.
const WRITTEN: u64 = 10;
/// Kinds that are counted apart. The lines of one place count as one kind once there are as many.
const MAX_KINDS: usize = 200;
/// Of a reason or an example, in bytes.
const MAX_TEXT: usize = 200;

/// A filter that leaves out what exceeds the limit. Clones share their counts.
#[derive(Clone, Debug, Default)]
pub(super) struct LogLimit(Arc<Mutex<HashMap<Kind, Count>>>);

type Kind = (Identifier, String);

#[derive(Debug, Default)]
struct Count {
    lines: u64,
    /// The message of the first.
    example: String,
}

impl LogLimit {
    /// Logs how many lines of each kind were left out since the last report, and begins to count again.
    pub(super) fn report(&self) {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for Count { lines, example } in counts.into_values().filter(|count| count.lines > WRITTEN) {
            let left_out = lines - WRITTEN;
            warn!(left_out, "{left_out} more lines like this one in the last minute: {example}");
        }
    }

    /// Counts a line. Returns whether it is written.
    fn count(&self, event: &Event<'_>) -> bool {
        let mut text = Text::default();
        event.record(&mut text);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = (event.metadata().callsite(), text.reason);
        if counts.len() >= MAX_KINDS && !counts.contains_key(&kind) {
            kind.1.clear();
        }
        let count = counts.entry(kind).or_insert_with(|| Count { lines: 0, example: text.message });
        count.lines += 1;
        count.lines <= WRITTEN
    }
}

impl<S> Filter<S> for LogLimit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // Reports are not counted themselves.
        *metadata.level() > Level::INFO || metadata.target() == module_path!() || self.count(event)
    }
}

/// What tells one kind from another, and an example of it.
#[derive(Default)]
struct Text {
    message: String,
    reason: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = match field.name() {
            "message" => &mut self.message,
            "reason" => &mut self.reason,
            _ => return,
        };
        let _ = write!(text, "{value:?}");
        text.truncate(text.floor_char_boundary(MAX_TEXT));
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing::subscriber::with_default;
    use tracing::{debug, info};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the lines").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that this writes to the log.
    fn lines(limit: &LogLimit, write: impl FnOnce()) -> Vec<String> {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        with_default(tracing_subscriber::registry().with(layer.with_filter(limit.clone())), write);
        let bytes = written.0.lock().expect("the lines").clone();
        String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
    }

    fn refuse(reason: &'static str, times: usize) {
        for _ in 0..times {
            warn!(reason, "refused: {reason}");
        }
    }

    #[test]
    fn of_each_reason_the_first_lines_are_written_and_the_others_counted() {
        let limit = LogLimit::default();
        let flood = || {
            refuse("forged", 2_000);
            refuse("stale", 3);
        };
        assert_eq!(lines(&limit, flood).len(), 10 + 3);
        let reports = lines(&limit, || limit.report());
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(
            reports[0].contains("1990 more lines like this one in the last minute: refused: forged"),
            "{reports:?}"
        );
    }

    #[test]
    fn after_a_report_counting_begins_again() {
        let limit = LogLimit::default();
        assert_eq!(lines(&limit, || refuse("forged", 20)).len(), 10);
        assert_eq!(lines(&limit, || limit.report()).len(), 1);
        assert_eq!(lines(&limit, || refuse("forged", 20)).len(), 10);
        assert_eq!(lines(&limit, || limit.report()).len(), 1);
        assert_eq!(lines(&limit, || limit.report()).len(), 0, "nothing was left out since");
    }

    #[test]
    fn reasons_without_end_take_no_memory_without_end() {
        let limit = LogLimit::default();
        let flood = || (0..5_000).for_each(|n| info!(reason = format!("{n}{}", "x".repeat(1_000)), "odd"));
        assert_eq!(lines(&limit, flood).len(), MAX_KINDS + usize::try_from(WRITTEN).expect("few"));
        assert!(limit.0.lock().expect("the counts").len() <= MAX_KINDS + 1);
    }

    #[test]
    fn lines_that_somebody_asked_for_are_not_limited() {
        let limit = LogLimit::default();
        assert_eq!(lines(&limit, || (0..100).for_each(|n| debug!(n, "seen"))).len(), 100);
    }
}
