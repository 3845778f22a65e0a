//! Promise: the double judges Visa CE 3.0 when it is staged, wants the fee of a compliance dispute acknowledged, and keeps
//! the evidence of an appeal apart.

use serde_json::{Value, json};

use crate::double_disputes::{disputed, upload};
use crate::double_world::{Said, World};

const DAY: i64 = 86_400;
const CE3: &str = "visa_compelling_evidence_3";
const TEXT: &str = "evidence[uncategorized_text]";

async fn stage(world: &World, path: &str, fields: &[(String, String)]) -> Said {
    let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let form: Vec<_> = pairs.chain([("submit", "false")]).collect();
    world.post(path, &form).await
}

async fn happens(world: &World, what: &str, path: &str) -> Value {
    world.control("bank", json!({ "happens": what, "id": path.rsplit('/').next() })).await
}

fn ce3(name: &str, value: &str) -> (String, String) {
    (format!("evidence[enhanced_evidence][{CE3}]{name}"), value.to_owned())
}

/// The disputed transaction, and one prior for each charge, with an address and a device in common.
fn compelling(priors: &[&str]) -> Vec<(String, String)> {
    let mut fields = vec![ce3("[disputed_transaction][merchandise_or_services]", "merchandise")];
    let priors = priors.iter().enumerate().map(|(at, id)| (format!("[prior_undisputed_transactions][{at}]"), *id));
    let priors: Vec<_> = priors.collect();
    fields.extend(priors.iter().map(|(place, id)| ce3(&format!("{place}[charge]"), id)));
    for place in priors.into_iter().map(|(place, _)| place).chain(["[disputed_transaction]".to_owned()]) {
        fields.push(ce3(&format!("{place}[product_description]"), "Kettle"));
        fields.push(ce3(&format!("{place}[customer_purchase_ip]"), "203.0.113.9"));
        fields.push(ce3(&format!("{place}[customer_device_id]"), "device-0123456789"));
    }
    fields
}

fn judged(shown: &Value) -> (Value, Value) {
    let eligibility = &shown["evidence_details"]["enhanced_eligibility"][CE3];
    (eligibility["status"].clone(), eligibility["required_actions"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn compelling_evidence_is_judged_when_it_is_staged() {
    let world = World::start().await;
    let path = disputed(&world, "pm_card_createCe3EligibleDispute").await;
    let (one, two) = (world.pay("500", "pm_card_visa").await, world.pay("500", "pm_card_visa").await);
    let shown = world.get(&path, &[]).await.body;
    assert_eq!((&shown["enhanced_eligibility_types"], judged(&shown).0), (&json!([CE3]), json!("requires_action")));
    let without = |name: &str, from: Vec<(String, String)>| {
        from.into_iter().filter(|(field, _)| !field.ends_with(name)).collect::<Vec<_>>()
    };
    let all = compelling(&[&one, &two]);
    for (fields, action) in [
        (compelling(&[&one]), "missing_prior_undisputed_transactions"),
        (compelling(&[&one, &one]), "missing_prior_undisputed_transactions"),
        (without("[merchandise_or_services]", all.clone()), "missing_merchandise_or_services"),
        (without("[customer_device_id]", all.clone()), "missing_customer_identifiers"),
        (without("[0][product_description]", all.clone()), "missing_prior_undisputed_transaction_description"),
        (
            without("[disputed_transaction][product_description]", all.clone()),
            "missing_disputed_transaction_description",
        ),
    ] {
        let staged = stage(&world, &path, &fields).await;
        assert_eq!(judged(&staged.body), (json!("requires_action"), json!([action])), "{staged:?}");
    }
    let staged = stage(&world, &path, &all).await.body;
    assert_eq!((judged(&staged), &staged["status"]), ((json!("qualified"), json!([])), &json!("needs_response")));
    let removed = stage(&world, &path, &[("evidence[enhanced_evidence]".to_owned(), String::new())]).await.body;
    assert_eq!(
        (&removed["evidence"]["enhanced_evidence"], &removed["evidence_details"]["has_evidence"]),
        (&json!({}), &json!(false))
    );
    let sent = world.post(&path, &[(TEXT, "Ordinary evidence")]).await.body;
    assert_eq!((judged(&sent).0, &sent["status"]), (json!("not_qualified"), &json!("under_review")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_part_of_compelling_evidence_fails_the_whole_update() {
    let world = World::start().await;
    let path = disputed(&world, "pm_card_createCe3EligibleDispute").await;
    let one = world.pay("500", "pm_card_visa").await;
    let ordinary = ("evidence[customer_name]".to_owned(), "Maya".to_owned());
    for (place, value, code) in [
        ("[prior_undisputed_transactions][0][charge]", "pi_123", "resource_missing"),
        ("[prior_undisputed_transactions][0][merchandise_or_services]", "services", "parameter_unknown"),
        ("[disputed_transaction][charge]", one.as_str(), "parameter_unknown"),
        ("[disputed_transaction][customer_device_id]", "too-short", ""),
        ("[disputed_transaction][merchandise_or_services]", "kettles", ""),
    ] {
        let mut fields = vec![ordinary.clone(), ce3("[prior_undisputed_transactions][0][charge]", &one)];
        fields.retain(|(name, _)| *name != ce3(place, "").0);
        fields.push(ce3(place, value));
        let refused = stage(&world, &path, &fields).await;
        let param = ce3(place, "").0;
        assert_eq!(refused.refusal(), (400, code, param.as_str()), "{refused:?}");
    }
    assert_eq!(world.get(&path, &[]).await.body["evidence_details"]["has_evidence"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compliance_dispute_is_submitted_only_with_its_fee_acknowledged() {
    let world = World::start().await;
    for (token, kind) in [
        ("pm_card_createComplianceDispute", "visa_compliance"),
        ("pm_card_createMastercardComplianceDispute", "mastercard_compliance"),
    ] {
        let path = disputed(&world, token).await;
        let field = format!("evidence[enhanced_evidence][{kind}][fee_acknowledged]");
        let status = |shown: &Value| shown["evidence_details"]["enhanced_eligibility"][kind]["status"].clone();
        let shown = world.get(&path, &[]).await.body;
        assert_eq!((&shown["reason"], &shown["enhanced_eligibility_types"]), (&json!("noncompliant"), &json!([kind])));
        assert_eq!(shown["payment_method_details"]["card"]["case_type"], "compliance");
        assert_eq!(
            (shown["balance_transactions"][0]["amount"].clone(), status(&shown)),
            (json!(-1_000), json!("requires_fee_acknowledgement"))
        );
        for given in [vec![(TEXT, "Ours")], vec![(TEXT, "Ours"), (&field, "false")], vec![("submit", "true")]] {
            assert_eq!(world.post(&path, &given).await.refusal(), (400, "", field.as_str()), "{given:?}");
        }
        assert_eq!(world.get(&path, &[]).await.body["evidence_details"]["has_evidence"], false, "nothing was taken");
        for wrong in ["1", "0", "yes", ""] {
            let refused = stage(&world, &path, &[(field.clone(), wrong.to_owned())]).await;
            assert_eq!(refused.body["error"]["message"], format!("Invalid boolean: {wrong}"));
        }
        let staged = stage(&world, &path, &[(field.clone(), "true".to_owned())]).await.body;
        assert_eq!((status(&staged), &staged["status"]), (json!("fee_acknowledged"), &json!("needs_response")));
        let sent = world.post(&path, &[(TEXT, "losing_evidence")]).await.body;
        assert_eq!((&sent["status"], status(&sent)), (&json!("under_review"), json!("fee_acknowledged")));
        assert_eq!(world.get(&path, &[]).await.body["status"], "lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appeal_takes_its_own_evidence_alone() {
    let world = World::start().await;
    world.stop_clock(60 * DAY).await;
    let (reason, file) = ("evidence[appeal][card][reason_for_filing]", "evidence[appeal][card][supporting_files][0]");
    let upload = upload(&world, "dispute_evidence", b"%PDF-1.7").await.id();
    let mut appealed = Vec::new();
    for _ in 0..3 {
        let path = disputed(&world, "pm_card_createDispute").await;
        let early = world.post(&path, &[(reason, "Unfair"), ("submit", "false")]).await;
        assert_eq!(early.refusal(), (400, "", "evidence[appeal]"));
        world.post(&path, &[(TEXT, "losing_evidence")]).await;
        appealed.push(path);
    }
    world.advance(20 * DAY).await;
    for path in &appealed {
        let before = world.get(path, &[]).await.body;
        let open = happens(&world, "appeal", path).await;
        assert_eq!((&before["status"], &open["status"]), (&json!("lost"), &json!("appeal_needs_response")));
        assert!(open["evidence_details"]["due_by"].as_i64() > before["evidence_details"]["due_by"].as_i64());
        assert_eq!(world.post(path, &[(TEXT, "More")]).await.refusal(), (400, "", "evidence[uncategorized_text]"));
        assert_eq!(world.post(&format!("{path}/close"), &[]).await.status, 400);
        let bad = world.post(path, &[(file, "file_none"), ("submit", "false")]).await;
        assert_eq!(bad.refusal(), (400, "resource_missing", file));
        let staged = world.post(path, &[(reason, "Unfair"), (file, &upload), ("submit", "false")]).await.body;
        assert_eq!(
            staged["evidence"]["appeal"]["card"],
            json!({ "reason_for_filing": "Unfair", "supporting_files": [upload] })
        );
    }
    for (path, outcome, status) in [(&appealed[0], "win", "won"), (&appealed[1], "lose", "lost")] {
        let sent = world.post(path, &[("submit", "true")]).await.body;
        let count = &sent["evidence_details"]["submission_count"];
        assert_eq!((&sent["status"], count), (&json!("appeal_under_review"), &json!(2)));
        assert_eq!(world.post(path, &[(reason, "Again")]).await.status, 400);
        assert_eq!(happens(&world, outcome, path).await["status"], status);
    }
    world.advance(11 * DAY).await;
    assert_eq!(world.get(&appealed[2], &[]).await.body["status"], "lost", "nobody submitted");
}
