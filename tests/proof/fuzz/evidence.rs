//! Evidence that is staged is within Stripe's limits, and evidence within them is staged: counted here by ourselves.
//!
//! On Postgres, where the limits are checked. Files are in `documents.rs`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::fuzz;
use crate::chance::number;
use crate::harness::Database;

/// Fields and their most characters, by Stripe's reference; none where the field is no text of a chargeback's evidence.
const FIELDS: [(&str, Option<usize>); 12] = [
    ("access_activity_log", Some(20_000)),
    ("cancellation_rebuttal", Some(20_000)),
    ("duplicate_charge_explanation", Some(20_000)),
    ("product_description", Some(20_000)),
    ("refund_policy_disclosure", Some(20_000)),
    ("refund_refusal_explanation", Some(20_000)),
    ("uncategorized_text", Some(20_000)),
    ("customer_name", Some(5_000)),
    ("shipping_address", Some(5_000)),
    ("service_date", Some(5_000)),
    ("receipt", None),
    ("customer_nam", None),
];
/// Of all texts together.
const MOST_IN_ALL: usize = 150_000;
/// Each takes some hundredths of a second.
const RUNS_ON_POSTGRES: u64 = 400;

type Draft = BTreeMap<&'static str, Value>;

#[test]
fn evidence_is_staged_if_and_only_if_it_is_within_the_limits() {
    let runtime = Runtime::new().expect("a runtime");
    let db = runtime.block_on(disputed());
    let of_size = |size| prop::collection::btree_map(select(FIELDS.map(|(name, _)| name).to_vec()), value(), size);
    // Of many fields one is nearly always wrong, which hides the limits of the others.
    let draft = prop_oneof![3 => of_size(1..2), 1 => of_size(2..12)];
    fuzz("evidence limits", number("RUNS_ON_POSTGRES", RUNS_ON_POSTGRES), &draft, |draft| {
        runtime.block_on(check(&db, draft))
    });
    runtime.block_on(db.pool.close());
}

/// Mostly text, of lengths on both sides of a limit, in characters of one to four bytes.
fn value() -> impl Strategy<Value = Value> {
    let length = select(vec![0, 1, 2, 4_999, 5_000, 5_001, 14_999, 15_000, 19_999, 20_000, 20_001]);
    let text = (select(vec!["x", "é", "\u{1f600}", " ", "\n", "'", "\\"]), length);
    prop_oneof![
        9 => text.prop_map(|(piece, length)| json!(piece.repeat(length))),
        1 => select(vec![json!(7), json!(true), json!([]), json!({}), json!("file_x"), json!("a\u{feff}b")]),
    ]
}

async fn check(db: &Database, draft: &Draft) -> Result<(), String> {
    db.execute("delete from clawback.dispute_responses").await;
    let staged = sqlx::query_scalar::<_, i64>("select clawback_v1.stage_evidence('du_fuzz', $1)")
        .bind(json!(draft))
        .fetch_one(&db.pool)
        .await;
    match (staged, fault(draft)) {
        (Ok(_), None) => {
            let kept = db.value("select fields from clawback_v1.dispute_responses").await;
            if kept == json!(draft) { Ok(()) } else { Err("what is staged is not what was given".to_owned()) }
        }
        (Err(_), Some(_)) => Ok(()),
        (Ok(_), Some(fault)) => Err(format!("staged, though {fault}")),
        (Err(error), None) => Err(format!("within all limits, and refused: {error}")),
    }
}

/// Why a draft is beyond a limit.
fn fault(draft: &Draft) -> Option<String> {
    let mut all = 0;
    for (name, value) in draft {
        let most = FIELDS.iter().find(|(field, _)| field == name).and_then(|(_, most)| *most);
        let (Some(most), Some(text)) = (most, value.as_str()) else {
            return Some(format!("{name} takes no such value"));
        };
        let length = text.chars().count();
        if length > most || text.chars().all(|c| c == ' ') {
            return Some(format!("{name} has {length} characters"));
        }
        all += length;
    }
    (all > MOST_IN_ALL).then(|| format!("all have {all} characters"))
}

/// A database with a chargeback that awaits a response, and no service.
async fn disputed() -> Database {
    let mut db = Database::migrated().await;
    db.expect_errors(&["is no evidence field", "takes a file", "must be text", "is empty", "may have at most"]);
    db.execute(
        "insert into clawback.payments (payment_id, orphan, account, livemode, currency, amount_refunded, amount_disputed,
             amount_lost, state, hold, open_disputes, facts)
         values ('pi_fuzz', false, '', false, 'eur', 0, 100, 0, 'disputed', true, 1, '{}');
         insert into clawback.disputes (dispute_id, payment_id, amount, currency, reason, status, phase, can_respond,
             has_evidence, past_due, submission_count, amount_withdrawn, amount_reinstated, fee, created_at)
         values ('du_fuzz', 'pi_fuzz', 100, 'eur', 'product_not_received', 'needs_response', 'chargeback', true, false,
             false, 0, 0, 0, 0, now())",
    )
    .await;
    db
}
