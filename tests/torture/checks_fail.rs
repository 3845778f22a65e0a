//! The checks can fail: in a trial in which nothing went wrong, whatever is made wrong by hand is found.

use std::sync::Arc;
use std::time::Duration;

use clawback::dev::local_postgres::Durability;
use tokio::time::sleep;

use crate::checks::{examine, settle};
use crate::server::Server;
use crate::trial::{Setup, Trial};

/// How long a trial is lived.
const LIVED: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_doubled_or_wrong_is_found() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = Arc::new(Server::start(Durability::FsyncOff).await);
    let mut trial = Trial::start(&server, &server.folder.join("fail"), Setup::default(), 1).await;
    sleep(LIVED).await;
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

    let before = examine(&trial, &lives).await.wrong.len();
    trial.db.execute("update clawback.refunds set status = 'strange' where refund_id = (select min(refund_id) from clawback.refunds)").await;
    assert!(examine(&trial, &lives).await.wrong.len() > before);
    drop(trial);
    server.stop().await;
}
