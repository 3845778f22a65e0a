//! Promise: no body and no key is ever logged, at any level; calls and request ids are.

use std::io;
use std::sync::{Arc, Mutex};

use clawback::stripe_api::{IdempotencyKey, Params};
use tracing::Level;
use tracing::subscriber::set_default;

use crate::stub::{Reply, Stub};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_have_calls_and_request_ids_and_neither_bodies_nor_keys() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
    let _guard = set_default(subscriber.with_writer(move || writer.clone()).finish());
    let headers = "Request-Id: req_1\r\nStripe-Notice: This parameter is deprecated.\r\n";
    let replies = [
        Reply::of(200, headers, r#"{"id":"re_1","email":"jane-answer"}"#),
        Reply::of(400, headers, r#"{"error":{"type":"invalid_request_error","message":"No."},"email":"jane-answer"}"#),
    ];
    let calls = Stub::play(replies).await.calls();
    let key = IdempotencyKey::parse("key-1").expect("a key");
    for expected in [true, false] {
        let params = Params::new().set("instructions_email", "jane-request");
        assert_eq!(calls.create_refund(params, &key).await.is_ok(), expected);
    }
    let text = String::from_utf8(log.0.lock().expect("the log").clone()).expect("text");
    assert!(text.contains("POST /v1/refunds succeeded") && text.contains("req_1"), "{text}");
    assert!(text.contains("POST /v1/refunds: 400: No. (request req_1)"), "{text}");
    assert_eq!(text.matches("Stripe sent a notice: This parameter is deprecated.").count(), 1, "{text}");
    for secret in ["jane", "TopSecret"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
