//! The checks can fail: in a trial in which nothing went wrong, whatever is made wrong by hand is found.

use std::sync::Arc;

use clawback::dev::local_postgres::Durability;

use crate::checks::{examine, settle};
use crate::server::Server;
use crate::trial::{Setup, Trial};

/// The first refund of a generated life: the statuses of those that services request are not compared.
const OF_A_LIFE: &str = "select min(refund_id) from clawback.refunds
                         where payment_id not in (select payment_id from clawback_v1.refund_requests)";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_doubled_or_wrong_is_found() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = Arc::new(Server::start(Durability::FsyncOff).await);
    let mut trial = Trial::start(&server, &server.folder.join("fail"), Setup::default(), 1).await;
    trial.db.until("select exists (select from clawback_v1.refund_requests where state = 'succeeded')").await;
    trial.db.until("select exists (select from clawback.follow_ups where state = 'done')").await;
    trial.db.until(&format!("select ({OF_A_LIFE}) is not null")).await;
    let lives = trial.traffic.end().await;
    settle(&mut trial).await.expect("it settles");
    let found = examine(&trial, &lives).await;
    assert!(found.lost.is_empty() && found.doubled.is_empty() && found.wrong.is_empty(), "{found:?}");

    let event = trial.post.acknowledged().pop_first().expect("an event");
    trial.db.execute(&format!("delete from clawback.event_payloads where event_id = '{event}'")).await;
    trial.db.execute(&format!("delete from clawback.events where event_id = '{event}'")).await;
    assert_eq!(examine(&trial, &lives).await.lost, [format!("event {event}")]);

    let done = *trial.consumers.book().done().first().expect("a follow-up that was completed");
    trial.db.execute(&format!("delete from clawback.follow_ups where id = {done}")).await;
    assert_eq!(examine(&trial, &lives).await.lost.len(), 2);

    let request =
        trial.db.value("select min(id::text) from clawback_v1.refund_requests where state = 'succeeded'").await;
    let payment =
        format!("select payment_id from clawback_v1.refund_requests where id = '{}'", request.as_str().expect("an id"));
    let (payment, request) = (trial.db.value(&payment).await, request.as_str().expect("an id").to_owned());
    let form = [
        ("payment_intent", payment.as_str().expect("an id")),
        ("amount", "1"),
        ("metadata[clawback_request]", &request),
    ];
    trial.world.post("/v1/refunds", &form).await;
    assert_eq!(examine(&trial, &lives).await.doubled.len(), 1);

    let strange = format!("update clawback.refunds set status = 'strange' where refund_id = ({OF_A_LIFE})");
    trial.db.execute(&strange).await;
    // Of a life that is wrong already the text changes, not the number.
    assert!(examine(&trial, &lives).await.wrong.iter().any(|life| life.contains("strange")));
    drop(trial);
    server.stop().await;
}
