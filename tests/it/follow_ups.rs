//! Promise: the queue hands each follow-up to one consumer at a time, through SQL alone, and loses none.

use serde_json::{Value, json};

use crate::harness::Database;

/// Follow-ups of one kind, ready, the first to run first; their subjects are `s1`, `s2`, …
pub async fn ask(db: &Database, kind: &str, count: usize) {
    db.execute(&format!(
        "insert into clawback.follow_ups (kind, subject, round, payload, run_at)
         select '{kind}', 's' || n, '', '{{\"n\": 1}}', now() - interval '1 minute' + n * interval '1 millisecond'
         from generate_series(1, {count}) n"
    ))
    .await;
}

pub async fn claim(db: &Database, kind: &str, max_count: u32) -> Vec<Value> {
    db.rows(&format!("select * from clawback_v1.claim_follow_ups('tester', array['{kind}'], {max_count})")).await
}

pub async fn claim_one(db: &Database, kind: &str) -> Value {
    let [claimed] = <[Value; 1]>::try_from(claim(db, kind, 1).await).expect("one row");
    claimed
}

/// Calls a function with the id and the lease token of a claimed row.
pub async fn call(db: &Database, function: &str, claimed: &Value, rest: &str) -> Value {
    let (id, token) = (&claimed["id"], claimed["lease_token"].as_str().expect("a token"));
    db.value(&format!("select clawback_v1.{function}({id}, '{token}'{rest})")).await
}

pub async fn row(db: &Database, subject: &str) -> Value {
    db.rows(&format!("select * from clawback_v1.follow_ups where subject = '{subject}'")).await.remove(0)
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
