//! Whether everything stored is what it is derived from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Finding, good, warning, wrong};
use crate::app::database::answer;
use crate::domain::{Derived, Desired, Facts, Marks, derive_with};
use crate::store::conservation::{self, StoredPayment};

pub(super) async fn look(conn: &mut PgConnection, marks: &Marks, findings: &mut Vec<Finding>) -> sqlx::Result<()> {
    findings.extend(derived_again(conn, marks).await?);
    let orders = answer(conservation::orders_that_do_not_add_up(conn)).await?;
    findings.push(named("orders", "orders whose sums are not those of their payments", &orders));
    findings.push(above_paid(&answer(conservation::refunded_above_paid(conn)).await?));
    findings.push(pruned(answer(conservation::pruned(conn)).await?));
    Ok(())
}

/// Derives every payment from its facts, with all that belongs to it, and compares.
async fn derived_again(conn: &mut PgConnection, marks: &Marks) -> sqlx::Result<[Finding; 4]> {
    let (mut unreadable, mut differing, mut objects, mut disputed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last = String::new();
    loop {
        let payments = answer(conservation::payments_after(conn, &last)).await?;
        let Some(end) = payments.last() else { break };
        last.clone_from(&end.payment_id);
        for stored in payments {
            let Ok(facts) = Facts::deserialize(&stored.facts) else {
                unreadable.push(stored.payment_id);
                continue;
            };
            let derived = derive_with(&stored.payment_id, &facts, marks);
            objects.extend(differing_objects(&stored, &derived));
            disputed.extend(facts.charges_that_miss_a_dispute().map(str::to_owned));
            if !shows(&stored.row, &json!(derived.payment)) {
                differing.push(stored.payment_id);
            }
        }
    }
    // One that stands at another payment than its own differs for both.
    objects.sort();
    objects.dedup();
    let what = "refunds, disputes, fraud warnings, reviews and follow-ups that are not what their payments' facts say";
    Ok([
        damaged(&unreadable),
        named("conservation", "payments that their facts do not add up to", &differing),
        named("objects", what, &objects),
        unseen_disputes(&disputed),
    ])
}

/// Those that are missing, that should not be there, or that differ.
fn differing_objects(stored: &StoredPayment, derived: &Derived) -> Vec<String> {
    // Whether it was too late to ask for it when it was wanted first, nobody knows any more.
    let lapses = derived.desired.iter().filter(|wanted| wanted.until.is_some()).map(follow_up).collect::<BTreeSet<_>>();
    let derived = objects(derived);
    let stored = &stored.objects.0;
    let lapsed = |name: &str| lapses.contains(name) && !stored.contains_key(name);
    // Why something was held, no fact tells any more when it had been misread: then it is released all the same.
    let retracted = |name: &str| {
        let held = name.strip_prefix("follow-up release_").map(|rest| format!("follow-up hold_{rest}"));
        held.is_some_and(|held| !stored.contains_key(&held)) && !derived.contains_key(name)
    };
    let same = |name: &str| stored.get(name).zip(derived.get(name)).is_some_and(|(row, object)| shows(row, object));
    stored
        .keys()
        .chain(derived.keys())
        .filter(|name| !same(name) && !lapsed(name) && !retracted(name))
        .cloned()
        .collect()
}

/// All that belongs to a payment, under the names that the store gives.
fn objects(derived: &Derived) -> BTreeMap<String, Value> {
    let refunds = derived.refunds.iter().map(|r| (format!("refund {}", r.refund_id), json!(r)));
    let disputes = derived.disputes.iter().map(|d| (format!("dispute {}", d.dispute_id), json!(d)));
    let warnings = derived.warnings.iter().map(|w| (format!("fraud warning {}", w.warning_id), json!(w)));
    let reviews = derived.reviews.iter().map(|r| (format!("review {}", r.review_id), json!(r)));
    let wanted = derived.desired.iter().map(|wanted| (follow_up(wanted), json!({})));
    refunds.chain(disputes).chain(warnings).chain(reviews).chain(wanted).collect()
}

fn follow_up(wanted: &Desired) -> String {
    format!("follow-up {} {} {}", wanted.kind, wanted.subject, wanted.round).trim_end().to_owned()
}

/// Whether each column of a row is what was derived. What was derived may hold more.
fn shows(row: &Value, derived: &Value) -> bool {
    row.as_object().is_some_and(|row| row.iter().all(|(column, value)| derived[column] == *value))
}

fn named(check: &'static str, what: &str, ids: &[String]) -> Finding {
    match ids {
        [] => good(check, format!("no {what}")),
        ids => wrong(
            check,
            format!(
                "{} {what}: {}. Run `clawback rebuild --all`; if that does not mend it, report it",
                ids.len(),
                ids.join(", ")
            ),
        ),
    }
}

/// Right for a while when a charge is seen before its dispute; for long it means that disputes are not sent.
fn unseen_disputes(charges: &[String]) -> Finding {
    match charges {
        [] => good("disputes", "no charge is disputed without a dispute that was seen"),
        charges => warning(
            "disputes",
            format!(
                "{} charges are disputed, and their disputes were not seen: {}. \
                 Is the endpoint subscribed to charge.dispute.*?",
                charges.len(),
                charges.join(", ")
            ),
        ),
    }
}

/// Nothing is wrong with them, but with what a release may find out about them.
fn pruned(count: i64) -> Finding {
    match count {
        0 => good("bodies", "every payment has the bodies of all its events"),
        count => good(
            "bodies",
            format!("{count} payments lack a body that was removed: no rebuild can take back what was misread of it"),
        ),
    }
}

/// Damaged, or written by a newer release.
fn damaged(ids: &[String]) -> Finding {
    match ids {
        [] => good("documents", "what was seen of each payment can be read"),
        ids => wrong(
            "documents",
            format!("what was seen of {} payments cannot be read. Run `clawback rebuild {}`", ids.len(), ids.join(" ")),
        ),
    }
}

/// Right for a while when a refund is seen before its charge; for long it means that charges are not sent.
fn above_paid(ids: &[String]) -> Finding {
    match ids {
        [] => good("money", "no payment has more refunded than paid"),
        ids => warning(
            "money",
            format!(
                "{} payments have more refunded than paid: {}. Is the endpoint subscribed to charge.* and payment_intent.*?",
                ids.len(),
                ids.join(", ")
            ),
        ),
    }
}
