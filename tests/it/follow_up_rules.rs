//! Promise: a follow-up is inserted once, in the transaction that caused it, and cancelled when its cause no longer
//! holds.

use std::collections::BTreeSet;

use clawback::dev::stories;
use clawback::domain;
use serde_json::{Value, json};
use sqlx::postgres::PgListener;

use crate::bodies::{DAY, T0, charge, dispute, event, intent, refund, review, warning};
use crate::harness::{TestApp, tell};

/// A follow-up as `kind subject/round state`.
pub async fn asked(app: &TestApp) -> Vec<String> {
    let line = "select kind || ' ' || subject || '/' || round || ' ' || state as line
                from clawback_v1.follow_ups order by kind, subject, round";
    app.db.rows(line).await.iter().map(|row| row["line"].as_str().expect("a line").to_owned()).collect()
}

async fn only(app: &TestApp, kind: &str) -> Value {
    let [row] = <[Value; 1]>::try_from(
        app.db.rows(&format!("select * from clawback_v1.follow_ups where kind = '{kind}'")).await,
    )
    .expect("one row");
    row
}

async fn claim(app: &TestApp, kind: &str) -> Value {
    let claim = format!("select * from clawback_v1.claim_follow_ups('tester', array['{kind}'], 1)");
    app.db.rows(&claim).await.pop().expect("something to claim")
}

async fn finish(app: &TestApp, function: &str, claimed: &Value, rest: &str) -> Value {
    let (id, token) = (&claimed["id"], claimed["lease_token"].as_str().expect("a token"));
    app.db.value(&format!("select clawback_v1.{function}({id}, '{token}'{rest})")).await
}

async fn complete(app: &TestApp, kind: &str) {
    let claimed = claim(app, kind).await;
    assert_eq!(finish(app, "complete_follow_up", &claimed, "").await, true);
}

/// The balance entry of a withdrawal, so that the amount lost is certain.
fn withdrawn() -> Value {
    json!([{ "id": "txn_1", "created": T0, "amount": -10_000, "fee": 1_500, "currency": "eur" }])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_asked_for_with_its_subject_round_and_times() {
    let app = TestApp::start().await;
    let of = |charge: &str, rest: Value| crate::bodies::with(json!({ "charge": charge }), rest);
    let late = json!({ "status": "warning_needs_response", "evidence_details": { "due_by": T0 + 20 * DAY } });
    let objects = [
        charge("ch_part", json!({ "metadata": { "order_id": "o-1" } })),
        refund("re_good", of("ch_part", json!({}))),
        refund("re_failed", of("ch_part", json!({ "status": "failed", "failure_reason": "expired_or_canceled_card" }))),
        refund("re_canceled", of("ch_part", json!({ "status": "canceled" }))),
        refund("re_pending", of("ch_part", json!({ "status": "pending" }))),
        charge("ch_silent", json!({ "amount_refunded": 2_500 })),
        charge("ch_full", json!({ "amount_refunded": 10_000, "refunded": true })),
        refund("re_full", of("ch_full", json!({ "amount": 10_000 }))),
        charge("ch_open", json!({})),
        dispute("dp_open", of("ch_open", json!({}))),
        charge("ch_won", json!({})),
        dispute("dp_won", of("ch_won", json!({ "status": "won" }))),
        charge("ch_lost", json!({})),
        dispute("dp_lost", of("ch_lost", json!({ "status": "lost", "balance_transactions": withdrawn() }))),
        dispute("dp_asks", of("ch_unseen", late)),
        charge("ch_calm", json!({})),
        dispute("dp_calm", of("ch_calm", json!({ "status": "warning_closed" }))),
        dispute("dp_timeless", of("ch_unseen_2", json!({ "evidence_details": { "due_by": null } }))),
        dispute("dp_mute", of("ch_unseen_3", json!({ "evidence_details": { "due_by": 0 } }))),
        dispute("dp_prevented", of("ch_unseen_4", json!({ "status": "prevented" }))),
        dispute(
            "dp_rules",
            of("ch_unseen_5", json!({ "payment_method_details": { "card": { "case_type": "compliance" } } })),
        ),
        charge("ch_warned", json!({})),
        warning("issfr_open", of("ch_warned", json!({}))),
        review("prv_open", of("ch_warned", json!({}))),
        charge("ch_cleared", json!({})),
        warning("issfr_over", of("ch_cleared", json!({ "actionable": false }))),
        review("prv_approved", of("ch_cleared", json!({ "open": false, "closed_reason": "approved" }))),
        review("prv_refunded", of("ch_cleared", json!({ "open": false, "closed_reason": "refunded" }))),
        dispute("dp_appeal", of("ch_unseen_7", json!({ "status": "appeal_needs_response" }))),
        dispute(
            "dp_klarna",
            of(
                "ch_unseen_8",
                json!({ "status": "warning_needs_response", "payment_method_details": { "type": "klarna" } }),
            ),
        ),
        dispute("dp_new_word", of("ch_unseen_6", json!({ "status": "arbitration" }))),
    ];
    let events: Vec<String> = objects.iter().zip(1..).map(|(o, n)| event(&format!("evt_{n:02}"), n, o)).collect();
    app.see(&events).await;
    let rows = app
        .db
        .rows(&format!(
            "select concat_ws(' ', kind, subject || '/' || round, 'of ' || payment_id, 'for ' || order_id, state,
                    case when run_at < '2024-06-01'
                         then 'at day ' || ((extract(epoch from run_at) - {T0}) / {DAY})::bigint
                         else 'in ' || extract(epoch from run_at - created_at)::bigint || ' s' end,
                    'due on day ' || ((extract(epoch from due_at) - {T0}) / {DAY})::bigint) as line
             from clawback_v1.follow_ups where wanted order by kind, subject, round"
        ))
        .await;
    let lines: Vec<&str> = rows.iter().filter_map(|row| row["line"].as_str()).collect();
    insta::assert_snapshot!(lines.join("\n"));
    let kinds = app.db.rows("select distinct kind from clawback_v1.follow_ups").await;
    let kinds: BTreeSet<&str> = kinds.iter().filter_map(|row| row["kind"].as_str()).collect();
    let derived = domain::kinds().into_iter().filter(|kind| !domain::REFUSALS.contains(kind));
    assert_eq!(kinds, derived.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_after_it_succeeded_needs_resolving_and_no_notification() {
    let app = TestApp::start().await;
    let failed = json!({ "charge": "ch_1", "status": "failed", "failure_reason": "lost_or_stolen_card" });
    app.see(&[
        event("evt_1", 1, &charge("ch_1", json!({}))),
        event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1" }))),
    ])
    .await;
    assert_eq!(asked(&app).await, ["notify_refund re_1/ ready"]);
    app.see(&[event("evt_3", 3, &refund("re_1", failed))]).await;
    assert_eq!(asked(&app).await, ["notify_refund re_1/ cancelled", "resolve_failed_refund re_1/ ready"]);
    let notify = only(&app, "notify_refund").await;
    assert_eq!(notify["wanted"], false);
    assert!(notify["finished_at"].is_string());
    let resolve = only(&app, "resolve_failed_refund").await["payload"].take();
    assert_eq!((&resolve["failure_reason"], &resolve["amount"]), (&json!("lost_or_stolen_card"), &json!(1_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_done_follow_up_stays_done_when_it_is_no_longer_desired() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_1", 1, &charge("ch_1", json!({}))),
        event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1" }))),
    ])
    .await;
    complete(&app, "notify_refund").await;
    app.see(&[event("evt_3", 3, &refund("re_1", json!({ "charge": "ch_1", "status": "failed" })))]).await;
    let notify = only(&app, "notify_refund").await;
    assert_eq!((&notify["state"], &notify["wanted"]), (&json!("done"), &json!(false)));
    assert_eq!(app.db.value(&format!("select clawback_v1.requeue_follow_up({})", notify["id"])).await, false);
}

/// A payment refunded in full, then not, then again: `cancel_fulfilment` is desired, cancelled and revived.
fn come_and_go() -> [String; 4] {
    let whole = |id: &str, status: &str| refund(id, json!({ "charge": "ch_1", "amount": 10_000, "status": status }));
    [
        event("evt_1", 1, &charge("ch_1", json!({}))),
        event("evt_2", 2, &whole("re_1", "succeeded")),
        event("evt_3", 3, &whole("re_1", "failed")),
        event("evt_4", 4, &whole("re_2", "succeeded")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_desired_again_is_ready_again_with_fresh_attempts() {
    let app = TestApp::start().await;
    let [paid, refunded, failed, refunded_again] = come_and_go();
    app.see(&[paid, refunded]).await;
    let claimed = claim(&app, "cancel_fulfilment").await;
    assert_eq!(finish(&app, "fail_follow_up", &claimed, ", 'warehouse closed', '5 days'").await, "ready");
    app.see(&[failed]).await;
    let withdrawn = only(&app, "cancel_fulfilment").await;
    assert_eq!((&withdrawn["state"], &withdrawn["attempts"]), (&json!("cancelled"), &json!(1)));
    app.see(&[refunded_again]).await;
    let again = only(&app, "cancel_fulfilment").await;
    assert_eq!((&again["state"], &again["attempts"], &again["id"]), (&json!("ready"), &json!(0), &claimed["id"]));
    assert_eq!((&again["finished_at"], &again["wanted"]), (&Value::Null, &json!(true)));
    assert_eq!(claim(&app, "cancel_fulfilment").await["attempt"], 1, "it is due now, not in five days");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_follow_up_is_cancelled_and_revived_with_its_cause() {
    let app = TestApp::start().await;
    let [paid, refunded, failed, refunded_again] = come_and_go();
    app.see(&[paid, refunded]).await;
    app.db.execute("update clawback.follow_ups set max_attempts = 1 where kind = 'cancel_fulfilment'").await;
    let claimed = claim(&app, "cancel_fulfilment").await;
    assert_eq!(finish(&app, "fail_follow_up", &claimed, ", 'why'").await, "dead");
    app.see(&[failed]).await;
    assert_eq!(only(&app, "cancel_fulfilment").await["state"], "cancelled");
    app.see(&[refunded_again]).await;
    let again = only(&app, "cancel_fulfilment").await;
    assert_eq!((&again["state"], &again["attempts"]), (&json!("ready"), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_follow_up_is_cancelled_when_its_lease_ends_unfinished() {
    for (ends_by, state) in
        [("fail", "cancelled"), ("expiry", "cancelled"), ("completion", "done"), ("nothing", "leased")]
    {
        let app = TestApp::start().await;
        let [paid, refunded, failed, refunded_again] = come_and_go();
        app.see(&[paid, refunded]).await;
        let claimed = claim(&app, "cancel_fulfilment").await;
        app.see(&[failed]).await;
        let leased = only(&app, "cancel_fulfilment").await;
        assert_eq!((&leased["state"], &leased["wanted"]), (&json!("leased"), &json!(false)));
        assert_eq!(finish(&app, "extend_follow_up", &claimed, ", '1 minute'").await, false);
        match ends_by {
            "fail" => assert_eq!(finish(&app, "fail_follow_up", &claimed, ", 'why'").await, "cancelled"),
            "expiry" => {
                app.db.expire_leases().await;
                app.db.execute("select clawback.reap_follow_ups()").await;
            }
            "completion" => assert_eq!(finish(&app, "complete_follow_up", &claimed, "").await, true),
            _ => {}
        }
        assert_eq!(only(&app, "cancel_fulfilment").await["state"], state, "{ends_by}");
        app.see(&[refunded_again]).await;
        let expected = if state == "cancelled" { "ready" } else { state };
        let again = only(&app, "cancel_fulfilment").await;
        assert_eq!((&again["state"], &again["wanted"]), (&json!(expected), &json!(true)), "{ends_by}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_shown_only_by_its_charge_waits_a_minute_for_its_own_event() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 9, &charge("ch_1", json!({ "amount_refunded": 2_500 })))]).await;
    let silent = only(&app, "notify_refund").await;
    assert_eq!((&silent["subject"], &silent["round"]), (&json!("ch_1"), &json!("2500")));
    assert_eq!(
        app.db.value("select run_at - created_at = interval '1 minute' from clawback_v1.follow_ups").await,
        true
    );
    let claim = "select * from clawback_v1.claim_follow_ups('tester', array['notify_refund'])";
    assert!(app.db.rows(claim).await.is_empty(), "not yet");
    app.see(&[event("evt_2", 9, &refund("re_1", json!({ "charge": "ch_1", "amount": 2_500 })))]).await;
    assert_eq!(asked(&app).await, ["notify_refund ch_1/2500 cancelled", "notify_refund re_1/ ready"]);
    app.see(&[event("evt_3", 20, &charge("ch_1", json!({ "amount_refunded": 4_000 })))]).await;
    let after = ["notify_refund ch_1/2500 cancelled", "notify_refund ch_1/4000 ready", "notify_refund re_1/ ready"];
    assert_eq!(asked(&app).await, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_that_escalates_needs_evidence_again() {
    let app = TestApp::start().await;
    let sent = |count: u32| json!({ "submission_count": count, "has_evidence": count > 0 });
    let is = |status: &str, details: Value| {
        dispute("dp_1", json!({ "charge": "ch_1", "status": status, "evidence_details": details }))
    };
    app.see(&[event("evt_1", 1, &is("warning_needs_response", sent(0)))]).await;
    complete(&app, "collect_evidence").await;
    app.see(&[event("evt_2", 2, &is("warning_under_review", sent(1)))]).await;
    let inquiry = ["collect_evidence dp_1/inquiry done", "hold_fulfilment dp_1/inquiry ready"];
    assert_eq!(
        asked(&app).await,
        [inquiry.as_slice(), &["warn_evidence_due dp_1/inquiry/24h/2023-11-24 cancelled"]].concat()
    );
    app.see(&[event("evt_3", 3, &is("needs_response", sent(1)))]).await;
    let escalated = [
        "collect_evidence dp_1/chargeback ready",
        "collect_evidence dp_1/inquiry done",
        "hold_fulfilment dp_1/chargeback ready",
        "hold_fulfilment dp_1/inquiry cancelled",
        "warn_evidence_due dp_1/chargeback/24h/2023-11-24 ready",
        "warn_evidence_due dp_1/inquiry/24h/2023-11-24 cancelled",
    ];
    assert_eq!(asked(&app).await, escalated);
    app.see(&[event("evt_4", 4, &is("needs_response", sent(2)))]).await;
    assert_eq!(asked(&app).await[0], "collect_evidence dp_1/chargeback cancelled", "it was answered in this phase");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unclaimed_follow_up_is_kept_up_to_date() {
    let app = TestApp::start().await;
    // Within one day, since on another it would be another warning.
    let due = |minutes: i64| {
        let details = json!({ "due_by": T0 + 10 * DAY + minutes * 60 });
        dispute("dp_1", json!({ "charge": "ch_1", "evidence_details": details }))
    };
    let minute = format!(
        "select (extract(epoch from run_at) - {T0} - 9 * {DAY}) / 60 from clawback_v1.follow_ups
         where kind = 'warn_evidence_due'"
    );
    app.see(&[event("evt_1", 1, &due(0))]).await;
    let id = only(&app, "warn_evidence_due").await["id"].take();
    assert_eq!(app.db.value(&minute).await.as_f64(), Some(0.0));
    app.see(&[event("evt_2", 2, &crate::bodies::with(due(20), json!({ "amount": 9_000 })))]).await;
    let warn = only(&app, "warn_evidence_due").await;
    assert_eq!((&warn["id"], &warn["payload"]["amount"]), (&id, &json!(9_000)));
    assert_eq!(app.db.value(&minute).await.as_f64(), Some(20.0));
    let claimed = claim(&app, "warn_evidence_due").await;
    assert_eq!(finish(&app, "fail_follow_up", &claimed, ", 'why', '20 days'").await, "ready");
    app.see(&[event("evt_3", 3, &due(40))]).await;
    let due_on = format!(
        "select (extract(epoch from due_at) - {T0} - 10 * {DAY}) / 60 from clawback_v1.follow_ups
         where kind = 'warn_evidence_due'"
    );
    assert_eq!(app.db.value(&due_on).await.as_f64(), Some(40.0));
    let backs_off =
        "select run_at > now() + interval '19 days' from clawback_v1.follow_ups where kind = 'warn_evidence_due'";
    assert_eq!(app.db.value(backs_off).await, true, "once tried, it runs when its consumer said");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_events_insert_no_follow_up_twice() {
    let app = TestApp::start().await;
    let all: Vec<_> = stories::all().iter().flat_map(|story| tell(story.name, story.name)).collect();
    app.deliver_all(&all).await;
    app.db.settle().await;
    let some = "array['notify_refund', 'cancel_fulfilment']";
    app.db
        .execute(&format!(
            "select clawback_v1.complete_follow_up(c.id, c.lease_token)
             from clawback_v1.claim_follow_ups('tester', {some}, 1000) c"
        ))
        .await;
    let everything = "select * from clawback_v1.follow_ups order by id";
    let before = app.db.rows(everything).await;
    assert!(before.len() > 30, "{}", before.len());
    app.deliver_all(&all).await;
    // The same objects, in events with other ids.
    let renamed: Vec<String> =
        all.iter().map(|event| event.body.replace(&event.id, &format!("{}_again", event.id))).collect();
    app.see(&renamed).await;
    assert_eq!(app.db.rows(everything).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_notification_with_the_kinds_follows_each_batch_that_made_something_ready() {
    let app = TestApp::start().await;
    app.see(&[event("evt_0", 0, &charge("ch_1", json!({})))]).await;
    let mut listener = PgListener::connect_with(&app.db.pool).await.expect("a listener");
    listener.listen("clawback_follow_ups").await.expect("it listens");
    let held = app.db.hold_batches().await;
    let refunds =
        ["re_1", "re_2", "re_3"].map(|id| event(&format!("evt_{id}"), 1, &refund(id, json!({ "charge": "ch_1" }))));
    app.take_in(&refunds).await;
    held.commit().await.expect("a commit");
    app.db.settle().await;
    app.see(&[event("evt_4", 4, &intent("pi_2", json!({})))]).await;
    app.see(&[event("evt_5", 5, &refund("re_1", json!({ "charge": "ch_1", "status": "failed" })))]).await;
    app.db.execute("select pg_notify('clawback_follow_ups', 'the end')").await;
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "the end") {
        heard.push(listener.recv().await.expect("a notification").payload().to_owned());
    }
    assert_eq!(
        heard,
        ["notify_refund", "resolve_failed_refund", "the end"],
        "the kinds of three refunds, none for what asks for nothing, that of the failure"
    );
}
