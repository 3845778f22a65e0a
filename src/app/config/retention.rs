//! Settings of retention: whether the service prunes, and from which age on.

use std::time::Duration;

use clap::{ArgAction, Args};

use crate::retention::Ages;

/// How long everything is kept that may be removed.
pub(crate) const DEFAULT: &str = "400d";

/// What the service prunes by itself.
#[derive(Clone, Debug, Args)]
pub struct Retention {
    /// Remove event bodies, sent evidence and the content of ended follow-ups once they are old enough
    #[arg(long, env = "CLAWBACK_PRUNE", default_value_t = true, action = ArgAction::Set)]
    pub prune: bool,
    /// Age of event bodies, such as 400d
    #[arg(long, env = "CLAWBACK_PRUNE_OLDER_THAN", value_name = "AGE", default_value = DEFAULT, value_parser = age)]
    pub prune_older_than: Duration,
    /// Age of sent evidence, since its dispute was closed
    #[arg(long, env = "CLAWBACK_PRUNE_EVIDENCE_OLDER_THAN", value_name = "AGE", default_value = DEFAULT, value_parser = age)]
    pub prune_evidence_older_than: Duration,
    /// Age of follow-ups, since they ended
    #[arg(long, env = "CLAWBACK_PRUNE_FOLLOW_UPS_OLDER_THAN", value_name = "AGE", default_value = DEFAULT, value_parser = age)]
    pub prune_follow_ups_older_than: Duration,
}

impl Retention {
    /// The ages; none when the service prunes nothing.
    #[must_use]
    pub fn ages(&self) -> Option<Ages> {
        self.prune.then_some(Ages {
            bodies: self.prune_older_than,
            evidence: self.prune_evidence_older_than,
            follow_ups: self.prune_follow_ups_older_than,
        })
    }
}

/// An age. Stripe resends an event for 30 days.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    match text.parse::<humantime::Duration>() {
        Ok(age) if (31 * 86_400..=36_500 * 86_400).contains(&age.as_secs()) => Ok(age.into()),
        Ok(_) => Err("it must be between 31d and 36500d: Stripe resends events for 30 days".to_owned()),
        Err(_) => Err("expected an age such as 400d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn an_age_is_longer_than_stripe_resends_events() {
        assert_eq!(age(super::DEFAULT).map(|age| age.as_secs()), Ok(400 * 86_400));
        assert!(age("31d").is_ok() && age("10years").is_ok());
        for refused in ["30d", "101years", "400", "", "never"] {
            assert!(age(refused).is_err(), "{refused}");
        }
    }
}
