//! What an API key may do: a call for each permission that Clawback uses, made so that it cannot have an effect.
//!
//! Reads list one object, or retrieve one that cannot exist. Writes are requests that Stripe can only refuse: they leave
//! out what they are about, or name an object that cannot exist, since Stripe's own ids have no second underscore. A key
//! without the permission is refused with 403 before that, any other with 400 or 404. Other calls with the same
//! permission, such as canceling a refund or accepting a dispute, are not made.

use uuid::Uuid;

use super::{Finding, good, warning, wrong};
use crate::stripe_api::{Calls, Created, Details, DisputeUpdate, Error, EventFilter, Mode, Page, Pages, Params};

const CHECK: &str = "permissions";
/// After how many failed calls nothing else is tried, since each may take until its time-out.
const MAX_FAILED: u32 = 2;
/// An object that cannot exist.
const NO_EVENT: &str = "evt_clawback_doctor";
const NO_DISPUTE: &str = "du_clawback_doctor";

/// A permission of a restricted key.
pub(super) struct Permission {
    /// As the Dashboard names it, with what is to be chosen there.
    name: &'static str,
    need: Need,
    /// What is missing without it.
    without: &'static str,
    probes: &'static [Probe],
}

#[derive(Clone, Copy)]
enum Need {
    /// Clawback cannot act or catch up without it.
    Always,
    /// One ability is missing without it.
    ForOneAbility,
}

/// A call that cannot have an effect.
#[derive(Clone, Copy)]
enum Probe {
    Events,
    ThinEvent,
    Charges,
    Refunds,
    PaymentIntents,
    Disputes,
    CheckoutSessions,
    EarlyFraudWarnings,
    Reviews,
    BalanceTransactions,
    WebhookEndpoints,
    CreateRefund,
    StageEvidence,
    UploadFile,
}

const PERMISSIONS: [Permission; 11] = [
    Permission {
        name: "Events: Read",
        need: Need::Always,
        without: "missed events cannot be fetched",
        probes: &[Probe::Events, Probe::ThinEvent],
    },
    Permission {
        name: "Charges and Refunds: Read",
        need: Need::Always,
        without: "charges and refunds cannot be fetched, and no refund can be issued safely",
        probes: &[Probe::Charges, Probe::Refunds],
    },
    Permission {
        name: "Charges and Refunds: Write",
        need: Need::Always,
        without: "refunds cannot be issued or canceled",
        probes: &[Probe::CreateRefund],
    },
    Permission {
        name: "PaymentIntents: Read",
        need: Need::Always,
        without: "PaymentIntents cannot be fetched",
        probes: &[Probe::PaymentIntents],
    },
    Permission {
        name: "Disputes: Read",
        need: Need::Always,
        without: "disputes cannot be fetched",
        probes: &[Probe::Disputes],
    },
    Permission {
        name: "Disputes: Write",
        need: Need::ForOneAbility,
        without: "evidence cannot be sent and disputes cannot be accepted",
        probes: &[Probe::StageEvidence],
    },
    Permission {
        name: "Files: Write",
        need: Need::ForOneAbility,
        without: "files cannot be attached to evidence",
        probes: &[Probe::UploadFile],
    },
    Permission {
        name: "Checkout Sessions: Read",
        need: Need::ForOneAbility,
        without: "an import from scratch cannot read Checkout sessions",
        probes: &[Probe::CheckoutSessions],
    },
    Permission {
        name: "Radar: Read",
        need: Need::ForOneAbility,
        without: "an import from scratch cannot read early fraud warnings and reviews",
        probes: &[Probe::EarlyFraudWarnings, Probe::Reviews],
    },
    Permission {
        name: "Balance Transaction Sources: Read",
        need: Need::ForOneAbility,
        without: "an import from scratch cannot read balance transactions",
        probes: &[Probe::BalanceTransactions],
    },
    Permission {
        name: "Webhook Endpoints: Read",
        need: Need::ForOneAbility,
        without: "`clawback doctor` cannot check the webhook endpoint",
        probes: &[Probe::WebhookEndpoints],
    },
];

/// What a call says about the key.
pub(super) enum Verdict {
    /// It may make the call.
    Permitted,
    /// It lacks the permission.
    Forbidden(Box<Details>),
    /// It is not accepted at all.
    KeyRefused(Box<Details>),
    /// Nothing: the call failed for another reason.
    Unclear(Error),
}

/// Judges the outcome of a call that cannot have an effect.
pub(super) fn verdict<T>(outcome: Result<T, Error>) -> Verdict {
    match outcome {
        Ok(_) | Err(Error::NotFound(_)) => Verdict::Permitted,
        Err(Error::Refused(details)) if matches!(details.status, Some(400 | 404)) => Verdict::Permitted,
        Err(Error::Key(details)) if details.status == Some(403) => Verdict::Forbidden(details),
        Err(Error::Key(details)) => Verdict::KeyRefused(details),
        Err(
            error @ (Error::Refused(_)
            | Error::Retry { .. }
            | Error::Unknown(_)
            | Error::WrongMode(_)
            | Error::NoKey(_)
            | Error::Malformed { .. }),
        ) => Verdict::Unclear(error),
    }
}

/// The newest object of a list, in one call.
pub(super) async fn newest(list: Pages) -> Result<Option<Page>, Error> {
    list.page_size(1).at_most(1).next().await
}

/// Tries each permission, and says which are missing.
pub(super) async fn look(calls: &Calls, mode: Mode) -> Vec<Finding> {
    let (mut findings, mut permitted, mut failed) = (Vec::new(), Vec::new(), 0);
    let mut permissions = PERMISSIONS.iter();
    for permission in permissions.by_ref() {
        match first_obstacle(calls, permission).await {
            None => permitted.push(permission.name),
            Some(verdict) => {
                failed += u32::from(matches!(verdict, Verdict::Unclear(_)));
                findings.extend(obstacle(mode, permission, &verdict));
            }
        }
        if failed == MAX_FAILED {
            break;
        }
    }
    let untried: Vec<_> = permissions.map(|permission| permission.name).collect();
    if !untried.is_empty() {
        let message = format!("{mode} mode: after {failed} failed calls, these were not tried: {}", untried.join(", "));
        findings.push(warning(CHECK, message));
    }
    if !permitted.is_empty() {
        findings.insert(0, good(CHECK, format!("{mode} mode: the key has {}", permitted.join(", "))));
    }
    findings
}

async fn first_obstacle(calls: &Calls, permission: &Permission) -> Option<Verdict> {
    for probe in permission.probes {
        match verdict(make(calls, *probe).await) {
            Verdict::Permitted => {}
            obstacle @ (Verdict::Forbidden(_) | Verdict::KeyRefused(_) | Verdict::Unclear(_)) => return Some(obstacle),
        }
    }
    None
}

async fn make(calls: &Calls, probe: Probe) -> Result<(), Error> {
    let (all, key) = (Created::default(), Uuid::new_v4().into());
    match probe {
        Probe::Events => newest(calls.events(&EventFilter::default())).await.map(drop),
        Probe::Charges => newest(calls.charges(all)).await.map(drop),
        Probe::Refunds => newest(calls.refunds(all)).await.map(drop),
        Probe::PaymentIntents => newest(calls.payment_intents(all)).await.map(drop),
        Probe::Disputes => newest(calls.disputes(all)).await.map(drop),
        Probe::CheckoutSessions => newest(calls.checkout_sessions(all)).await.map(drop),
        Probe::EarlyFraudWarnings => newest(calls.early_fraud_warnings(all)).await.map(drop),
        Probe::Reviews => newest(calls.reviews(all)).await.map(drop),
        Probe::BalanceTransactions => newest(calls.balance_transactions(all)).await.map(drop),
        Probe::WebhookEndpoints => newest(calls.webhook_endpoints()).await.map(drop),
        Probe::ThinEvent => calls.retrieve_thin_event(NO_EVENT).await.map(drop),
        Probe::CreateRefund => calls.create_refund(Params::new(), &key).await.map(drop),
        Probe::StageEvidence => calls.update_dispute(NO_DISPUTE, &DisputeUpdate::staging(&[]), &key).await.map(drop),
        Probe::UploadFile => calls.upload_nothing(&key).await.map(drop),
    }
}

fn obstacle(mode: Mode, permission: &Permission, verdict: &Verdict) -> Option<Finding> {
    let Permission { name, need, without, .. } = permission;
    match verdict {
        Verdict::Permitted => None,
        Verdict::Forbidden(details) | Verdict::KeyRefused(details) => {
            let call = &details.call;
            let stripes = stripes_name(details).map(|name| format!(" ({name})")).unwrap_or_default();
            let message = format!(
                "{mode} mode: the key lacks `{name}`{stripes}, so {without}: add it to the key in the Dashboard, under \
                 Developers, API keys. Stripe refused {call}"
            );
            Some(match need {
                Need::Always => wrong(CHECK, message),
                Need::ForOneAbility => warning(CHECK, message),
            })
        }
        Verdict::Unclear(error) => Some(warning(CHECK, format!("{mode} mode: `{name}` could not be tried: {error}"))),
    }
}

/// Stripe's own name of the missing permission, such as `rak_charge_write`: its message has it, for people to read.
fn stripes_name(details: &Details) -> Option<&str> {
    let message = details.message.as_deref()?;
    message.split(|c: char| !c.is_ascii_lowercase() && c != '_').find(|word| word.starts_with("rak_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_name_every_permission() {
        let page = include_str!("../../../docs/DEPLOY.md");
        for Permission { name, without, .. } in &PERMISSIONS {
            let (resource, access) = name.split_once(": ").expect("a resource and an access");
            let row = page.lines().find(|line| line.starts_with(&format!("| {resource} | {access} |")));
            assert!(row.is_some_and(|row| row.contains(without)), "{name}: {row:?}");
        }
    }
}
