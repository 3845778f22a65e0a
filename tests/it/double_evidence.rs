//! Promise: the double takes evidence once in each phase, tells Stripe's prefill from the merchant's evidence, judges what
//! is staged, and says for each dispute what was submitted, when and by whom.

use clawback::dev::double::{DisputeTruth, Disputes, Submitter};
use serde_json::{Value, json};

use crate::double_disputes::{disputed, upload};
use crate::double_world::{Said, World, said};

const DAY: i64 = 86_400;
const TEXT: &str = "evidence[uncategorized_text]";

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().expect("an id")
}

async fn happens(world: &World, what: &str, path: &str) -> Value {
    world.control("bank", json!({ "happens": what, "id": id_of(path) })).await
}

async fn details(world: &World, path: &str) -> (Value, Value) {
    let shown = world.get(path, &[]).await.body;
    (shown["status"].clone(), shown["evidence_details"].clone())
}

fn truth(world: &World, path: &str) -> DisputeTruth {
    world.double.disputes().remove(id_of(path)).expect("a dispute")
}

async fn stage(world: &World, path: &str, fields: &[(&str, &str)]) -> Said {
    world.post(path, &[fields, &[("submit", "false")]].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalated_inquiry_is_answered_again_and_each_submission_is_told() {
    let world = World::start().await;
    let path = disputed(&world, "pm_card_createDisputeInquiry").await;
    let answered = world.post(&path, &[(TEXT, "escalate_inquiry_evidence")]).await.body;
    assert_eq!(answered["status"], "warning_under_review");
    let (status, details) = details(&world, &path).await;
    assert_eq!((status, &details["submission_count"]), (json!("needs_response"), &json!(1)));
    assert_eq!(stage(&world, &path, &[(TEXT, "Shipped")]).await.body["status"], "needs_response");
    let again = world.post(&path, &[("evidence[service_date]", "2026-01-02"), ("submit", "true")]).await.body;
    assert_eq!((&again["status"], &again["evidence_details"]["submission_count"]), (&json!("under_review"), &json!(2)));
    for refused in [[(TEXT, "More"), ("submit", "false")], [(TEXT, "More"), ("submit", "true")]] {
        assert_eq!(world.post(&path, &refused).await.status, 400);
    }
    assert_eq!(world.post(&path, &[("submit", "true")]).await.status, 400, "once a phase");
    let told = truth(&world, &path);
    let sent: Vec<_> =
        told.submissions.iter().map(|it| (it.phase, it.evidence["uncategorized_text"].clone())).collect();
    assert_eq!(sent, [("inquiry", json!("escalate_inquiry_evidence")), ("chargeback", json!("Shipped"))]);
    assert!(told.submissions.iter().all(|it| it.by == Submitter::Api));
    assert!(told.submissions.iter().all(|it| it.request.as_deref().is_some_and(|id| id.starts_with("req_"))));
    assert_eq!(world.look("disputes").await[id_of(&path)], json!(told));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_intent_are_no_evidence() {
    let world = World::start().await;
    let path = disputed(&world, "pm_card_createDispute").await;
    let shown = stage(&world, &path, &[("metadata[draft]", "7")]).await.body;
    let method = &shown["evidence_details"]["submission_method"];
    assert_eq!((&shown["status"], method), (&json!("needs_response"), &json!("not_submitted")));
    assert_eq!(shown["evidence_details"]["has_evidence"], false);
    let (intended, smart) = (&shown["intended_submission_method"], &shown["smart_disputes"]);
    assert_eq!((intended, smart), (&json!(null), &json!(null)));
    let refused = stage(&world, &path, &[("intended_submission_method", "manual")]).await;
    assert_eq!(refused.refusal(), (400, "parameter_unknown", "intended_submission_method"));
    assert_eq!(
        world.post(&path, &[("metadata[draft]", "8")]).await.body["status"],
        "needs_response",
        "nothing to submit"
    );
    let sent = world.post(&path, &[("submit", "true")]).await.body;
    assert_eq!((&sent["status"], &sent["metadata"]["draft"]), (&json!("under_review"), &json!("8")));
    assert_eq!(sent["evidence_details"]["submission_method"], "manual");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_fills_in_is_not_the_merchants_evidence() {
    let world = World::start().await;
    world.stop_clock(DAY).await;
    let path = disputed(&world, "pm_card_createDispute").await;
    let before = world.get(&path, &[]).await.body["evidence"].clone();
    assert!(before["customer_purchase_ip"].is_string() && before["customer_email_address"].is_string(), "{before}");
    assert_eq!(before["receipt"], json!(null));
    world.advance(60).await;
    let after = world.get(&path, &[]).await.body;
    assert_eq!(after["evidence_details"]["has_evidence"], false);
    let file = world.get(&format!("/v1/files/{}", after["evidence"]["receipt"].as_str().expect("a file")), &[]).await;
    assert_eq!((&file.body["purpose"], &file.body["type"]), (&json!("dispute_evidence"), &json!("pdf")));
    let events = world.get("/v1/events", &[("type", "charge.dispute.updated")]).await.body;
    assert_eq!(events["data"][0]["data"]["previous_attributes"], json!({ "evidence": { "receipt": null } }));
    stage(&world, &path, &[("evidence[customer_name]", before["customer_name"].as_str().unwrap())]).await;
    assert!(!truth(&world, &path).has_evidence, "the same as Stripe's");
    stage(&world, &path, &[("evidence[customer_name]", "Maya")]).await;
    assert!(truth(&world, &path).has_evidence);
}

#[tokio::test(flavor = "multi_thread")]
async fn smart_disputes_answer_at_the_deadline_unless_the_merchant_answers_alone() {
    let world = World::start().await;
    world.stop_clock(30 * DAY).await;
    let token = "pm_card_createAutoRepresentmentEligibleDispute";
    let (silent, manual) = (disputed(&world, token).await, disputed(&world, token).await);
    let (plain, poor) =
        (disputed(&world, "pm_card_createDispute").await, disputed(&world, "pm_card_createDispute").await);
    let needy = json!({ "happens": "smart_disputes", "id": id_of(&poor), "reason": "requires_evidence" });
    assert_eq!(world.control("bank", needy).await["smart_disputes"]["status"], "requires_evidence");
    let shown = world.get(&silent, &[]).await.body;
    assert_eq!(shown["intended_submission_method"], "prefer_manual");
    assert_eq!(shown["smart_disputes"]["status"], "available");
    let shown = stage(&world, &manual, &[("intended_submission_method", "manual"), (TEXT, "Draft")]).await.body;
    assert_eq!(shown["intended_submission_method"], "manual");
    let refused = stage(&world, &manual, &[("intended_submission_method", "never")]).await;
    assert_eq!(refused.refusal().2, "intended_submission_method");
    world.advance(10 * DAY).await;
    let (status, shown) = details(&world, &silent).await;
    let method = (&shown["submission_method"], &shown["submission_count"]);
    assert_eq!((status, method), (json!("under_review"), (&json!("smart_disputes"), &json!(1))));
    let told = truth(&world, &silent).submissions;
    assert_eq!((told[0].by, Some(told[0].at)), (Submitter::SmartDisputes, truth(&world, &silent).due_by));
    world.advance(DAY).await;
    for path in [&manual, &plain, &poor] {
        assert_eq!(details(&world, path).await.0, "lost");
        assert!(truth(&world, path).submissions.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn smart_disputes_are_enabled_by_the_settings_and_complete_with_a_recommended_group() {
    let world = World::start().await;
    world.control("settings", json!({ "smart_disputes": true })).await;
    let path = disputed(&world, "pm_card_createDisputeProductNotReceived").await;
    let needy = json!({ "happens": "smart_disputes", "id": id_of(&path), "reason": "requires_evidence" });
    world.control("bank", needy).await;
    for (field, status) in [("shipping_carrier", "requires_evidence"), ("shipping_tracking_number", "available")] {
        let shown = stage(&world, &path, &[(&format!("evidence[{field}]"), "Q")]).await.body;
        assert_eq!(shown["smart_disputes"]["status"], status);
    }
    let klarna = world.pay("1000", "pm_double_klarna").await;
    let klarna = world.control("bank", json!({ "happens": "chargeback", "id": klarna })).await;
    assert_eq!(klarna["smart_disputes"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn late_evidence_is_taken_for_a_day_and_said_to_be_late() {
    let world = World::start().await;
    world.stop_clock(30 * DAY).await;
    let (late, later) =
        (disputed(&world, "pm_card_createDispute").await, disputed(&world, "pm_card_createDispute").await);
    let due_by = truth(&world, &late).due_by.expect("a deadline");
    world.control("clock", json!({ "stop_at": due_by + 3_600 })).await;
    let sent = world.post(&late, &[(TEXT, "Shipped")]).await.body;
    assert_eq!((&sent["status"], &sent["evidence_details"]["past_due"]), (&json!("under_review"), &json!(true)));
    assert_eq!(details(&world, &later).await.0, "needs_response");
    world.advance(DAY).await;
    assert_eq!(details(&world, &later).await.0, "lost");
    assert_eq!(world.post(&later, &[(TEXT, "Shipped")]).await.status, 400);
    assert_eq!(details(&world, &later).await.1["past_due"], false, "nothing was submitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_submits_in_the_dashboard() {
    let world = World::start().await;
    let path = disputed(&world, "pm_card_createDispute").await;
    assert_eq!(happens(&world, "submit_in_dashboard", &path).await["status"], "under_review");
    assert_eq!(world.post(&path, &[(TEXT, "Ours")]).await.status, 400);
    let told = truth(&world, &path);
    let by: Vec<_> = told.submissions.iter().map(|it| (it.by, it.request.clone())).collect();
    assert_eq!(by, [(Submitter::Dashboard, None)]);
    let accepted = disputed(&world, "pm_card_createDispute").await;
    world.post(&format!("{accepted}/close"), &[]).await;
    assert!(truth(&world, &accepted).closed_by_us && !told.closed_by_us);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_pages_are_refused_when_they_are_staged() {
    let world = World::start().await;
    let pdf = |pages: usize| {
        let all =
            ["<</Type/Page/Parent 1 0 R>>", "<< /Type /Page >>"].into_iter().cycle().take(pages).collect::<String>();
        format!("%PDF-1.7 <</Type /Pages>><</Type/Pages>>{all}").into_bytes()
    };
    for (token, most) in [("pm_card_mastercard", 19), ("pm_card_visa", 49)] {
        let charge = world.pay("1000", token).await;
        world.control("bank", json!({ "happens": "chargeback", "id": charge })).await;
        let path = format!("/v1/disputes/{}", world.dispute_of(&charge).await["id"].as_str().expect("a dispute"));
        let file = upload(&world, "dispute_evidence", &pdf(most - 2)).await.id();
        let image = upload(&world, "dispute_evidence", b"\x89PNG").await.id();
        let prefilled = world.get(&path, &[]).await.body["evidence"].clone();
        let known: usize = prefilled.as_object().unwrap().values().filter_map(Value::as_str).map(str::len).sum();
        let (fits, over) = ("x".repeat(3_000 - known), "x".repeat(3_001 - known));
        let files = [("evidence[receipt]", file.as_str()), ("evidence[customer_signature]", &image)];
        let refused = stage(&world, &path, &[&files[..], &[(TEXT, &over)]].concat()).await;
        assert_eq!(refused.refusal(), (400, "dispute_evidence_page_limit_exceeded", "evidence"), "{token}");
        assert_eq!(stage(&world, &path, &[&files[..], &[(TEXT, &fits)]].concat()).await.status, 200, "{token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_account_is_no_evidence() {
    let world = World::start().await;
    world.control("accounts", json!({ "id": "acct_1" })).await;
    let path = disputed(&world, "pm_card_createDispute").await;
    let file = upload(&world, "dispute_evidence", b"%PDF-1.7").await.id();
    let other = world.request("GET", &format!("/v1/files/{file}"), &[]).header("Stripe-Account", "acct_1");
    assert_eq!(said(other).await.expect("an answer").status, 404);
    let form =
        [("amount", "900"), ("currency", "eur"), ("confirm", "true"), ("payment_method", "pm_card_createDispute")];
    let paid = world.request("POST", "/v1/payment_intents", &form).header("Stripe-Account", "acct_1");
    let charge = said(paid).await.expect("an answer").body["latest_charge"].as_str().expect("paid").to_owned();
    let theirs = world.double.disputes().into_iter().find(|(_, it)| it.charge == charge).expect("disputed").0;
    let evidence = [("evidence[receipt]", file.as_str()), ("submit", "false")];
    let staged = world.request("POST", &format!("/v1/disputes/{theirs}"), &evidence).header("Stripe-Account", "acct_1");
    assert_eq!(said(staged).await.expect("an answer").refusal(), (400, "resource_missing", "evidence[receipt]"));
    assert_eq!(world.post(&path, &evidence).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn klarna_takes_a_file_for_one_dispute_only() {
    let world = World::start().await;
    for (token, second) in [("pm_card_visa", 200), ("pm_double_klarna", 400)] {
        let file = upload(&world, "dispute_evidence", b"%PDF-1.7").await.id();
        for expected in [200, second] {
            let charge = world.pay("1000", token).await;
            let dispute = world.control("bank", json!({ "happens": "chargeback", "id": charge })).await;
            let path = format!("/v1/disputes/{}", dispute["id"].as_str().expect("an id"));
            assert_eq!(stage(&world, &path, &[("evidence[receipt]", &file)]).await.status, expected, "{token}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn debits_are_lost_as_soon_as_they_are_disputed() {
    let world = World::start().await;
    for (token, method) in [("pm_double_sepaDebit", "sepa_debit"), ("pm_double_usBankAccount", "us_bank_account")] {
        let charge = world.pay("1000", token).await;
        let kind = &world.get(&format!("/v1/charges/{charge}"), &[]).await.body["payment_method_details"]["type"];
        assert_eq!(kind, method);
        let lost = world.control("bank", json!({ "happens": "chargeback", "id": charge, "amount": 400 })).await;
        let shown = (&lost["status"], &lost["evidence_details"]["due_by"], &lost["amount"]);
        assert_eq!(shown, (&json!("lost"), &json!(0), &json!(400)));
        let path = format!("/v1/disputes/{}", lost["id"].as_str().expect("an id"));
        assert_eq!(world.post(&path, &[(TEXT, "No")]).await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disputes_of_every_kind_arrive_and_nobody_answers_them() {
    let world = World::start().await;
    world.stop_clock(10 * DAY).await;
    world.double.make_disputes(Disputes { seed: 1, count: 150, pace: 60 });
    let all = world.double.disputes();
    assert!(all.len() > 100, "{} disputes", all.len());
    assert!(all.values().all(|it| it.submissions.is_empty() && !it.has_evidence && !it.closed_by_us));
    for kind in ["inquiry", "chargeback", "compliance", "resolution"] {
        assert!(all.values().any(|it| it.case_type == kind), "{kind}");
    }
    assert!(
        all.values().any(|it| it.due_by == Some(0)) && all.values().any(|it| it.intended_submission_method.is_some())
    );
}
