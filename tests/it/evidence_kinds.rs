//! Promise: a dispute of every kind is followed from its arrival to its outcome: it is answered where it can be, in each of
//! its phases, and refused with the reason where it cannot; and the right follow-ups are asked for on the way.

use std::time::Duration;

use clawback::desk::Policy;
use serde_json::{Value, json};

use crate::refund_shop::Shop;

const DAY: u64 = 86_400;
const MARKS: [&str; 3] = ["24h", "72h", "7d"];

impl Shop {
    /// Something happens at the bank, to a charge or a dispute. What the double shows of it.
    pub async fn bank_does(&self, what: &str, id: &str, more: Value) -> Value {
        let mut all = json!({ "happens": what, "id": id });
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.world.control("bank", all).await
    }

    /// Something happens to a charge that makes a dispute; its id, once the service has seen it.
    pub async fn arrives(&self, what: &str, charge: &str, more: Value) -> String {
        let id = self.bank_does(what, charge, more).await["id"].as_str().expect("an id").to_owned();
        self.shows(&id, "true").await;
        id
    }

    /// Waits until the service knows the dispute and this holds for its row.
    pub async fn shows(&self, dispute: &str, condition: &str) {
        let known = format!("select from clawback_v1.disputes where dispute_id = '{dispute}' and {condition}");
        self.app.db.until(&format!("select exists ({known})")).await;
    }

    /// The follow-ups of this kind about a dispute as `ROUND STATE`, without dates; once they are these.
    pub async fn asked(&self, kind: &str, dispute: &str, expected: &[&str]) {
        let asked = format!(
            "select coalesce(jsonb_agg(a.said order by a.said), '[]') from (
                 select btrim(regexp_replace(f.round, '/\\d{{4}}-.*', '') || ' ' || f.state) as said
                 from clawback_v1.follow_ups f where f.kind = '{kind}' and f.subject = '{dispute}') a"
        );
        let is = |said: &str| format!("select ({asked}) = '{said}'");
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let wanted = json!(expected).to_string();
        if tokio::time::timeout(Duration::from_secs(5), self.app.db.until(&is(&wanted))).await.is_err() {
            panic!("{kind}: {} and not {wanted}", self.app.db.value(&asked).await);
        }
    }

    /// Evidence of this phase is asked for, with a warning at each mark.
    pub async fn evidence_is_asked_for(&self, dispute: &str, phases: &[(&str, &str)]) {
        let asked: Vec<_> = phases.iter().map(|(phase, state)| format!("{phase} {state}")).collect();
        self.asked("collect_evidence", dispute, &asked.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let warned = phases.iter().flat_map(|(phase, state)| MARKS.map(|mark| format!("{phase}/{mark} {state}")));
        let warned: Vec<_> = warned.collect();
        self.asked("warn_evidence_due", dispute, &warned.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    /// Why nothing can be staged for a dispute.
    async fn refused(&self, dispute: &str) -> String {
        let stage =
            format!("select clawback_v1.stage_evidence('{dispute}', '{{\"uncategorized_text\": \"We disagree\"}}')");
        self.app.db.refusal(&stage).await
    }

    /// Stages a text and submits it.
    async fn answer(&self, dispute: &str, text: &str) {
        self.stage(dispute, json!({ "uncategorized_text": text })).await;
        self.submit(dispute).await;
    }

    /// Waits for the state of an order.
    async fn order_is(&self, order: &str, state: &str) {
        let is = format!("select state = '{state}' from clawback_v1.orders where order_id = '{order}'");
        self.app.db.until(&is).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_disputes_on_one_payment_has_its_own_response() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_createMultipleDisputes").await;
    let of_charge = format!("from clawback_v1.disputes where charge_id = '{charge}' and can_respond");
    shop.app.db.until(&format!("select count(*) = 2 {of_charge}")).await;
    let ids = shop.app.db.rows(&format!("select dispute_id {of_charge} order by 1")).await;
    let ids: Vec<_> = ids.iter().map(|row| row["dispute_id"].as_str().expect("an id")).collect();
    shop.stage(ids[0], json!({ "uncategorized_text": "winning_evidence" })).await;
    shop.stage(ids[1], json!({ "uncategorized_text": "losing_evidence" })).await;
    shop.submit(ids[0]).await;
    shop.responded(ids[0], "submitted").await;
    shop.responded(ids[1], "draft").await;
    assert_eq!(shop.at_stripe(ids[1]).await["evidence_details"]["submission_count"], 0);
    shop.submit(ids[1]).await;
    shop.responded(ids[1], "submitted").await;
    shop.shows(ids[0], "outcome = 'won'").await;
    shop.shows(ids[1], "outcome = 'lost'").await;
    shop.asked("record_dispute_won", ids[0], &["ready"]).await;
    shop.asked("record_dispute_lost", ids[0], &[]).await;
    shop.asked("record_dispute_lost", ids[1], &["ready"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_that_escalates_is_asked_for_and_answered_twice() {
    let shop = Shop::open().await;
    let inquiry = shop.disputed("o_1", "pm_card_createDisputeInquiry").await;
    shop.evidence_is_asked_for(&inquiry, &[("inquiry", "ready")]).await;
    shop.answer(&inquiry, "shipped").await;
    shop.responded(&inquiry, "submitted").await;
    shop.evidence_is_asked_for(&inquiry, &[("inquiry", "cancelled")]).await;
    shop.bank_does("escalate", &inquiry, json!({})).await;
    shop.evidence_is_asked_for(&inquiry, &[("inquiry", "cancelled"), ("chargeback", "ready")]).await;
    shop.order_is("o_1", "disputed").await;
    shop.answer(&inquiry, "winning_evidence").await;
    shop.shows(&inquiry, "outcome = 'won'").await;
    shop.order_is("o_1", "paid").await;
    let answers = format!(
        "select array_agg(phase || ' ' || state || ' ' || (fields ->> 'uncategorized_text') order by phase desc)
         from clawback_v1.dispute_responses where dispute_id = '{inquiry}'"
    );
    let expected = json!(["inquiry submitted shipped", "chargeback submitted winning_evidence"]);
    shop.app.db.until(&format!("select to_jsonb(({answers})) = '{expected}'")).await;
    shop.asked("record_dispute_won", &inquiry, &["ready"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_dispute_that_is_won_late_is_recorded_as_both() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.answer(&dispute, "losing_evidence").await;
    shop.order_is("o_1", "charged_back").await;
    shop.asked("record_dispute_lost", &dispute, &["ready"]).await;
    shop.bank_does("win_late", &dispute, json!({})).await;
    shop.order_is("o_1", "paid").await;
    shop.asked("record_dispute_lost", &dispute, &["cancelled"]).await;
    shop.asked("record_dispute_won", &dispute, &["ready"]).await;
    assert!(shop.refused(&dispute).await.contains("it is over: its status is won"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_money_of_a_lost_dispute_comes_back() {
    let shop = Shop::open().await;
    let dispute = shop.disputed("o_1", "pm_card_createDispute").await;
    shop.answer(&dispute, "losing_evidence").await;
    shop.shows(&dispute, "amount_lost = 1000").await;
    shop.bank_does("reinstate", &dispute, json!({ "amount": 400 })).await;
    shop.shows(&dispute, "amount_lost = 600 and outcome = 'lost'").await;
    shop.app.db.until("select amount_lost = 600 from clawback_v1.orders").await;
    shop.asked("record_dispute_lost", &dispute, &["ready"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_dispute_is_answered_and_accepted_by_its_own_amount() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let dispute = shop.arrives("chargeback", &charge, json!({ "amount": 400, "reason": "duplicate" })).await;
    let error = shop.app.db.refusal(&format!("select clawback_v1.accept_dispute('{dispute}', 1000)")).await;
    assert!(error.contains("is of 400 in minor units of eur, not 1000"), "{error}");
    shop.answer(&dispute, "losing_evidence").await;
    shop.responded(&dispute, "submitted").await;
    shop.shows(&dispute, "amount_lost = 400").await;
    shop.app.db.until("select amount_lost = 400 and amount_paid = 1000 from clawback_v1.orders").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prevented_dispute_takes_no_evidence_and_asks_for_none() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let dispute = shop.arrives("prevention", &charge, json!({})).await;
    let error = shop.refused(&dispute).await;
    assert!(error.contains("takes no evidence"), "{error}");
    shop.bank_does("close_prevention", &dispute, json!({})).await;
    shop.shows(&dispute, "outcome = 'prevented'").await;
    assert!(shop.refused(&dispute).await.contains("it is over: its status is prevented"));
    let none = format!("select count(*) from clawback_v1.dispute_responses where dispute_id = '{dispute}'");
    assert_eq!(shop.app.db.value(&none).await, 0);
    shop.evidence_is_asked_for(&dispute, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compliance_dispute_is_submitted_by_hand_once_its_fee_is_acknowledged() {
    let policy = Policy { submit: Some(Duration::from_secs(30 * DAY)), ..Policy::default() };
    let shop = Shop::open_with(|service| service.desk = policy).await;
    for (order, token, fee) in [
        ("o_1", "pm_card_createComplianceDispute", "visa_compliance"),
        ("o_2", "pm_card_createMastercardComplianceDispute", "mastercard_compliance"),
    ] {
        let dispute = shop.disputed(order, token).await;
        shop.evidence_is_asked_for(&dispute, &[("compliance", "ready")]).await;
        shop.stage(&dispute, json!({ "uncategorized_text": "winning_evidence" })).await;
        let error = shop.app.db.refusal(&format!("select clawback_v1.submit_evidence('{dispute}')")).await;
        let field = format!("enhanced_evidence.{fee}.fee_acknowledged");
        assert!(error.contains("charges a fee") && error.contains(&field), "{error}");
        shop.stage(&dispute, json!({ field: true })).await;
        shop.app
            .db
            .until(&format!("select is_staged from clawback_v1.dispute_responses where dispute_id = '{dispute}'"))
            .await;
        // A page is counted: the desk has looked at everything since.
        shop.attach(&dispute, "uncategorized_file").await;
        let row = shop.responded(&dispute, "draft").await;
        assert_eq!((&row["missing"], &row["problems"]), (&json!([]), &json!([])), "complete, and not sent: {row}");
        shop.submit(&dispute).await;
        shop.responded(&dispute, "submitted").await;
        shop.shows(&dispute, "outcome = 'won' and phase = 'compliance'").await;
        shop.asked("record_dispute_won", &dispute, &["ready"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appeal_starts_empty_takes_its_own_evidence_and_is_submitted_by_hand() {
    let policy = Policy { submit: Some(Duration::from_secs(30 * DAY)), ..Policy::default() };
    let shop = Shop::open_with(|service| service.desk = policy).await;
    for (order, decision, outcome, state) in [("o_1", "win", "won", "paid"), ("o_2", "lose", "lost", "charged_back")] {
        let dispute = shop.disputed(order, "pm_card_createDispute").await;
        shop.answer(&dispute, "losing_evidence").await;
        shop.order_is(order, "charged_back").await;
        // Within the same second the loss outranks it.
        shop.world.advance(60).await;
        shop.bank_does("appeal", &dispute, json!({})).await;
        shop.shows(&dispute, "phase = 'appeal' and can_respond").await;
        shop.evidence_is_asked_for(&dispute, &[("chargeback", "cancelled"), ("appeal", "ready")]).await;
        assert!(shop.refused(&dispute).await.contains("is no evidence of the phase appeal"));
        shop.stage(&dispute, json!({ "appeal.card.reason_for_filing": "The bank overlooked the receipt" })).await;
        let row = shop.responded(&dispute, "draft").await;
        assert_eq!((&row["phase"], row["fields"].as_object().expect("fields").len()), (&json!("appeal"), 1), "{row}");
        shop.attach(&dispute, "appeal.card.supporting_files[0]").await;
        assert_eq!(shop.responded(&dispute, "draft").await["missing"], json!([]), "complete, and not sent");
        shop.submit(&dispute).await;
        shop.app
            .db
            .until(&format!(
                "select state = 'submitted' from clawback_v1.dispute_responses
                 where dispute_id = '{dispute}' and phase = 'appeal'"
            ))
            .await;
        let shown = shop.at_stripe(&dispute).await;
        assert_eq!(shown["status"], "appeal_under_review", "{shown}");
        shop.world.advance(60).await;
        shop.bank_does(decision, &dispute, json!({})).await;
        shop.shows(&dispute, &format!("outcome = '{outcome}'")).await;
        shop.order_is(order, state).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_of_a_bank_debit_is_lost_on_arrival_and_takes_no_evidence() {
    let shop = Shop::open().await;
    for (order, token) in [("o_1", "pm_double_sepaDebit"), ("o_2", "pm_double_usBankAccount")] {
        let charge = shop.pay(order, "1000", token).await;
        let dispute = shop.arrives("chargeback", &charge, json!({})).await;
        shop.order_is(order, "charged_back").await;
        let error = shop.refused(&dispute).await;
        assert!(error.contains("takes no evidence: it is over: its status is lost"), "{error}");
        shop.asked("record_dispute_lost", &dispute, &["ready"]).await;
        let asked = format!(
            "select count(*) from clawback_v1.follow_ups
             where kind in ('collect_evidence', 'warn_evidence_due') and subject = '{dispute}' and state = 'ready'"
        );
        assert_eq!(shop.app.db.value(&asked).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_of_klarna_is_ended_by_a_refund_and_its_chargeback_is_answered() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_double_klarna").await;
    let inquiry = shop.arrives("inquiry", &charge, json!({ "reason": "credit_not_processed" })).await;
    let error = shop.refused(&inquiry).await;
    assert!(
        error.contains("an inquiry of Klarna takes no evidence: a refund of the disputed amount ends it"),
        "{error}"
    );
    shop.asked("consider_refund", &inquiry, &["inquiry ready"]).await;
    shop.evidence_is_asked_for(&inquiry, &[]).await;
    let request = shop.request("o_1", "return", "1000").await;
    shop.until(&request, "succeeded").await;
    shop.shows(&inquiry, "outcome = 'warning_closed'").await;
    shop.asked("consider_refund", &inquiry, &["inquiry cancelled"]).await;

    let charge = shop.pay("o_2", "1000", "pm_double_klarna").await;
    let dispute = shop.arrives("chargeback", &charge, json!({ "reason": "general" })).await;
    shop.evidence_is_asked_for(&dispute, &[("chargeback", "ready")]).await;
    shop.asked("consider_refund", &dispute, &[]).await;
    shop.answer(&dispute, "winning_evidence").await;
    shop.responded(&dispute, "submitted").await;
    shop.order_is("o_2", "paid").await;
}
