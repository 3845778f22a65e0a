//! Promise: the views of outcomes and ratios count as their comments say, against numbers worked out by hand.

use serde_json::{Value, json};

use crate::bodies::{DAY, charge, dispute, event, warning, with};
use crate::harness::TestApp;

/// 15 October and the last second of November 2023, in UTC. Hand-made objects are of 14 November.
const OCTOBER: i64 = 1_697_328_000;
const LAST_OF_NOVEMBER: i64 = 1_701_388_799;

/// A dispute of a card payment with Visa's code for fraud.
fn case(id: &str, amount: i64, status: &str, submissions: i64, changes: Value) -> Value {
    let base = json!({ "charge": format!("ch_{id}"), "amount": amount, "status": status,
        "evidence_details": { "submission_count": submissions },
        "payment_method_details": { "type": "card", "card": { "brand": "visa", "network_reason_code": "10.4" } } });
    dispute(id, with(base, changes))
}

fn paid_with(id: &str, brand: &str, changes: Value) -> Value {
    let details = json!({ "type": "card", "card": { "brand": brand, "network": brand } });
    charge(id, with(json!({ "payment_method_details": details }), changes))
}

async fn see(app: &TestApp, objects: &[Value]) {
    let events: Vec<String> = (objects.iter().zip(1..)).map(|(o, n)| event(&format!("evt_{n}"), n, o)).collect();
    app.see(&events).await;
}

async fn outcomes(app: &TestApp) -> Vec<Value> {
    app.db.rows("select * from clawback_v1.dispute_outcomes order by month").await
}

async fn ratios(app: &TestApp) -> Vec<String> {
    let rows = app
        .db
        .rows(
            "select concat_ws(' ', to_char(month, 'YYYY-MM'), card_brand, charges, disputes, fraud_warnings,
                              coalesce(ratio::text, '-')) as line
             from clawback_v1.dispute_ratios order by card_brand, month",
        )
        .await;
    rows.iter().map(|row| row["line"].as_str().expect("a line").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_win_rate_counts_answered_and_decided_chargebacks() {
    let app = TestApp::start().await;
    let moved =
        |id: &str, amount: i64| json!({ "id": id, "created": 1, "amount": amount, "fee": 0, "currency": "eur" });
    let partly = json!({ "balance_transactions": [moved("txn_1", -8_000), moved("txn_2", 3_000)] });
    let smart = json!({ "evidence_details": { "submission_method": "smart_disputes" } });
    see(
        &app,
        &[
            case("dp_won", 10_000, "won", 1, json!({})),
            case("dp_late", 5_000, "lost", 1, json!({})),
            case("dp_late", 5_000, "won", 1, json!({})),
            case("dp_lost", 3_000, "lost", 1, json!({})),
            case("dp_partly", 8_000, "lost", 1, partly),
            case("dp_answered", 2_000, "under_review", 1, json!({})),
            case("dp_accepted", 1_000, "lost", 0, json!({})),
            case("dp_by_stripe", 4_000, "won", 1, smart),
            case("dp_escalated", 6_000, "warning_under_review", 1, json!({})),
            case("dp_escalated", 6_000, "lost", 1, json!({})),
            case("dp_inquiry", 700, "warning_closed", 1, json!({})),
            case("dp_prevented", 700, "prevented", 0, json!({})),
            case("dp_of_november", 100, "needs_response", 0, json!({ "created": LAST_OF_NOVEMBER })),
            case("dp_of_december", 200, "needs_response", 0, json!({ "created": LAST_OF_NOVEMBER + 1 })),
        ],
    )
    .await;
    let base = json!({ "account": null, "livemode": false, "currency": "eur", "reason": "fraudulent",
        "network_reason_code": "10.4", "payment_method": "card" });
    let november = json!({ "month": "2023-11-01", "disputes": 9, "amount": 39_100, "countered": 5, "won": 2, "lost": 2,
        "amount_won": 18_000, "amount_lost": 8_000, "win_rate": 0.5 });
    let december = json!({ "month": "2023-12-01", "disputes": 1, "amount": 200, "countered": 0, "won": 0, "lost": 0,
        "amount_won": 0, "amount_lost": 0, "win_rate": null });
    assert_eq!(outcomes(&app).await, [with(base.clone(), november), with(base, december)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_the_chargeback_counts_whether_or_not_the_count_restarts() {
    for (restarts, counts) in [(false, [1, 1, 2]), (true, [1, 0, 1])] {
        let app = TestApp::start().await;
        let steps = ["warning_under_review", "needs_response", "under_review"].into_iter().zip(counts);
        let steps: Vec<Value> = steps.map(|(status, count)| case("dp_1", 100, status, count, json!({}))).collect();
        see(&app, &steps).await;
        assert_eq!(outcomes(&app).await[0]["countered"], 1, "the count restarts: {restarts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ratios_compare_each_network_with_the_charges_its_programme_uses() {
    let app = TestApp::start().await;
    let of = |id: &str, charge: &str| dispute(id, json!({ "charge": charge }));
    let at_a_terminal = json!({ "type": "card_present", "card": null, "card_present": { "brand": "visa" } });
    let of_two_brands = json!({ "payment_method_details": { "card": { "network": "cartes_bancaires" } } });
    let now = app.db.value("select extract(epoch from now())::bigint").await;
    see(
        &app,
        &[
            paid_with("ch_v1", "visa", json!({})),
            paid_with("ch_v2", "visa", json!({ "currency": "usd" })),
            paid_with("ch_v3", "visa", json!({ "amount_refunded": 10_000, "refunded": true })),
            paid_with("ch_v4", "visa", json!({ "created": LAST_OF_NOVEMBER })),
            paid_with("ch_v5", "visa", json!({ "created": LAST_OF_NOVEMBER + 1 })),
            paid_with("ch_authorized", "visa", json!({ "captured": false, "amount_captured": 0 })),
            paid_with("ch_failed", "visa", json!({ "status": "failed", "captured": false, "paid": false })),
            paid_with("ch_terminal", "visa", json!({ "payment_method_details": at_a_terminal })),
            charge("ch_klarna", json!({ "payment_method_details": { "type": "klarna" } })),
            paid_with("ch_two_brands", "visa", of_two_brands),
            paid_with("ch_m1", "mastercard", json!({ "created": OCTOBER })),
            paid_with("ch_m2", "mastercard", json!({ "created": OCTOBER })),
            paid_with("ch_m3", "mastercard", json!({})),
            paid_with("ch_m4", "mastercard", json!({ "created": now })),
            // A payment with a warning and a dispute counts twice, and an inquiry not at all.
            warning("issfr_v1", json!({ "charge": "ch_v1" })),
            of("dp_v1", "ch_v1"),
            dispute("dp_v2", json!({ "charge": "ch_v2", "status": "warning_needs_response" })),
            of("dp_klarna", "ch_klarna"),
            warning("issfr_m1", json!({ "charge": "ch_m1" })),
            of("dp_m2", "ch_m2"),
        ],
    )
    .await;
    let expected = [
        "2023-11 cartes_bancaires 1 0 0 0.000000",
        "2023-11 mastercard 2 1 1 0.500000",
        "2023-12 mastercard 1 0 0 0.000000",
        "2023-11 visa 4 1 1 0.500000",
        "2023-12 visa 1 0 0 0.000000",
    ];
    assert_eq!(ratios(&app).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_shows_both_by_month_and_marks_rates_of_few_cases() {
    let app = TestApp::start().await;
    let won = |month: i64, n: i64| {
        let created = json!({ "created": OCTOBER + month * 30 * DAY, "charge": "ch_1" });
        case(&format!("dp_{month}_{n}"), 100, if n < 6 { "won" } else { "lost" }, 1, created)
    };
    let cases: Vec<Value> = (0..9).map(|n| won(0, n)).chain((0..10).map(|n| won(1, n))).collect();
    see(&app, &[vec![paid_with("ch_1", "visa", json!({ "amount": 10_000_000 }))], cases].concat()).await;
    let report = app.command(&["disputes", "report", "--since", "2023-10-20"]).await.stdout;
    let lines: Vec<String> = report.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "2023-10 fraudulent 10.4 card 9 9 6 3 67 % * 9.00 EUR 6.00 EUR 3.00 EUR",
        "* fewer than 10 decided disputes: the rate says little",
        "2023-11 fraudulent 10.4 card 10 10 6 4 60 % 10.00 EUR 6.00 EUR 4.00 EUR",
        "Visa VAMP visa 1500 1.50 % 2026-04-01",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line}: {report}");
    }
    let later = app.json(&["disputes", "report", "--since", "2023-11-01"]).await;
    assert_eq!(later["outcomes"].as_array().map(Vec::len), Some(1), "{later}");
    assert_eq!(later["ratios"][0]["disputes"], 10);
    assert_eq!(later["limits"].as_array().map(Vec::len), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_counts_by_its_own_network_until_its_charge_is_seen() {
    let app = TestApp::start().await;
    see(&app, &[case("dp_1", 100, "needs_response", 0, json!({ "charge": "ch_1" }))]).await;
    assert_eq!(ratios(&app).await, ["2023-11 visa 0 1 0 -"]);
    app.see(&[event("evt_charge", 9, &paid_with("ch_1", "cartes_bancaires", json!({})))]).await;
    assert_eq!(ratios(&app).await, ["2023-11 cartes_bancaires 1 1 0 1.000000"]);
}
