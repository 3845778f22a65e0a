//! Promise: the queue hands each follow-up to one consumer at a time, through SQL alone, and loses none.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::Database;

/// Follow-ups of one kind, ready, the first to run first; their subjects are `s1`, `s2`, …
async fn ask(db: &Database, kind: &str, count: usize) {
    db.execute(&format!(
        "insert into clawback.follow_ups (kind, subject, round, payload, run_at)
         select '{kind}', 's' || n, '', '{{}}', now() - interval '1 minute' + n * interval '1 millisecond'
         from generate_series(1, {count}) n"
    ))
    .await;
}

async fn claim(db: &Database, kind: &str, max_count: u32) -> Vec<Value> {
    db.rows(&format!("select * from clawback_v1.claim_follow_ups('tester', array['{kind}'], {max_count})")).await
}

async fn claim_one(db: &Database, kind: &str) -> Value {
    let [claimed] = <[Value; 1]>::try_from(claim(db, kind, 1).await).expect("one row");
    claimed
}

/// Calls a function with the id and the lease token of a claimed row.
async fn call(db: &Database, function: &str, claimed: &Value, rest: &str) -> Value {
    let (id, token) = (&claimed["id"], claimed["lease_token"].as_str().expect("a token"));
    db.value(&format!("select clawback_v1.{function}({id}, '{token}'{rest})")).await
}

async fn row(db: &Database, subject: &str) -> Value {
    db.rows(&format!("select * from clawback_v1.follow_ups where subject = '{subject}'")).await.remove(0)
}

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
        ("claim_follow_ups('c', array['notify_refund', null])", "kind null is the service's own"),
        ("claim_follow_ups('c', array['stripe_refund'])", "kind stripe_refund is the service's own"),
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
async fn the_services_own_kinds_are_not_for_consumers_but_people_may_requeue_and_discard_them() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["is of kind stripe_refund"]);
    ask(&db, "stripe_refund", 2).await;
    let held = "update clawback.follow_ups set state = 'leased', lease_token = gen_random_uuid(), attempts = 1,
                    leased_until = now() + interval '1 hour' where subject = 's1'";
    db.execute(held).await;
    for call in [
        "complete_follow_up(1, T)",
        "fail_follow_up(1, T, 'why')",
        "give_up_follow_up(1, T, 'why')",
        "snooze_follow_up(1, T, now())",
        "extend_follow_up(1, T, '1 minute')",
    ] {
        let call = call.replace('T', "(select lease_token from clawback.follow_ups where id = 1)");
        let said = db.refusal(&format!("select clawback_v1.{call}")).await;
        assert!(said.contains("is of kind stripe_refund, which is the service's own"), "{said}");
    }
    assert_eq!(db.value("select clawback_v1.discard_follow_up(1, 'not needed')").await, true);
    db.execute("update clawback.follow_ups set state = 'dead', finished_at = now(), attempts = 20 where id = 2").await;
    assert_eq!(db.value("select clawback_v1.requeue_follow_up(2)").await, true);
    assert_eq!(row(&db, "s2").await["attempts"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn completing_returns_true_for_the_holder_every_time_and_false_for_others() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    let claimed = claim_one(&db, "notify_refund").await;
    let stranger = format!("select clawback_v1.complete_follow_up({}, gen_random_uuid())", claimed["id"]);
    assert_eq!(db.value(&stranger).await, false);
    assert_eq!(db.value(&stranger.replace("gen_random_uuid()", "null")).await, false);
    assert_eq!(row(&db, "s1").await["state"], "leased");
    assert_eq!(call(&db, "complete_follow_up", &claimed, "").await, true);
    assert_eq!(call(&db, "complete_follow_up", &claimed, "").await, true);
    assert_eq!(db.value(&stranger).await, false);
    assert_eq!(call(&db, "fail_follow_up", &claimed, ", 'too late'").await, Value::Null);
    assert_eq!(call(&db, "extend_follow_up", &claimed, ", '1 minute'").await, false);
    let done = row(&db, "s1").await;
    assert_eq!((&done["state"], &done["attempts"], &done["last_error"]), (&json!("done"), &json!(1), &Value::Null));
    assert!(done["finished_at"].is_string());
    assert!(claim(&db, "notify_refund", 10).await.is_empty(), "done is for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_backs_off_longer_and_longer_until_the_follow_up_is_dead() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    for attempt in 1..=19 {
        let claimed = claim_one(&db, "notify_refund").await;
        assert_eq!(claimed["attempt"], attempt);
        let before = db.value("select extract(epoch from clock_timestamp())").await.as_f64().expect("a time");
        let state = call(&db, "fail_follow_up", &claimed, &format!(", 'no luck {attempt}'")).await;
        assert_eq!(state, "ready");
        assert_eq!(call(&db, "fail_follow_up", &claimed, ", 'again'").await, Value::Null, "the lease is over");
        let after = db.value("select extract(epoch from clock_timestamp())").await.as_f64().expect("a time");
        let run_at = db.value("select extract(epoch from run_at) from clawback_v1.follow_ups").await;
        let run_at = run_at.as_f64().expect("a time");
        let usual = (5.0 * f64::powi(2.0, attempt - 1)).min(3600.0);
        let (least, most) = (before + 0.75 * usual, after + 1.25 * usual);
        assert!((least..=most).contains(&run_at), "attempt {attempt}: {least} {run_at} {most}");
        assert!(claim(&db, "notify_refund", 1).await.is_empty(), "it backs off");
        db.execute("update clawback.follow_ups set run_at = now()").await;
    }
    let last = claim_one(&db, "notify_refund").await;
    assert_eq!(call(&db, "fail_follow_up", &last, ", 'no luck at all'").await, "dead");
    let dead = row(&db, "s1").await;
    assert_eq!((&dead["state"], &dead["attempts"]), (&json!("dead"), &json!(20)));
    assert_eq!(dead["last_error"], "no luck at all");
    assert!(dead["finished_at"].is_string());
    assert!(claim(&db, "notify_refund", 1).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_can_choose_when_to_retry() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    let claimed = claim_one(&db, "notify_refund").await;
    assert_eq!(call(&db, "fail_follow_up", &claimed, ", 'closed today', '3 hours'").await, "ready");
    let wait = "select run_at - clock_timestamp() between interval '179 minutes' and interval '3 hours'
                from clawback_v1.follow_ups";
    assert_eq!(db.value(wait).await, true);
    db.execute("update clawback.follow_ups set run_at = now()").await;
    let claimed = claim_one(&db, "notify_refund").await;
    assert_eq!(call(&db, "fail_follow_up", &claimed, ", 'at once', '0'").await, "ready");
    assert_eq!(claim_one(&db, "notify_refund").await["attempt"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_can_be_extended_while_it_is_held() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    let claimed = claim_one(&db, "notify_refund").await;
    assert_eq!(call(&db, "extend_follow_up", &claimed, ", '1 hour'").await, true);
    let until = "select leased_until - clock_timestamp() between interval '59 minutes' and interval '1 hour'
                 from clawback.follow_ups";
    assert_eq!(db.value(until).await, true);
    db.execute("update clawback.follow_ups set wanted = false").await;
    assert_eq!(call(&db, "extend_follow_up", &claimed, ", '1 hour'").await, false, "wanted no longer: stop");
    assert_eq!(call(&db, "complete_follow_up", &claimed, "").await, true, "what is done is done");
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
async fn people_may_requeue_and_discard_but_not_undo_what_is_final() {
    let states = ["ready", "leased", "done", "cancelled", "dead", "discarded"];
    for (function, allowed, after) in [
        ("requeue_follow_up(ID)", ["ready", "dead"].as_slice(), "ready"),
        ("requeue_follow_up(ID, 'lost', true)", &["ready", "done", "dead", "discarded"], "ready"),
        ("discard_follow_up(ID, 'a mistake')", &["ready", "leased", "cancelled", "dead"], "discarded"),
    ] {
        let db = Database::migrated().await;
        ask(&db, "notify_refund", states.len()).await;
        db.execute("update clawback.follow_ups set last_error = 'no luck'").await;
        for (state, subject) in states.iter().zip(1..) {
            let finished = if ["ready", "leased"].contains(state) { "null" } else { "now()" };
            let (token, until) = if *state == "leased" { ("gen_random_uuid()", "now()") } else { ("null", "null") };
            db.execute(&format!(
                "update clawback.follow_ups set state = '{state}', finished_at = {finished}, attempts = 7,
                     lease_token = {token}, leased_until = {until}, wanted = {}
                 where subject = 's{subject}'",
                *state != "cancelled"
            ))
            .await;
            let before = row(&db, &format!("s{subject}")).await;
            let done = db.value(&format!("select clawback_v1.{}", function.replace("ID", &subject.to_string()))).await;
            assert_eq!(done, allowed.contains(state), "{function} {state}");
            let now = row(&db, &format!("s{subject}")).await;
            if done == true {
                assert_eq!(now["state"], after, "{function} {state}");
            } else {
                assert_eq!(now, before, "{function} {state}");
            }
        }
        assert_eq!(db.value(&format!("select clawback_v1.{}", function.replace("ID", "99"))).await, false);
        let fresh = "select bool_and(attempts = 0 and run_at <= clock_timestamp() and finished_at is null)
                     from clawback_v1.follow_ups where state = 'ready'";
        if after == "ready" {
            assert_eq!(db.value(fresh).await, true);
        } else {
            let kept = "select bool_and(last_error = 'no luck') from clawback_v1.follow_ups";
            assert_eq!(db.value(kept).await, true, "the last error says more than who ended it");
            let why = "select count(*) from clawback_v1.actions where action = 'discard' and reason = 'a mistake'";
            assert_eq!(db.value(why).await, allowed.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_follow_up_is_lost_to_its_consumer() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    let claimed = claim_one(&db, "notify_refund").await;
    assert_eq!(db.value(&format!("select clawback_v1.discard_follow_up({}, 'stop')", claimed["id"])).await, true);
    assert_eq!(call(&db, "complete_follow_up", &claimed, "").await, false);
    assert_eq!(call(&db, "extend_follow_up", &claimed, ", '1 minute'").await, false);
    assert_eq!(call(&db, "fail_follow_up", &claimed, ", 'why'").await, Value::Null);
    assert_eq!(row(&db, "s1").await["state"], "discarded");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_was_rolled_back_with_its_completion_is_handed_out_again() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    let claimed = claim_one(&db, "notify_refund").await;
    let (id, token) = (&claimed["id"], claimed["lease_token"].as_str().expect("a token"));
    let work = format!("create table mail (text text); select clawback_v1.complete_follow_up({id}, '{token}')");
    db.begin(&work).await.rollback().await.expect("a rollback");
    assert_eq!(row(&db, "s1").await["state"], "leased");
    db.expire_leases().await;
    let again = claim_one(&db, "notify_refund").await;
    assert_eq!(again["attempt"], 2);
    let token = again["lease_token"].as_str().expect("a token");
    let work = format!("create table mail (text text); select clawback_v1.complete_follow_up({id}, '{token}')");
    db.begin(&work).await.commit().await.expect("a commit");
    assert_eq!(row(&db, "s1").await["state"], "done");
    assert_eq!(db.value("select count(*) from mail").await, 0);
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

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_of_a_lease_and_the_result_of_the_work_can_be_read() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    let claimed = claim_one(&db, "notify_refund").await;
    let held = row(&db, "s1").await;
    assert_eq!((&held["consumer"], &held["leased_until"]), (&json!("tester"), &claimed["leased_until"]));
    assert_eq!(call(&db, "complete_follow_up", &claimed, ", '{\"mail\": 1}'").await, true);
    assert_eq!(call(&db, "complete_follow_up", &claimed, ", '{\"mail\": 2}'").await, true);
    let done = row(&db, "s1").await;
    assert_eq!((&done["result"], &done["leased_until"]), (&json!({ "mail": 1 }), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_waits_for_somebody_is_snoozed_without_an_attempt_and_never_past_its_deadline() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 1).await;
    for (due, until, from, to) in [
        ("null", "now() + interval '2 days'", "47 hours", "48 hours"),
        ("now() + interval '1 day'", "now() + interval '2 days'", "23 hours", "24 hours"),
        ("now() - interval '1 day'", "now() + interval '2 days'", "47 hours", "48 hours"),
        ("null", "now() - interval '2 days'", "-1 minute", "0"),
    ] {
        db.execute(&format!("update clawback.follow_ups set run_at = now(), due_at = {due}")).await;
        let claimed = claim_one(&db, "notify_refund").await;
        assert_eq!(claimed["attempt"], 1, "{due}");
        assert_eq!(
            db.value(&format!("select clawback_v1.snooze_follow_up({}, gen_random_uuid(), now())", claimed["id"]))
                .await,
            false
        );
        assert_eq!(call(&db, "snooze_follow_up", &claimed, &format!(", {until}")).await, true);
        assert_eq!(call(&db, "snooze_follow_up", &claimed, &format!(", {until}")).await, false, "the lease is over");
        let kept = format!(
            "select state = 'ready' and attempts = 0
                 and run_at - clock_timestamp() between interval '{from}' and interval '{to}' from clawback_v1.follow_ups"
        );
        assert_eq!(db.value(&kept).await, true, "{due} {until}");
    }
    let claimed = claim_one(&db, "notify_refund").await;
    db.execute("update clawback.follow_ups set wanted = false").await;
    assert_eq!(call(&db, "snooze_follow_up", &claimed, ", now()").await, false);
    assert_eq!(row(&db, "s1").await["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_makes_a_follow_up_dead_at_once_unless_it_is_no_longer_desired() {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", 2).await;
    for (wanted, state) in [(true, "dead"), (false, "cancelled")] {
        let claimed = claim_one(&db, "notify_refund").await;
        db.execute(&format!("update clawback.follow_ups set wanted = {wanted} where id = {}", claimed["id"])).await;
        let stranger = format!("select clawback_v1.give_up_follow_up({}, gen_random_uuid(), 'why')", claimed["id"]);
        assert_eq!(db.value(&stranger).await, Value::Null);
        assert_eq!(call(&db, "give_up_follow_up", &claimed, ", 'no such address'").await, state);
        assert_eq!(call(&db, "give_up_follow_up", &claimed, ", 'again'").await, Value::Null, "the lease is over");
        let ended = row(&db, claimed["subject"].as_str().expect("a subject")).await;
        assert_eq!((&ended["state"], &ended["last_error"]), (&json!(state), &json!("no such address")));
    }
}
