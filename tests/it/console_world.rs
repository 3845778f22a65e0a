//! A world for the console to show: every story told once, in test and in live mode, and an order whose every text is
//! hostile.

use clawback::dev::stories::{Cast, all};
use serde_json::Value;

use crate::evidence::PDF;
use crate::harness::{TestApp, tell_with, unix_now};

/// Texts that a buyer or a merchant may write, and that must never be more than text.
pub const PROBES: [&str; 6] = [
    "\"><img src=x onerror=alert(1)>",
    "</textarea></script><script>alert(2)</script>",
    "javascript:alert(3)",
    "{{7*7}}${7*7}",
    "a\u{202e}b\u{200b}c",
    "' onmouseover='alert(4)",
];

/// A word without a break that is longer than any screen.
pub fn long_word() -> String {
    "w".repeat(2_000)
}

/// The personal data that is in the world, and that only the right `payloads` shows.
pub const PERSON: &str = "probe@person.example";

/// Delivers every story, and the hostile order; returns when all is processed.
pub async fn fill(app: &TestApp) {
    for (place, story) in all().iter().enumerate() {
        let cast = Cast { livemode: place % 2 == 0, ..Cast::new(format!("order-{place}"), 0) };
        app.deliver_all(&tell_with(story.name, cast)).await;
    }
    for story in ["chargeback-open", "partial-refund", "fraud-warning"] {
        for event in tell_with(story, Cast::new(format!("{}{story}", PROBES[0]), unix_now() - 86_400)) {
            let mut body: Value = serde_json::from_str(&event.body).expect("an event");
            spoil(&mut body, &mut 0);
            assert_eq!(app.deliver(&body.to_string()).await.status(), 200);
        }
    }
    app.db.settle().await;
}

/// Replaces every text that somebody outside may have written.
fn spoil(value: &mut Value, count: &mut usize) {
    const WRITTEN: [&str; 14] = [
        "name",
        "description",
        "line1",
        "line2",
        "city",
        "statement_descriptor",
        "failure_message",
        "seller_message",
        "customer_name",
        "product_description",
        "uncategorized_text",
        "message",
        "customer_purchase_ip",
        "reason_for_filing",
    ];
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(_)
                        if name == "email" || name == "receipt_email" || name == "customer_email_address" =>
                    {
                        *field = PERSON.into();
                    }
                    Value::String(_) | Value::Null if WRITTEN.contains(&name.as_str()) => {
                        *count += 1;
                        *field = match *count % 7 {
                            6 => long_word().into(),
                            place => PROBES[place].into(),
                        };
                    }
                    Value::Object(metadata) if name == "metadata" => {
                        metadata.insert("note".to_owned(), PROBES[1].into());
                        metadata.insert(PROBES[0].to_owned(), PROBES[4].into());
                    }
                    _ => spoil(field, count),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, count)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What somebody must mend: a dead follow-up, a failed event, a payment without an order.
pub async fn break_things(app: &TestApp) {
    app.db
        .execute(
            "update clawback.follow_ups set state = 'dead', last_error = '<b>the shop was closed</b>', attempts = 5,
                 finished_at = now()
             where id in (select id from clawback.follow_ups where state = 'ready' order by id limit 3)",
        )
        .await;
    let broken = r#"{"id":"evt_broken","object":"event","type":"charge.refunded","api_version":"2026-10-28.endive",
        "created":1700000000,"livemode":false,"data":{"object":{"id":"ch_broken","object":"charge"}}}"#;
    assert_eq!(app.deliver(broken).await.status(), 200);
    let unlinked =
        tell_with("paid", Cast { order_key: "not_ours".to_owned(), ..Cast::new("nobody", unix_now() - 3_600) });
    app.deliver_all(&unlinked).await;
    app.db.settle().await;
    begin_things(app).await;
}

/// What somebody began: a refund that is requested, and drafts with a file.
async fn begin_things(app: &TestApp) {
    app.db.execute("insert into clawback.api_keys (livemode) values (true), (false)").await;
    app.db
        .execute(
            "select clawback_v1.request_payment_refund(payment_id, 'crawl', 1)
             from clawback_v1.payments where state = 'paid' order by payment_id limit 1",
        )
        .await;
    for draft in [
        "stage_evidence(dispute_id, '{\"uncategorized_text\": \"We disagree.\"}')".to_owned(),
        format!("attach_evidence_file(dispute_id, 'receipt', 'receipt.pdf', null, '\\x{}')", hex::encode(PDF)),
    ] {
        app.db
            .execute(&format!(
                "select clawback_v1.{draft} from clawback_v1.disputes where can_respond and phase = 'chargeback'"
            ))
            .await;
    }
}
