//! Whether a call that failed is tried again within itself, and after how long. The caller's queue does the rest.

use std::time::Duration;

use super::answer::Advice;
use super::error::{Error, Problem};
use crate::backoff;

/// How often a call is tried, at most.
pub(super) const TRIES: u32 = 3;
/// The shortest wait.
const SHORTEST: Duration = Duration::from_millis(500);
/// The longest wait without jitter, which at most doubles it.
const LONGEST: Duration = Duration::from_secs(4);

/// How long to wait before the next try, after so many; none when it must not be made. Stripe's word on it comes
/// first: a POST keeps its idempotency key, so that one which Stripe asks to repeat cannot have two effects.
pub(super) fn wait(error: &Error, tries: u32) -> Option<Duration> {
    let details = error.details()?;
    let (nothing_happened, asked) = match error {
        Error::Retry { after, .. } => (true, *after),
        Error::Unknown(_) | Error::Refused(_) | Error::Key(_) | Error::NotFound(_) | Error::WrongMode(_) => {
            (false, None)
        }
        Error::NoKey(_) | Error::Malformed { .. } => return None,
    };
    let again = match details.advice {
        Some(Advice::Retry) => true,
        Some(Advice::Stop) => false,
        None => nothing_happened && passes(details.problem),
    };
    let delay = backoff::between(SHORTEST, LONGEST, tries);
    (again && tries < TRIES).then(|| asked.unwrap_or_default().max(delay))
}

/// Whether the same call may find it otherwise a moment later.
fn passes(problem: Problem) -> bool {
    match problem {
        Problem::Status | Problem::NotConnected | Problem::TimedOut | Problem::Cut | Problem::NotJson => true,
        Problem::NoTurn | Problem::TooLarge => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe_api::error::Details;

    fn details(problem: Problem, advice: Option<Advice>) -> Box<Details> {
        let mut details = Details::new("GET /v1/charges".to_owned(), problem);
        details.advice = advice;
        Box::new(details)
    }

    fn retry(problem: Problem, after: Option<u64>) -> Error {
        Error::Retry { after: after.map(Duration::from_secs), details: details(problem, None) }
    }

    #[test]
    fn stripes_advice_comes_first() {
        let stop = Error::Retry { after: None, details: details(Problem::Status, Some(Advice::Stop)) };
        assert_eq!(wait(&stop, 1), None);
        assert!(wait(&Error::Unknown(details(Problem::Status, Some(Advice::Retry))), 1).is_some());
        assert_eq!(wait(&Error::Unknown(details(Problem::Status, None)), 1), None);
        assert_eq!(wait(&Error::Refused(details(Problem::Status, None)), 1), None);
    }

    #[test]
    fn a_call_is_tried_three_times() {
        let waits = |problem| (1..=3).map(|tries| wait(&retry(problem, None), tries).is_some()).collect::<Vec<_>>();
        assert_eq!(waits(Problem::NotConnected), [true, true, false]);
        assert_eq!(waits(Problem::TooLarge), [false, false, false]);
    }

    #[test]
    fn stripe_may_ask_for_a_longer_wait_and_not_for_a_shorter_one() {
        let seconds = |after| wait(&retry(Problem::Status, after), 1).expect("a wait").as_secs_f64();
        assert_eq!(seconds(Some(30)), 30.0);
        assert!((0.5..=1.0).contains(&seconds(Some(0))) && (0.5..=1.0).contains(&seconds(None)));
    }
}
