//! Promise: before an evidence deadline somebody is warned at each mark, by one follow-up at a time.

use clawback::domain::Marks;
use serde_json::json;

use crate::bodies::{DAY, dispute, event};
use crate::follow_up_rules::asked;
use crate::harness::{Database, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_due_warning_nearest_to_the_deadline_is_inserted() {
    let app = TestApp::start().await;
    for (days, marks) in [(30, ["24h", "72h", "7d"].as_slice()), (5, &["24h", "72h", "7d"]), (2, &["24h", "72h"])] {
        let id = format!("dp_{days}");
        let due_by = app.db.value(&format!("select extract(epoch from now())::bigint + {days} * {DAY}")).await;
        let is = |n: i64| {
            let about = json!({ "charge": "ch_1", "evidence_details": { "due_by": due_by } });
            event(&format!("evt_{days}_{n}"), n, &dispute(&id, about))
        };
        app.see(&[is(1)]).await;
        app.see(&[is(2)]).await;
        let told = format!(
            "select split_part(round, '/', 2) as mark from clawback_v1.follow_ups
             where kind = 'warn_evidence_due' and subject = '{id}' order by 1"
        );
        let told = app.db.rows(&told).await;
        let told: Vec<&str> = told.iter().filter_map(|row| row["mark"].as_str()).collect();
        assert_eq!(told, marks, "{days} days before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_warning_is_not_revived_once_a_later_one_replaces_it() {
    let app = TestApp::start().await;
    let of = |amount: i64| dispute("dp_1", json!({ "charge": "ch_1", "amount": amount }));
    app.see(&[event("evt_1", 1, &of(9_000))]).await;
    let withdrawn = "insert into clawback.follow_ups
            (kind, subject, round, payment_id, payload, run_at, due_at, state, wanted, finished_at)
        select kind, subject, replace(round, '24h', '7d'), payment_id, payload, run_at, due_at, 'cancelled', false, now()
        from clawback.follow_ups where kind = 'warn_evidence_due'";
    app.db.execute(withdrawn).await;
    app.see(&[event("evt_2", 2, &of(8_000))]).await;
    let warnings: Vec<String> = asked(&app).await.into_iter().filter(|line| line.starts_with("warn")).collect();
    let [day, week] = ["24h/2023-11-24 ready", "7d/2023-11-24 cancelled"];
    assert_eq!(warnings, [day, week].map(|end| format!("warn_evidence_due dp_1/chargeback/{end}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_warnings_follow_the_configured_marks() {
    let chosen = Marks::new(vec![("36h".to_owned(), 36 * 3_600), ("10d".to_owned(), 10 * DAY)]);
    let app = TestApp::start_on(Database::migrated().await, |service| service.marks = chosen).await;
    let due_by = app.db.value(&format!("select extract(epoch from now())::bigint + 30 * {DAY}")).await;
    app.see(&[event(
        "evt_1",
        1,
        &dispute("dp_1", json!({ "charge": "ch_1", "evidence_details": { "due_by": due_by } })),
    )])
    .await;
    let told = "select split_part(round, '/', 2) as mark, extract(epoch from due_at - run_at)::bigint as before
                from clawback_v1.follow_ups where kind = 'warn_evidence_due' order by run_at";
    let expected = [("10d", 10 * DAY), ("36h", 36 * 3_600)];
    assert_eq!(app.db.rows(told).await, expected.map(|(mark, before)| json!({ "mark": mark, "before": before })));
}
