//! Promise: for the same calls, our client sends what Stripe's Python SDK sends. The SDK's requests were recorded by
//! `scripts/sdk-requests.sh`.

use std::collections::BTreeSet;
use std::time::Duration;

use clawback::stripe_api::{
    Calls, Client, Created, DisputeUpdate, EventFilter, EvidenceFile, IdempotencyKey, Keys, Limits, Mode, Of, Pages,
    Params, Scope, Settings, Submit, TimeLimit,
};
use serde_json::{Map, Value};

use crate::capture::Capture;

const CREATED: Created = Created { from: Some(1_764_000_000), before: Some(1_764_086_400) };

/// Compares what was sent with what was recorded, and remembers what was compared.
struct Comparison {
    capture: Capture,
    recorded: Map<String, Value>,
    compared: BTreeSet<&'static str>,
}

impl Comparison {
    fn check(&mut self, name: &'static str) {
        let expected = self.recorded.get(name).unwrap_or_else(|| panic!("{name} is not recorded"));
        assert_eq!(&self.capture.the_one(), expected, "{name}");
        assert!(self.compared.insert(name), "{name} was compared twice");
    }

    async fn list(&mut self, name: &'static str, pages: Pages) {
        pages.all().await.expect(name);
        self.check(name);
    }
}

async fn client(capture: &Capture) -> Client {
    let settings = Settings {
        keys: Keys::parse("sk_test_recorded").expect("a key"),
        api_base: capture.serve("api").await,
        files_base: capture.serve("files").await,
        limits: Limits { per_second: 1_000, at_once: 2 },
    };
    Client::new(settings).expect("a client")
}

fn calls(client: &Client, account: Option<&str>, context: Option<&str>) -> Calls {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let scope = Scope { mode: Mode::Test, account: text(account), context: text(context) };
    client.calls(&scope, TimeLimit::PerCall(Duration::from_secs(10))).expect("a key")
}

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::parse(&format!("key-{name}")).expect("a key")
}

#[tokio::test]
async fn requests_equal_those_of_the_sdk() {
    let capture = Capture::default();
    let recorded = include_str!("../data/sdk_requests.json");
    let recorded: Map<String, Value> = serde_json::from_str(recorded).expect("recorded requests");
    let client = client(&capture).await;
    let mut comparison = Comparison { capture, recorded, compared: BTreeSet::new() };
    let own = calls(&client, None, None);
    let connected = calls(&client, Some("acct_1Connected"), None);
    payments(&mut comparison, &own, &connected).await;
    refunds(&mut comparison, &own, &connected).await;
    disputes(&mut comparison, &own, &connected).await;
    events(&mut comparison, &own, &calls(&client, None, Some("acct_1Connected"))).await;
    lists(&mut comparison, &own).await;
    let missing: Vec<_> =
        comparison.recorded.keys().filter(|name| !comparison.compared.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "recorded and not compared: {missing:?}");
}

async fn payments(comparison: &mut Comparison, own: &Calls, connected: &Calls) {
    connected.retrieve_charge("ch_1", &["refunds", "balance_transaction"]).await.expect("a charge");
    comparison.check("retrieve_charge");
    own.retrieve_payment_intent("pi_1", &["latest_charge"]).await.expect("an intent");
    comparison.check("retrieve_payment_intent");
}

async fn refunds(comparison: &mut Comparison, own: &Calls, connected: &Calls) {
    let params = Params::new()
        .set("charge", "ch_1")
        .set("amount", 1050)
        .set("reason", "requested_by_customer")
        .set("reverse_transfer", true)
        .set("refund_application_fee", false)
        .fields("metadata", [("clawback_request", "7d5"), ("note", "50 % off & more + ü"), ("unset", "")]);
    connected.create_refund(params, &key("create_refund")).await.expect("a refund");
    comparison.check("create_refund");
    own.retrieve_refund("re_1").await.expect("a refund");
    comparison.check("retrieve_refund");
    own.cancel_refund("re_1", &key("cancel_refund")).await.expect("a refund");
    comparison.check("cancel_refund");
    comparison.list("refunds_of_charge", own.refunds_of(Of::Charge("ch_1"))).await;
    let rest = own.refunds_of(Of::PaymentIntent("pi_1")).older_than("re_9");
    comparison.list("refunds_of_payment_intent", rest).await;
}

async fn disputes(comparison: &mut Comparison, own: &Calls, connected: &Calls) {
    own.retrieve_dispute("du_1").await.expect("a dispute");
    comparison.check("retrieve_dispute");
    comparison.list("disputes_of_charge", own.disputes_of(Of::Charge("ch_1"))).await;
    comparison.list("disputes_of_payment_intent", own.disputes_of(Of::PaymentIntent("pi_1"))).await;
    let staged = [
        ("customer_name", "Zoë"),
        ("uncategorized_text", ""),
        ("appeal.card.reason_for_filing", "New facts"),
        ("appeal.card.supporting_files[0]", "file_1"),
        ("appeal.card.supporting_files[1]", "file_2"),
        ("enhanced_evidence.visa_compelling_evidence_3.prior_undisputed_transactions[0].charge", "ch_2"),
        ("enhanced_evidence.visa_compelling_evidence_3.prior_undisputed_transactions[0].shipping_address.city", "Bern"),
    ];
    own.update_dispute("du_1", &DisputeUpdate::staging(&staged), &key("stage_evidence")).await.expect("a dispute");
    comparison.check("stage_evidence");
    let submitted = DisputeUpdate {
        evidence: &[("receipt", "file_1")],
        metadata: &[("clawback_submission", "1")],
        intended_submission_method: Some("manual"),
        submit: Submit::Now,
    };
    connected.update_dispute("du_1", &submitted, &key("submit_evidence")).await.expect("a dispute");
    comparison.check("submit_evidence");
    own.close_dispute("du_1", &key("close_dispute")).await.expect("a dispute");
    comparison.check("close_dispute");
    let content = "%PDF-1.7 ü\r\n--x\r\n".into();
    // The SDK knows no media type and names this one for every file.
    let file = EvidenceFile { name: "receipt \"1\".pdf", media_type: "application/octet-stream", content };
    connected.upload_evidence(&file, &key("upload_evidence")).await.expect("a file");
    comparison.check("upload_evidence");
}

async fn events(comparison: &mut Comparison, own: &Calls, context: &Calls) {
    own.retrieve_event("evt_1").await.expect("an event");
    comparison.check("retrieve_event");
    let filter = EventFilter { types: &["charge.refunded", "charge.dispute.created"], created: CREATED };
    comparison.list("events", own.events(&filter).newer_than("evt_1")).await;
    own.retrieve_thin_event("evt_1Thin").await.expect("an event");
    comparison.check("retrieve_thin_event");
    context.retrieve_related("/v1/charges/ch_1").await.expect("a charge");
    comparison.check("retrieve_related");
}

async fn lists(comparison: &mut Comparison, own: &Calls) {
    comparison.list("webhook_endpoints", own.webhook_endpoints()).await;
    comparison.list("charges", own.charges(CREATED)).await;
    comparison.list("payment_intents", own.payment_intents(CREATED)).await;
    comparison.list("checkout_sessions", own.checkout_sessions(CREATED)).await;
    comparison.list("refunds", own.refunds(CREATED)).await;
    comparison.list("disputes", own.disputes(CREATED)).await;
    comparison.list("early_fraud_warnings", own.early_fraud_warnings(CREATED)).await;
    comparison.list("reviews", own.reviews(CREATED)).await;
    comparison.list("balance_transactions", own.balance_transactions(CREATED)).await;
}
