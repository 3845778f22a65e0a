//! Promise: disputes in the double take evidence within Stripe's limits, and end as the bank decides.

use serde_json::{Value, json};

use crate::double_world::{Said, World, said};

pub async fn upload(world: &World, purpose: &str, bytes: &[u8]) -> Said {
    let mut body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"receipt.pdf\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend(bytes);
    body.extend(b"\r\n--b--\r\n");
    let request = crate::harness::client().post(format!("{}/v1/files", world.url)).body(body);
    let request = request.header("Content-Type", "multipart/form-data; boundary=b").bearer_auth("sk_test_1");
    said(request).await.expect("an answer")
}

pub async fn disputed(world: &World, token: &str) -> String {
    let charge = world.pay("1000", token).await;
    format!("/v1/disputes/{}", world.dispute_of(&charge).await["id"].as_str().expect("a dispute"))
}

fn types(events: &Value) -> Vec<&str> {
    events["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_staged_submitted_once_and_decided() {
    let world = World::start().await;
    for (text, status) in [("winning_evidence", "won"), ("losing_evidence", "lost"), ("We shipped it", "under_review")]
    {
        let dispute = disputed(&world, "pm_card_createDispute").await;
        let staged = world.post(&dispute, &[("evidence[customer_name]", "Maya"), ("submit", "false")]).await.body;
        let details = &staged["evidence_details"];
        assert_eq!((&details["has_evidence"], &details["submission_count"]), (&json!(true), &json!(0)));
        let sent = world.post(&dispute, &[("evidence[uncategorized_text]", text), ("metadata[a]", "b")]).await.body;
        assert_eq!((&sent["status"], &sent["metadata"]), (&json!("under_review"), &json!({ "a": "b" })), "{sent}");
        assert_eq!(sent["evidence"]["customer_name"], "Maya");
        assert_eq!(world.get(&dispute, &[]).await.body["status"], status);
        assert_eq!(world.post(&dispute, &[("evidence[customer_name]", "M")]).await.status, 400, "once only");
    }
    let events = world.get("/v1/events", &[("type", "charge.dispute.*"), ("limit", "100")]).await.body;
    let first = types(&events).into_iter().rev().take(6).collect::<Vec<_>>();
    let expected = ["created", "funds_withdrawn", "updated", "updated", "funds_reinstated", "closed"];
    assert_eq!(first, expected.map(|it| format!("charge.dispute.{it}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_breaks_a_limit_is_refused_and_named() {
    let world = World::start().await;
    let dispute = disputed(&world, "pm_card_createDispute").await;
    let large = upload(&world, "dispute_evidence", &[&b"%PDF"[..], &vec![b'x'; 2_300_000]].concat()).await.id();
    let logo = upload(&world, "business_logo", b"%PDF").await.id();
    let (long, longest) = ("x".repeat(5_001), "x".repeat(20_000));
    for (fields, param) in [
        (vec![("evidence[recipt]", "x")], "evidence[recipt]"),
        (vec![("evidence[customer_name]", long.as_str())], "evidence[customer_name]"),
        (vec![("evidence[receipt]", "file_none")], "evidence[receipt]"),
        (vec![("evidence[receipt]", &logo)], "evidence[receipt]"),
        (vec![("evidence[receipt]", &large), ("evidence[refund_policy]", &large)], "evidence"),
        (
            [
                "access_activity_log",
                "cancellation_policy_disclosure",
                "cancellation_rebuttal",
                "product_description",
                "duplicate_charge_explanation",
                "refund_policy_disclosure",
                "refund_refusal_explanation",
                "uncategorized_text",
            ]
            .iter()
            .map(|field| (&*format!("evidence[{field}]").leak(), longest.as_str()))
            .collect(),
            "evidence",
        ),
    ] {
        let refused = world.post(&dispute, &fields).await;
        assert_eq!((refused.status, refused.refusal().2), (400, param), "{}", refused.body);
    }
    assert_eq!(world.get(&dispute, &[]).await.body["evidence_details"]["has_evidence"], false);
    let half = upload(&world, "dispute_evidence", &[&b"%PDF"[..], &vec![b'x'; 2_249_996]].concat()).await.id();
    let more = upload(&world, "dispute_evidence", &[&b"%PDF"[..], &vec![b'x'; 2_249_997]].concat()).await.id();
    let good = [
        ("evidence[customer_name]", &long[1..]),
        ("evidence[uncategorized_text]", &longest),
        ("evidence[receipt]", &half),
        ("evidence[refund_policy]", &half),
        ("submit", "false"),
    ];
    assert_eq!(world.post(&dispute, &good).await.body["evidence"]["receipt"], half, "each at its limit");
    let over = world.post(&dispute, &[("evidence[refund_policy]", &more), ("submit", "false")]).await;
    assert_eq!(over.refusal(), (400, "", "evidence"), "a byte more");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_checked_for_purpose_and_type() {
    let world = World::start().await;
    let file = upload(&world, "dispute_evidence", b"%PDF-1.7").await;
    assert_eq!((&file.body["type"], &file.body["size"]), (&json!("pdf"), &json!(8)), "{file:?}");
    assert_eq!(world.get(&format!("/v1/files/{}", file.id()), &[]).await.body, file.body);
    assert_eq!(upload(&world, "dispute_evidence", b"plain text").await.refusal().2, "file");
    assert_eq!(upload(&world, "dispute_evidence", b"").await.refusal().2, "file");
    assert_eq!(upload(&world, "evidence", b"%PDF").await.refusal().2, "purpose");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bank_and_the_calendar_end_disputes() {
    let world = World::start().await;
    let inquiry = disputed(&world, "pm_card_createDisputeInquiry").await;
    let id = inquiry.rsplit('/').next().unwrap();
    let escalated = world.control("bank", json!({ "happens": "escalate", "id": id })).await;
    assert_eq!((&escalated["status"], &escalated["is_charge_refundable"]), (&json!("needs_response"), &json!(false)));
    world.advance(11 * 86_400).await;
    assert_eq!(world.get(&inquiry, &[]).await.body["status"], "lost", "nobody answered");
    let late = world.control("bank", json!({ "happens": "win_late", "id": id })).await;
    assert_eq!(late["balance_transactions"].as_array().unwrap().len(), 2);
    let accepted = disputed(&world, "pm_card_createDispute").await;
    let close = format!("{accepted}/close");
    assert_eq!(world.post(&close, &[]).await.body["status"], "lost");
    assert_eq!(world.post(&close, &[]).await.status, 400);
    let twice = world.pay("1001", "pm_card_createMultipleDisputes").await;
    let both = world.get("/v1/disputes", &[("charge", &twice)]).await.body;
    let amounts: Vec<_> = both["data"].as_array().unwrap().iter().map(|it| it["amount"].clone()).collect();
    assert_eq!(amounts, [501, 500]);
}
