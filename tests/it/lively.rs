//! A service that has seen every story in several accounts, modes and currencies, and what no story tells: for the tests of
//! what each column holds.

use clawback::dev::stories::{self, Amount, Cast};
use clawback::store;
use clawback::store::responses::{self, Ended, Refused};
use serde_json::json;

use crate::bodies::{charge, dispute, event, event_with, refund, review, warning};
use crate::harness::{Database, TestApp, tell_with};

/// Requests for refunds in several accounts; Stripe has made some and refused the others.
async fn request_refunds(app: &TestApp) {
    app.db.execute("insert into clawback.api_keys (livemode) values (true), (false)").await;
    for (n, account) in [(1, "acct_1"), (2, "acct_2"), (3, "acct_1"), (4, "acct_2")] {
        let currency = ["usd", "eur"][n % 2];
        let order = json!({ "metadata": { "order_id": format!("returned-{n}") }, "currency": currency });
        let scope = json!({ "account": account, "livemode": n % 2 == 0 });
        let (charge_id, event_id) = (format!("ch_requested_{n}"), format!("evt_requested_{n}"));
        app.see(&[event_with(&event_id, 4, &charge(&charge_id, order), scope.clone())]).await;
        let reason = ["duplicate", "fraudulent"][n % 2];
        app.db
            .execute(&format!(
                "begin; select set_config('clawback.actor', 'person {n}', true);
                 select clawback_v1.request_refund('returned-{n}', 'return-{n}', {n}00, '{reason}'); commit"
            ))
            .await;
        if n <= 2 {
            let metadata = json!({ "clawback_request_key": format!("return-{n}") });
            let made = json!({ "charge": charge_id, "amount": n * 100, "metadata": metadata });
            app.see(&[event_with(&format!("evt_made_{n}"), 5, &refund(&format!("re_requested_{n}"), made), scope)])
                .await;
        } else {
            refuse(app, &format!("return-{n}")).await;
        }
    }
}

async fn refuse(app: &TestApp, key: &str) {
    let id = app.db.value(&format!("select id from clawback_v1.refund_requests where request_key = '{key}'")).await;
    let id = id.as_str().and_then(|id| id.parse().ok()).expect("an id");
    let conn = &mut app.db.pool.acquire().await.expect("a connection");
    let (error, code) = (format!("POST /v1/refunds: 400 for {key}"), Some("charge_disputed"));
    store::refund_requests::refused(conn, id, &error, code).await.expect("recorded");
}

/// Responses to disputes: one submitted, one refused, one announced to be accepted, two drafts.
async fn respond(app: &TestApp) {
    let status = |n: i64| if n == 4 { "warning_needs_response" } else { "needs_response" };
    let reason = |n: i64| if n == 4 { "general" } else { "duplicate" };
    let intended = |n: i64| if n % 2 == 0 { "prefer_smart_disputes" } else { "prefer_manual" };
    let shown = |n: i64| {
        json!({ "charge": format!("ch_respond_{n}"), "amount": 1_000 * n, "reason": reason(n),
        "status": status(n), "intended_submission_method": intended(n),
        "balance_transactions": [{ "id": format!("txn_{n}"), "created": 1, "amount": -1_000 * n, "fee": 1_500, "currency": "eur" }],
        "evidence": { "customer_name": format!("Buyer {n}") },
        "evidence_details": { "due_by": 4_000_000_000_i64 + n, "submission_count": 0, "has_evidence": false, "past_due": false } })
    };
    for n in 1..=6 {
        app.see(&[event(&format!("evt_respond_{n}"), 2, &dispute(&format!("dp_respond_{n}"), shown(n)))]).await;
        let unfinished = if n == 6 { " of <Date>" } else { "" };
        let pdf = format!("convert_to('%PDF-1.4 {n}', 'UTF8')");
        app.db
            .execute(&format!(
                "begin; select set_config('clawback.actor', 'person {n}', true);
                 select clawback_v1.stage_evidence('dp_respond_{n}', '{{\"product_description\": \"kettle {n}{unfinished}\"}}');
                 select clawback_v1.attach_evidence_file('dp_respond_{n}', 'receipt', '{n}.pdf', null, {pdf}); commit"
            ))
            .await;
    }
    app.db
        .until("select not exists (select from clawback.evidence_files where pages is null and unreadable is null)")
        .await;
    app.db
        .execute(
            "update clawback.evidence_files set pages = 1, unreadable = null where dispute_id <> 'dp_respond_5';
             select clawback.refresh_response(dispute_id, phase) from clawback.dispute_responses;
             begin; select set_config('clawback.actor', 'ada', true);
             select clawback_v1.submit_evidence('dp_respond_1'), clawback_v1.submit_evidence('dp_respond_2'); commit;
             select clawback_v1.submit_evidence('dp_respond_4'), clawback_v1.accept_dispute('dp_respond_3', 3000);
             update clawback.dispute_responses set staged_version = version, error = 'why ' || dispute_id,
                 accept_after = now() + interval '1 day' * version where dispute_id in ('dp_respond_4', 'dp_respond_5')",
        )
        .await;
    let conn = &mut app.db.pool.acquire().await.expect("a connection");
    for (dispute, phase, outcome) in [
        ("dp_respond_1", "chargeback", Ok(Ended::Submitted)),
        ("dp_respond_3", "chargeback", Ok(Ended::Accepted)),
        ("dp_respond_2", "chargeback", Err(Some("dispute_evidence_page_limit_exceeded"))),
        ("dp_respond_4", "inquiry", Err(None)),
    ] {
        let response = responses::load(conn, dispute, phase).await.expect("read").expect("a response");
        match outcome {
            Ok(ended) => responses::ended(conn, &response, ended).await.expect("recorded"),
            Err(code) => {
                let error = format!("POST /v1/disputes/{dispute}: 400");
                responses::refused(conn, &response, Refused::Sending, &error, code).await.expect("recorded");
            }
        }
    }
}

/// Answered disputes of one month, two of them won and two lost.
async fn decide_disputes(app: &TestApp) {
    let decided = |(n, status): (i64, &str)| {
        let about = json!({ "charge": format!("ch_decided_{n}"), "status": status, "reason": "duplicate",
            "evidence_details": { "submission_count": 1 } });
        event(&format!("evt_decided_{n}"), n, &dispute(&format!("dp_decided_{n}"), about))
    };
    let events: Vec<String> = (1..).zip(["won", "won", "lost", "lost"]).map(decided).collect();
    app.see(&events).await;
}

/// Every story in several accounts, modes and currencies, and what no story tells.
pub async fn lively() -> TestApp {
    let mut db = Database::migrated().await;
    db.expect_errors(&["no_poison"]);
    let app = TestApp::start_on(db, |_| {}).await;
    for (story, n) in stories::all().iter().zip(0..) {
        for telling in 0..2 {
            let cast = Cast::new(format!("{}-{telling}", story.name), 0);
            let account = [None, Some("acct_1"), Some("acct_2")][(n + telling) % 3].map(str::to_owned);
            let amount = Amount::try_from(10_000 + 1_000 * i64::try_from(telling).expect("small")).expect("in range");
            let currency = ["eur", "usd"][telling].to_owned();
            app.deliver_all(&tell_with(
                story.name,
                Cast { account, amount, currency, livemode: n % 2 == telling, ..cast },
            ))
            .await;
        }
    }
    let late =
        json!({ "id": "txn_late", "created": 1_700_000_000, "amount": -10_000, "fee": 1_500, "currency": "eur" });
    let details = json!({ "past_due": true, "has_evidence": true, "submission_count": 2 });
    let late = json!({ "charge": "ch_late", "evidence_details": details, "balance_transactions": [late] });
    let answered = |method: &str, meant: &str, by: &str| {
        json!({ "charge": "ch_late", "payment_method_details": { "type": method }, "intended_submission_method": meant,
            "evidence_details": { "submission_method": by, "enhanced_eligibility": { by: { "status": "qualified" } } } })
    };
    let waits =
        |reason: &str| json!({ "charge": "ch_late", "amount": 1, "status": "pending", "pending_reason": reason });
    let inquiry = json!({ "charge": "ch_inquiry", "status": "warning_needs_response",
        "payment_method_details": { "type": "klarna" } });
    let lost = json!({ "charge": "ch_part", "amount": 4_000, "status": "lost" });
    // In a batch of its own, so that something that was wanted is not any more.
    app.see(&[event("evt_first", 1, &dispute("dp_over", json!({ "charge": "ch_late" })))]).await;
    app.see(&[event("evt_over", 2, &dispute("dp_over", json!({ "charge": "ch_late", "status": "lost" })))]).await;
    app.see(&[
        event_with("evt_old", 1, &charge("ch_late", json!({})), json!({ "api_version": "2014-01-31" })),
        event("evt_late", 2, &dispute("dp_late", late)),
        event("evt_order", 2, &charge("ch_late", json!({ "metadata": { "order_id": "contested" } }))),
        event("evt_open", 2, &dispute("dp_open", json!({ "charge": "ch_late" }))),
        event("evt_klarna", 2, &dispute("dp_klarna", answered("klarna", "prefer_manual", "manual"))),
        event("evt_paypal", 2, &dispute("dp_paypal", answered("paypal", "prefer_smart_disputes", "smart_disputes"))),
        event("evt_waits", 2, &refund("re_waits", waits("insufficient_funds"))),
        event("evt_waits_2", 2, &refund("re_waits_2", waits("processing"))),
        event("evt_review", 2, &review("prv_late", json!({ "charge": "ch_late", "opened_reason": "manual" }))),
        event("evt_warning", 2, &warning("issfr_1", json!({ "charge": "ch_late" }))),
        event("evt_unreadable", 3, &charge("ch_2", json!({ "amount": -1 }))),
        event("evt_inquiry", 4, &dispute("dp_inquiry", inquiry)),
        event("evt_part", 4, &charge("ch_part", json!({}))),
        event("evt_part_lost", 4, &dispute("dp_part", lost)),
        event("evt_part_warning", 4, &warning("issfr_part", json!({ "charge": "ch_part", "actionable": false }))),
        event("evt_total", 4, &charge("ch_total", json!({ "amount_refunded": 2_500 }))),
        event("evt_unknown", 4, &json!({ "id": "po_1", "object": "payout" })),
    ])
    .await;
    app.db.execute("select clawback_v1.replay_event('evt_late', 'a test')").await;
    app.db.execute("select clawback_v1.link_payment('ch_late', 'contested')").await;
    app.db.execute("delete from clawback.event_payloads where event_id = 'evt_unknown'").await;
    request_refunds(&app).await;
    respond(&app).await;
    decide_disputes(&app).await;
    let person = "select set_config('clawback.actor', 'ada', true), set_config('clawback.via', 'console', true)";
    let work = "select * from clawback_v1.claim_follow_ups('tester', array['notify_refund'], 1000)";
    let claimed = app.db.rows(work).await;
    for (row, how) in claimed.iter().zip(["complete", "complete", "fail", "discard"]) {
        let (id, token) = (&row["id"], row["lease_token"].as_str().expect("a token"));
        let call = match how {
            "complete" => format!("clawback_v1.complete_follow_up({id}, '{token}', '[{id}]')"),
            "fail" => format!("clawback_v1.fail_follow_up({id}, '{token}', 'no luck')"),
            _ => format!("clawback_v1.discard_follow_up({id}, 'another test')"),
        };
        app.db.begin(&format!("{person}; select {call}")).await.commit().await.expect("a commit");
    }
    // The rest runs out, and is claimed once more.
    app.db.expire_leases().await;
    app.db.execute(&work.replace("tester", "another")).await;
    app.db.execute("alter table clawback.payments add constraint no_poison check (payment_id <> 'ch_poison')").await;
    app.take_in(&[event("evt_poison", 1, &charge("ch_poison", json!({})))]).await;
    for attempts in [1, 2] {
        app.db
            .until(&format!("select attempts >= {attempts} from clawback_v1.events where event_id = 'evt_poison'"))
            .await;
        app.db.execute("update clawback.pending_events set run_at = now()").await;
    }
    app
}
