//! Stripe itself, for each mode that there is an API key for: whether it accepts the key, its clock, and what
//! [`permissions`], [`endpoints`] and [`missed`] look at.

use std::time::Duration;

use super::missed::Newest;
use super::permissions::{self, Verdict};
use super::{Finding, Report, endpoints, good, missed, warning, wrong};
use crate::app::{config, unix_now};
use crate::stripe_api::{Client, Details, Error, EventFilter, Mode, Page, Scope, TimeLimit};

const KEYS: &str = "API keys";
const CLOCK: &str = "Stripe clock";
/// How long each call may take. If the first one fails, there is no other.
const CALL: TimeLimit = TimeLimit::PerCall(Duration::from_secs(5));
/// How far our clock may be from Stripe's without a word, in seconds.
const APART: u64 = 5;

/// What was given.
pub(super) struct Given<'a> {
    pub(super) api: &'a config::StripeApi,
    /// The URL of the endpoint to look at; none: of all that may be Clawback's.
    pub(super) endpoint: Option<&'a str>,
    /// How far the clocks may differ.
    pub(super) tolerance: Duration,
}

/// Looks at Stripe, and returns the newest event there of each mode.
pub(super) async fn look(given: &Given<'_>, report: &mut Report) -> Vec<Newest> {
    let mut newest = Vec::new();
    match client(given.api) {
        Err(finding) => report.push(finding),
        Ok((client, modes)) => {
            for mode in modes {
                report.progress.show(&format!("calling Stripe in {mode} mode"));
                match in_mode(&client, mode, given, report).await {
                    Ok(found) => newest.extend(found),
                    Err(finding) => report.push(finding),
                }
            }
        }
    }
    newest
}

/// A client and the modes that it has a key for, or why Stripe is not asked.
fn client(api: &config::StripeApi) -> Result<(Client, Vec<Mode>), Finding> {
    let settings = api.settings().map_err(|error| wrong(KEYS, error.to_string()))?;
    let modes = settings.keys.modes();
    if modes.is_empty() {
        return Err(good(
            KEYS,
            "none, so Stripe is not asked about permissions, webhook endpoint, clock and missed events: \
             set STRIPE_API_KEYS to have them checked",
        ));
    }
    let client = Client::new(settings).map_err(|error| wrong(KEYS, error.to_string()))?;
    Ok((client, modes))
}

/// # Errors
/// The finding that ends the checks of this mode.
async fn in_mode(
    client: &Client,
    mode: Mode,
    given: &Given<'_>,
    report: &mut Report,
) -> Result<Option<Newest>, Finding> {
    let calls = client.calls(&Scope::own(mode), CALL).map_err(|error| unreachable(mode, &error))?;
    let first = permissions::newest(calls.events(&EventFilter::default())).await;
    let read = unix_now();
    report.push(accepted(mode, given.api, permissions::verdict(first.as_ref().map_err(Clone::clone)))?);
    report.extend(permissions::look(&calls, mode).await);
    report.extend(endpoints::look(&calls, mode, given.endpoint).await);
    let Ok(Some(page)) = first else { return Ok(None) };
    let Some(stripes) = StripesTime::of(&page) else { return Ok(None) };
    report.push(clock(mode, stripes.apart_from(read), given.tolerance));
    missed::at_stripe(&calls, mode, stripes.earliest).await.map(Some)
}

/// # Errors
/// Why nothing else is asked in this mode.
fn accepted(mode: Mode, api: &config::StripeApi, verdict: Verdict) -> Result<Finding, Finding> {
    match verdict {
        Verdict::Permitted | Verdict::Forbidden(_) => Ok(good(KEYS, format!("{mode} mode: Stripe accepts the key"))),
        Verdict::KeyRefused(details) => Err(refused(mode, api.variable().unwrap_or("STRIPE_API_KEYS"), &details)),
        Verdict::Unclear(error) => Err(unreachable(mode, &error)),
    }
}

fn refused(mode: Mode, variable: &str, details: &Details) -> Finding {
    let status = details.status.unwrap_or_default();
    let code = details.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    wrong(
        KEYS,
        format!(
            "{mode} mode: Stripe refuses the key ({status}{code}): it is mistyped, revoked or expired. \
             Put a valid one into {variable}"
        ),
    )
}

fn unreachable(mode: Mode, error: &Error) -> Finding {
    let mend = "check that this machine can reach Stripe, and run it again";
    wrong(
        KEYS,
        format!("{mode} mode: a call to Stripe failed, so nothing else was checked in this mode: {error}: {mend}"),
    )
}

/// The time by Stripe's clock at which an answer was read, as closely as it is known, in unix seconds.
#[derive(Clone, Copy, Debug)]
struct StripesTime {
    earliest: i64,
    latest: i64,
}

impl StripesTime {
    /// `Date` is cut to the second, and was written at some time of the call.
    fn of(page: &Page) -> Option<Self> {
        let earliest = page.date?.unix_timestamp();
        let took = i64::try_from(page.took.as_secs()).unwrap_or(i64::MAX);
        Some(Self { earliest, latest: earliest.saturating_add(took).saturating_add(1) })
    }

    /// By how many seconds our clock was off at least.
    fn apart_from(self, ours: i64) -> u64 {
        ours.abs_diff(ours.clamp(self.earliest, self.latest))
    }
}

fn clock(mode: Mode, apart: u64, tolerance: Duration) -> Finding {
    let says = format!("{mode} mode: this machine's clock and Stripe's differ by {apart} s");
    if apart <= APART.min(tolerance.as_secs() / 2) {
        return good(CLOCK, says);
    }
    let tolerance = tolerance.as_secs();
    let mend = format!("{says}; the signature tolerance is {tolerance} s: synchronize this machine's clock by NTP");
    if apart > tolerance / 2 { wrong(CLOCK, mend) } else { warning(CLOCK, mend) }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn the_clock_may_be_off_by_seconds_and_not_by_half_the_tolerance() {
        let level = |apart, tolerance| clock(Mode::Live, apart, Duration::from_secs(tolerance)).level;
        assert_eq!(
            [0, 5, 6, 150, 151].map(|apart| level(apart, 300)),
            [Level::Good, Level::Good, Level::Warning, Level::Warning, Level::Wrong]
        );
        assert_eq!(level(3, 4), Level::Wrong);
    }

    #[test]
    fn what_a_call_took_is_not_taken_for_a_difference() {
        let stripes = StripesTime { earliest: 100, latest: 104 };
        assert_eq!([90, 100, 104, 110].map(|ours| stripes.apart_from(ours)), [10, 0, 0, 6]);
    }
}
