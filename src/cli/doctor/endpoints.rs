//! The webhook endpoints at Stripe: whether they are enabled, and send every event that Clawback needs.

use serde::Deserialize;

use super::{Finding, good, warning, wrong};
use crate::handlers::EVENTS;
use crate::stripe_api::{API_VERSION, Calls, Error, Mode};

const CHECK: &str = "webhook endpoint";
/// The oldest version of which samples are tested.
const OLDEST_TESTED: &str = "2017-12-14";

/// An endpoint as Stripe shows it.
#[derive(Clone, Debug, Deserialize)]
struct Endpoint {
    url: String,
    status: String,
    api_version: Option<String>,
    enabled_events: Vec<String>,
    application: Option<String>,
    connect: Option<bool>,
}

impl Endpoint {
    fn sends(&self, event: &str) -> bool {
        self.enabled_events.iter().any(|enabled| enabled == "*" || enabled == event)
    }

    fn missing(&self) -> Vec<&'static str> {
        EVENTS.into_iter().filter(|event| !self.sends(event)).collect()
    }

    /// Its URL, and whose events it is for where Stripe shows that.
    fn name(&self) -> String {
        match (&self.application, self.connect) {
            (Some(application), _) => format!("{} (of application {application})", self.url),
            (None, Some(true)) => format!("{} (events of connected accounts)", self.url),
            (None, Some(false) | None) => self.url.clone(),
        }
    }
}

/// Looks at the endpoint with this URL; without one, at all that send any event that Clawback needs.
pub(super) async fn look(calls: &Calls, mode: Mode, url: Option<&str>) -> Vec<Finding> {
    match calls.webhook_endpoints().all().await {
        // Found out by the check of permissions.
        Err(Error::Key(_)) => Vec::new(),
        Err(error) => vec![warning(CHECK, format!("{mode} mode: the endpoints could not be listed: {error}"))],
        Ok(items) => {
            let read = items.iter().map(|item| serde_json::from_str(item.get())).collect::<Result<Vec<_>, _>>();
            match read {
                Ok(endpoints) => judge(mode, &endpoints, url),
                Err(error) => vec![warning(CHECK, format!("{mode} mode: an endpoint could not be read: {error}"))],
            }
        }
    }
}

fn judge(mode: Mode, endpoints: &[Endpoint], url: Option<&str>) -> Vec<Finding> {
    let ours: Vec<_> = endpoints.iter().filter(|endpoint| is_ours(endpoint, url)).collect();
    match ours.as_slice() {
        [] => vec![none(mode, endpoints, url)],
        [endpoint] => about(mode, endpoint, Certainty::Ours),
        several if url.is_some() => several.iter().flat_map(|it| about(mode, it, Certainty::Ours)).collect(),
        several => several.iter().flat_map(|it| about(mode, it, Certainty::PerhapsOurs)).collect(),
    }
}

fn is_ours(endpoint: &Endpoint, url: Option<&str>) -> bool {
    match url {
        Some(url) => endpoint.url.trim_end_matches('/') == url.trim_end_matches('/'),
        None => EVENTS.iter().any(|event| endpoint.sends(event)),
    }
}

/// Whether an endpoint is Clawback's, or one of several that may belong to others.
#[derive(Clone, Copy)]
enum Certainty {
    Ours,
    PerhapsOurs,
}

/// In test mode it is normal: events may come from `stripe listen`.
fn none(mode: Mode, endpoints: &[Endpoint], url: Option<&str>) -> Finding {
    let which = match url {
        Some(url) => format!("with the URL {url}"),
        None => "that sends any event Clawback needs".to_owned(),
    };
    let others = match endpoints {
        [] => "none at all".to_owned(),
        others => others.iter().map(|other| other.url.as_str()).collect::<Vec<_>>().join(", "),
    };
    let message = format!(
        "{mode} mode: Stripe has no webhook endpoint {which} (it has {others}): add one in the Dashboard, in Workbench, \
         Webhooks"
    );
    match mode {
        Mode::Live => wrong(CHECK, message),
        Mode::Test => warning(CHECK, format!("{message}, unless events come from `stripe listen`")),
    }
}

fn about(mode: Mode, endpoint: &Endpoint, certainty: Certainty) -> Vec<Finding> {
    let name = endpoint.name();
    let grave = |says: String| match certainty {
        Certainty::Ours => wrong(CHECK, format!("{mode} mode: {name} {says}")),
        Certainty::PerhapsOurs => warning(
            CHECK,
            format!("{mode} mode: {name} {says}. Of several endpoints, choose Clawback's with `--endpoint URL`"),
        ),
    };
    let mut findings = Vec::new();
    if endpoint.status != "enabled" {
        findings.push(grave(format!("is {}: enable it in the Dashboard, in Workbench, Webhooks", endpoint.status)));
    }
    let missing = endpoint.missing();
    if !missing.is_empty() {
        findings.push(grave(format!("does not send {}: add them to its events", missing.join(", "))));
    }
    if let Some(says) = untested(endpoint.api_version.as_deref()) {
        findings.push(warning(CHECK, format!("{mode} mode: {name} {says}")));
    }
    if findings.is_empty() {
        let version = endpoint.api_version.as_deref().unwrap_or("the account's default");
        findings.push(good(
            CHECK,
            format!("{mode} mode: {name} is enabled and sends every event needed, in API version {version}"),
        ));
    }
    findings
}

/// Why a version is not known to be read well. The account's default is some version in between.
fn untested(version: Option<&str>) -> Option<String> {
    let version = version?;
    let day = |version: &str| version.get(..10).unwrap_or(version).to_owned();
    let oldest = day(version) < day(OLDEST_TESTED);
    let newer = day(version) > day(API_VERSION);
    let why = match (oldest, newer) {
        (true, _) => format!("older than the oldest tested, {OLDEST_TESTED}: add an endpoint with a newer one"),
        (_, true) => format!("newer than the newest tested, {API_VERSION}: see whether there is a newer Clawback"),
        (false, false) => return None,
    };
    Some(format!("sends API version {version}, {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn endpoint(url: &str, events: &[&str]) -> Endpoint {
        Endpoint {
            url: url.to_owned(),
            status: "enabled".to_owned(),
            api_version: None,
            enabled_events: events.iter().map(|event| (*event).to_owned()).collect(),
            application: None,
            connect: None,
        }
    }

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn an_endpoint_may_send_all_events_or_those_needed_one_by_one() {
        for events in [&["*"][..], &EVENTS] {
            assert_eq!(levels(&judge(Mode::Live, &[endpoint("https://a", events)], None)), [Level::Good]);
        }
        let found = judge(Mode::Live, &[endpoint("https://a", &EVENTS[1..])], None);
        assert_eq!(levels(&found), [Level::Wrong]);
        assert!(found[0].message.contains("does not send refund.created: add"), "{}", found[0].message);
    }

    #[test]
    fn among_several_endpoints_only_the_one_that_was_named_can_be_wrong() {
        let both = [endpoint("https://a", &["*"]), endpoint("https://b", &["charge.failed", "payout.paid"])];
        assert_eq!(levels(&judge(Mode::Live, &both, None)), [Level::Good, Level::Warning]);
        assert_eq!(levels(&judge(Mode::Live, &both, Some("https://a/"))), [Level::Good]);
        assert_eq!(levels(&judge(Mode::Live, &both, Some("https://b"))), [Level::Wrong]);
        let elsewhere = [endpoint("https://c", &["payout.paid"])];
        assert_eq!(levels(&judge(Mode::Live, &elsewhere, None)), [Level::Wrong]);
        assert_eq!(levels(&judge(Mode::Test, &elsewhere, None)), [Level::Warning]);
    }

    #[test]
    fn versions_beyond_the_tested_ones_are_told() {
        let tested = [None, Some("2017-12-14"), Some("2024-06-20"), Some(API_VERSION), Some("2026-10-28.other")];
        assert!(tested.into_iter().all(|version| untested(version).is_none()));
        assert!(untested(Some("2016-07-06")).is_some_and(|says| says.contains("older")));
        assert!(untested(Some("2027-01-27.x")).is_some_and(|says| says.contains("newer")));
    }
}
