//! Promise: each follow-up is claimed by one consumer at a time, and an expired lease is handed out again.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::follow_ups::{ask, call, claim, claim_one, row};
use crate::harness::Database;

#[tokio::test(flavor = "multi_thread")]
async fn eight_claimers_at_once_are_given_each_row_once() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 300).await;
    let mut claimers = JoinSet::new();
    for _ in 0..8 {
        let db = db.again();
        claimers.spawn(async move {
            let mut mine: Vec<String> = Vec::new();
            loop {
                let rows = claim(&db, "notify_refund", 7).await;
                if rows.is_empty() {
                    return mine;
                }
                mine.extend(rows.iter().map(|row| row["subject"].to_string()));
            }
        });
    }
    let claimed = claimers.join_all().await;
    let all: Vec<&String> = claimed.iter().flatten().collect();
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (300, 300));
    assert_eq!(db.value("select bool_and(attempts = 1 and state = 'leased') from clawback_v1.follow_ups").await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_skips_what_another_transaction_is_claiming() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 3).await;
    let other = db.begin("select * from clawback_v1.claim_follow_ups('other', array['notify_refund'], 2)").await;
    let given: Vec<Value> =
        claim(&db, "notify_refund", 10).await.into_iter().map(|mut row| row["subject"].take()).collect();
    assert_eq!(given, ["s3"]);
    // Once rolled back, the other claim never happened.
    other.rollback().await.expect("a rollback");
    let again = claim(&db, "notify_refund", 10).await;
    assert_eq!(again.iter().map(|row| &row["subject"]).collect::<Vec<_>>(), ["s1", "s2"]);
    assert!(again.iter().all(|row| row["attempt"] == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_returns_due_follow_ups_of_the_given_kinds_oldest_first() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 4).await;
    ask(&db, "collect_evidence", 2).await;
    ask(&db, "hold_fulfilment", 1).await;
    db.execute(
        "update clawback.follow_ups set run_at = now() - interval '2 hours' where kind = 'collect_evidence';
         update clawback.follow_ups set run_at = now() + interval '1 hour'
         where kind = 'notify_refund' and subject = 's1';
         update clawback.follow_ups set run_at = now() - interval '1 day', due_at = '2030-01-02T03:04:05Z',
             round = 'inquiry',
             order_id = 'o-1', payload = '{\"amount\": 5}'
         where kind = 'collect_evidence' and subject = 's2'",
    )
    .await;
    let kinds = "array['collect_evidence', 'notify_refund']";
    let rows =
        db.rows(&format!("select * from clawback_v1.claim_follow_ups('tester', {kinds}, 3, '90 seconds')")).await;
    let given: Vec<_> = rows.iter().map(|row| (row["kind"].as_str(), row["subject"].as_str())).collect();
    let expected = [("collect_evidence", "s2"), ("collect_evidence", "s1"), ("notify_refund", "s2")];
    assert_eq!(given, expected.map(|(kind, subject)| (Some(kind), Some(subject))));
    let first = &rows[0];
    assert_eq!((&first["round"], &first["order_id"], &first["attempt"]), (&json!("inquiry"), &json!("o-1"), &json!(1)));
    assert_eq!((&first["due_at"], &first["payload"]), (&json!("2030-01-02T03:04:05+00:00"), &json!({ "amount": 5 })));
    let lease = "select extract(epoch from leased_until - clock_timestamp()) between 80 and 90
                 from clawback.follow_ups where state = 'leased' limit 1";
    assert_eq!(db.value(lease).await, true);
    assert_eq!(db.value("select count(*) from clawback_v1.follow_ups where state = 'ready'").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_claim_is_refused_with_a_reason() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["claim_follow_ups: ", "extend_follow_up: ", "fail_follow_up: ", "discard_follow_up: "]);
    db.expect_errors(&["snooze_follow_up: ", "requeue_follow_up: ", "complete_follow_up: "]);
    db.expect_errors(&["follow-up 99 does not exist"]);
    let refused = [
        ("claim_follow_ups('', array['notify_refund'])", "consumer must name the caller"),
        ("claim_follow_ups(null, array['notify_refund'])", "consumer must name the caller"),
        ("claim_follow_ups(repeat('x', 256), array['notify_refund'])", "consumer must name the caller"),
        ("claim_follow_ups('c', '{}')", "kinds must name at least one kind"),
        ("claim_follow_ups('c', null)", "kinds must name at least one kind"),
        ("claim_follow_ups('c', array['notify_refund', null])", "kinds must not contain null"),
        ("claim_follow_ups('c', array['notify_refund'], 0)", "max_count must be between 1 and 1000"),
        ("claim_follow_ups('c', array['notify_refund'], 1001)", "max_count must be between 1 and 1000"),
        ("claim_follow_ups('c', array['notify_refund'], null)", "max_count must be between 1 and 1000"),
        (
            "claim_follow_ups('c', array['notify_refund'], 1, '0.5 seconds')",
            "lease must be between 1 second and 1 hour",
        ),
        ("claim_follow_ups('c', array['notify_refund'], 1, '2 hours')", "lease must be between 1 second and 1 hour"),
        ("claim_follow_ups('c', array['notify_refund'], 1, null)", "lease must be between 1 second and 1 hour"),
        ("extend_follow_up(1, gen_random_uuid(), '2 hours')", "lease must be between 1 second and 1 hour"),
        ("extend_follow_up(1, gen_random_uuid(), null)", "lease must be between 1 second and 1 hour"),
        ("fail_follow_up(1, gen_random_uuid(), 'why', '-1 second')", "retry_in must be between 0 and 30 days"),
        ("fail_follow_up(1, gen_random_uuid(), 'why', '31 days')", "retry_in must be between 0 and 30 days"),
        ("snooze_follow_up(1, gen_random_uuid(), null)", "until must be at most 90 days ahead"),
        ("snooze_follow_up(1, gen_random_uuid(), now() + interval '91 days')", "until must be at most 90 days ahead"),
        ("snooze_follow_up(1, gen_random_uuid(), 'infinity')", "until must be at most 90 days ahead"),
        ("complete_follow_up(1, gen_random_uuid(), to_jsonb(repeat('x', 16384)))", "result must have at most 16 kB"),
        ("requeue_follow_up(1, null, true)", "say why follow-up 1 is forced"),
        ("requeue_follow_up(1, '', true)", "say why follow-up 1 is forced"),
        ("discard_follow_up(1, '')", "say why follow-up 1 is discarded"),
        ("discard_follow_up(1, null)", "say why follow-up 1 is discarded"),
    ];
    ask(&db, "notify_refund", 1).await;
    for (call, reason) in refused {
        let said = db.refusal(&format!("select clawback_v1.{call}")).await;
        assert!(said.contains(reason), "{call}: {said}");
    }
    assert_eq!(row(&db, "s1").await["state"], "ready");
    assert_eq!(claim(&db, "notify_refund", 1000).await.len(), 1, "1000 is not too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lease_counts_as_an_attempt_and_the_next_consumer_has_a_token_of_its_own() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    let lost = claim_one(&db, "notify_refund").await;
    assert!(claim(&db, "notify_refund", 1).await.is_empty(), "it is held");
    db.expire_leases().await;
    let given = claim_one(&db, "notify_refund").await;
    assert_eq!((&given["id"], &given["attempt"]), (&lost["id"], &json!(2)));
    assert_ne!(given["lease_token"], lost["lease_token"]);
    assert_eq!(call(&db, "complete_follow_up", &lost, "").await, false);
    assert_eq!(call(&db, "fail_follow_up", &lost, ", 'why'").await, Value::Null);
    assert_eq!(call(&db, "extend_follow_up", &lost, ", '1 minute'").await, false);
    let row = row(&db, "s1").await;
    assert_eq!((&row["state"], &row["last_error"]), (&json!("leased"), &json!("lease of consumer tester expired")));
    assert_eq!(call(&db, "complete_follow_up", &given, "").await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_leases_end_even_if_nobody_claims_their_kind_any_more() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 4).await;
    claim(&db, "notify_refund", 4).await;
    db.execute(
        "update clawback.follow_ups set attempts = 20 where subject = 's2';
         update clawback.follow_ups set wanted = false where subject = 's3';
         update clawback.follow_ups set leased_until = now() - interval '1 second' where subject <> 's4'",
    )
    .await;
    assert_eq!(db.value("select clawback.reap_follow_ups()").await, 3);
    assert_eq!(db.value("select clawback.reap_follow_ups()").await, 0);
    let rows = db.rows("select state, finished_at is null as open from clawback_v1.follow_ups order by subject").await;
    let states = [("ready", true), ("dead", false), ("cancelled", false), ("leased", true)];
    assert_eq!(rows, states.map(|(state, open)| json!({ "state": state, "open": open })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_can_claim_only_live_or_only_test_follow_ups() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 4).await;
    db.execute(
        "update clawback.follow_ups set livemode = true, account = 'acct_1' where subject in ('s1', 's3');
         update clawback.follow_ups set max_attempts = 7",
    )
    .await;
    let claim = async |mode: &str| {
        let call = format!("clawback_v1.claim_follow_ups('tester', array['notify_refund'], 1, livemode => {mode})");
        let rows = db.rows(&format!("select * from {call}")).await;
        rows.first().map(|row| (row["subject"].clone(), row["livemode"].clone(), row["account"].clone(), row.clone()))
    };
    let (subject, livemode, account, row) = claim("false").await.expect("a row");
    assert_eq!((subject, livemode, account), (json!("s2"), json!(false), Value::Null));
    assert_eq!((&row["key"], &row["max_attempts"]), (&json!("notify_refund/s2/"), &json!(7)));
    let (subject, livemode, account, _) = claim("null").await.expect("a row");
    assert_eq!((subject, livemode, account), (json!("s1"), json!(true), json!("acct_1")));
    assert_eq!(claim("true").await.expect("a row").0, "s3");
    assert!(claim("true").await.is_none());
    assert_eq!(claim("false").await.expect("a row").0, "s4");
}
