//! Whether every stored payment and order is what its facts derive to, and amounts add up.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Finding, Report, good, warning, wrong};
use crate::app::database::answer;
use crate::domain::{Derived, Desired, Facts, Marks, derive_with};
use crate::store::consistency::{self, StoredPayment};
use crate::store::erasure;
use crate::terminal::count;

pub(super) async fn look(conn: &mut PgConnection, marks: &Marks, report: &mut Report) -> sqlx::Result<()> {
    let derived = derived_again(conn, marks, report).await?;
    report.extend(derived);
    let orders = answer(consistency::orders_that_do_not_add_up(conn)).await?;
    report.push(named("orders", "order", "whose amounts are not the sums of their payments", &orders));
    report.push(above_paid(&answer(consistency::refunded_above_paid(conn)).await?));
    report.push(pruned(answer(consistency::pruned(conn)).await?));
    report.push(returned(answer(erasure::returned(conn)).await?.len()));
    Ok(())
}

/// Derives every payment from its facts, with all that belongs to it, and compares.
async fn derived_again(conn: &mut PgConnection, marks: &Marks, report: &Report) -> sqlx::Result<[Finding; 4]> {
    let (mut unreadable, mut differing, mut objects, mut disputed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut last, mut checked) = (String::new(), 0);
    loop {
        let payments = answer(consistency::payments_after(conn, &last)).await?;
        let Some(end) = payments.last() else { break };
        last.clone_from(&end.payment_id);
        checked += payments.len();
        report.progress.show(&format!("{} checked", count(checked, "payment")));
        for stored in payments {
            let Ok(facts) = serde_json::from_str::<Facts>(&stored.facts) else {
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
    Ok([
        damaged(&unreadable),
        named("consistency", "payment", "whose row differs from what its facts derive to", &differing),
        named("objects", "object", "that differ from what the facts of their payment derive to", &objects),
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

fn named(check: &'static str, one: &str, that: &str, ids: &[String]) -> Finding {
    match ids {
        [] => good(check, format!("no {one}s {that}")),
        ids => wrong(
            check,
            format!(
                "{} {that}: {}. Run `clawback rebuild --all`; if that does not help, report it",
                count(ids.len(), one),
                ids.join(", ")
            ),
        ),
    }
}

/// Normal for a while when a charge arrives before its dispute; for long it means that disputes are not sent.
fn unseen_disputes(charges: &[String]) -> Finding {
    match charges {
        [] => good("disputes", "no disputed charges whose dispute was not received"),
        charges => warning(
            "disputes",
            format!(
                "{} disputed, but the dispute was not received: {}. Is the endpoint subscribed to charge.dispute.*?",
                count(charges.len(), "charge"),
                charges.join(", ")
            ),
        ),
    }
}

/// Nothing is wrong with them, unless a release finds out that it misread a removed body.
fn pruned(payments: i64) -> Finding {
    match payments {
        0 => good("bodies", "the bodies of all events are stored"),
        payments => good(
            "bodies",
            format!(
                "{} with removed event bodies: no rebuild can correct what was misread of those",
                count(payments, "payment")
            ),
        ),
    }
}

/// Payments whose personal data was erased, and came again with a later event.
fn returned(payments: usize) -> Finding {
    match payments {
        0 => good("erasure", "nothing personal arrived for payments after they were erased"),
        payments => {
            let payments = count(payments, "payment");
            warning(
                "erasure",
                format!("personal data arrived for {payments} since it was erased: run `clawback erase --again`"),
            )
        }
    }
}

/// Damaged, or written by a newer release.
fn damaged(ids: &[String]) -> Finding {
    match ids {
        [] => good("documents", "the stored facts of every payment can be read"),
        ids => wrong(
            "documents",
            format!(
                "{} with unreadable stored facts. Run `clawback rebuild {}`",
                count(ids.len(), "payment"),
                ids.join(" ")
            ),
        ),
    }
}

/// Normal for a while when a refund arrives before its charge; for long it means that charges are not sent.
fn above_paid(ids: &[String]) -> Finding {
    match ids {
        [] => good("money", "no payments with more refunded than paid"),
        ids => warning(
            "money",
            format!(
                "{} with more refunded than paid: {}. Is the endpoint subscribed to charge.* and payment_intent.*?",
                count(ids.len(), "payment"),
                ids.join(", ")
            ),
        ),
    }
}
