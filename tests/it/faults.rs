//! Promise: an event or document that is damaged or too slow is set aside and named, and blocks no other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clawback::apply::{LIMIT, Rules};
use clawback::processor::{MAX_ATTEMPTS, Processor};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::bodies::{charge, event};
use crate::harness::{TestApp, options};
use crate::processing::IMPATIENCE;

/// A damaged document, and one written by a release with another format.
const DAMAGED: [&str; 2] = [r#"{"charges": 7}"#, r#"{"charges": {"ch_bad": {"best": {"shape": 2}}}}"#];

fn of_order(id: &str) -> String {
    event(&format!("evt_{id}"), 1, &charge(id, json!({ "metadata": { "order_id": "o_1" } })))
}

/// The doctor's result for one check, with its severity.
async fn says(app: &TestApp, check: &str) -> (String, String) {
    let found: Vec<Value> =
        serde_json::from_str(&app.attempt(&["doctor", "--json"]).await.stdout).expect("every check in JSON");
    let finding = found.iter().find(|finding| finding["check"] == check).expect(check);
    let text = |field: &str| finding[field].as_str().expect("text").to_owned();
    (text("level"), text("message"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_document_is_named_with_its_repair_and_hides_no_other() {
    for damaged in DAMAGED {
        let app = TestApp::start().await;
        app.see(&[of_order("ch_bad"), of_order("ch_good")]).await;
        let damage = format!("update clawback.payments set facts = '{damaged}' where payment_id = 'ch_bad'");
        app.db.execute(&damage).await;
        let mend = "clawback rebuild ch_bad";

        let (level, words) = says(&app, "documents").await;
        assert!(level == "wrong" && words.contains(&format!("`{mend}`")), "{words}");
        assert_eq!(says(&app, "consistency").await.0, "good", "the others are looked at");
        let shown = app.command(&["orders", "show", "o_1"]).await.stdout;
        assert!(shown.contains(&format!("`{mend}`")), "{shown}");
        let story = app.json(&["orders", "show", "o_1"]).await;
        assert_eq!(story["unreadable"], json!(["ch_bad"]));
        assert_eq!(story["orders"][0]["total"]["paid"], 10_000, "of the payment that can be read: {story}");

        app.command(&["rebuild", "ch_bad"]).await;
        app.db.until("select not exists (select from clawback.rebuilds)").await;
        assert_eq!(says(&app, "documents").await.0, "good");
        let story = app.json(&["orders", "show", "o_1"]).await;
        assert_eq!((&story["unreadable"], &story["orders"][0]["total"]["paid"]), (&json!([]), &json!(20_000)));
    }
}

/// Exceeds the statement time-out for rows that match `slow`, and counts how often.
async fn slow_when(app: &mut TestApp, slow: &str) {
    app.db.expect_errors(&["too slow"]);
    app.db
        .execute(&format!(
            "create sequence timeouts;
             create function time_out() returns trigger language plpgsql security definer set search_path = clawback, public as $$
             begin
                 if (select {slow} from stored) then
                     perform nextval('timeouts');
                     raise exception using errcode = '57014', message = 'too slow';
                 end if;
                 return null;
             end $$;
             create trigger time_out after insert on clawback.payments
                 referencing new table as stored for each statement execute function time_out()"
        ))
        .await;
}

/// Makes this many events wait for one batch.
async fn wait_together(app: &TestApp, ids: &[&str]) {
    let held = app.db.hold_batches().await;
    app.take_in(&ids.iter().map(|id| of_order(id)).collect::<Vec<_>>()).await;
    held.commit().await.expect("a commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_exceeds_its_time_limit_is_retried_one_event_at_a_time() {
    let mut app = TestApp::start().await;
    slow_when(&mut app, "count(*) > 1").await;
    wait_together(&app, &["ch_1", "ch_2", "ch_3"]).await;
    app.db.settle().await;
    let events = app.db.rows("select state, attempts, last_error from clawback_v1.events").await;
    assert_eq!(events, vec![json!({ "state": "processed", "attempts": 1, "last_error": null }); 3]);
    assert_eq!(app.db.value("select last_value from timeouts").await, 1, "it is tried as a whole only once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_always_exceeds_its_time_limit_fails_and_blocks_no_other() {
    let mut app = TestApp::start().await;
    app.db.execute(IMPATIENCE).await;
    slow_when(&mut app, "bool_or(payment_id = 'ch_slow')").await;
    wait_together(&app, &["ch_1", "ch_slow", "ch_2"]).await;
    app.db.settle().await;
    let of = "select state, attempts, last_error like '%too slow%' as slow from clawback_v1.events";
    let slow = app.db.rows(&format!("{of} where event_id = 'evt_ch_slow'")).await.remove(0);
    assert_eq!(slow, json!({ "state": "failed", "attempts": MAX_ATTEMPTS, "slow": true }));
    let others = app.db.rows(&format!("{of} where event_id <> 'evt_ch_slow'")).await;
    assert_eq!(others, vec![json!({ "state": "processed", "attempts": 1, "slow": null }); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_does_not_end_is_abandoned_and_its_events_are_retried_one_by_one() {
    let mut app = TestApp::start().await;
    // A processor with a shorter time limit than the service's.
    app.stop().await.expect("a clean end");
    app.db.expect_errors(&["connection to client lost", "canceling statement due to lock timeout"]);
    let held = app.db.begin("select pg_advisory_xact_lock(4711)").await;
    app.db
        .execute(
            "create function dawdle() returns trigger language plpgsql security definer set search_path = clawback, public as $$
             begin
                 perform pg_advisory_xact_lock(4711) from stored having count(*) > 1;
                 return null;
             end $$;
             create trigger dawdle after insert on clawback.payments
                 referencing new table as stored for each statement execute function dawdle();
             insert into clawback.events (event_id, type, object_id)
             select 'evt_' || n, 'charge.succeeded', 'ch_' || n from generate_series(1, 3) n;
             insert into clawback.pending_events (seq, event_id) select seq, event_id from clawback.events;",
        )
        .await;
    for n in 1..=3 {
        let body = event(&format!("evt_{n}"), 1, &charge(&format!("ch_{n}"), json!({})));
        app.db.execute(&format!("insert into clawback.event_payloads values ('evt_{n}', $${body}$$)")).await;
    }
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let processor = Processor {
        database: options(&app.db.url),
        rules: Rules::current("order_id"),
        woken: Arc::default(),
        arrived: Arc::default(),
        limit: Duration::from_secs(2),
    };
    let running = tokio::spawn(async move { processor.run(stopped).await });
    app.db.settle().await;
    assert_eq!(app.db.value("select count(*) from clawback_v1.events where state = 'processed'").await, 3);
    held.rollback().await.expect("the lock is given back");
    stop.cancel();
    running.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_processed_though_the_connection_that_reads_ahead_hangs() {
    let mut app = TestApp::start().await;
    let held = app.db.hold_batches().await;
    let body = |n| event(&format!("evt_{n}"), 1, &charge(&format!("ch_{n}"), json!({})));
    app.take_in(&(0..1600).map(body).collect::<Vec<_>>()).await;
    app.stop().await.expect("a clean end");
    held.rollback().await.expect("the lock is given back");
    let database = options(&app.db.url);
    let (server, door) = (database.get_port(), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let port = door.local_addr().expect("an address").port();
    // The first connection reaches Postgres, the others never get an answer.
    let serving = tokio::spawn(async move {
        let (mut client, _) = door.accept().await.expect("a client");
        let mut server = TcpStream::connect(("127.0.0.1", server)).await.expect("Postgres listens");
        tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        let mut silent = Vec::new();
        loop {
            silent.push(door.accept().await.expect("a client"));
        }
    });
    let stop = CancellationToken::new();
    let processor = Processor {
        database: database.host("127.0.0.1").port(port),
        rules: Rules::current("order_id"),
        woken: Arc::default(),
        arrived: Arc::default(),
        limit: LIMIT,
    };
    let stopped = stop.clone();
    let running = tokio::spawn(async move { processor.run(stopped).await });
    timeout(Duration::from_secs(30), app.db.settle()).await.expect("no batch waits for the reader");
    stop.cancel();
    running.await.expect("no panic");
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_processor_stops_while_it_waits_for_a_connection() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let stop = CancellationToken::new();
    let processor = Processor {
        database: options(&format!("postgres://u@127.0.0.1:{port}/db?sslmode=disable")),
        rules: Rules::current("order_id"),
        woken: Arc::default(),
        arrived: Arc::default(),
        limit: LIMIT,
    };
    let stopped = stop.clone();
    let running = tokio::spawn(async move { processor.run(stopped).await });
    let _client = silent.accept().await.expect("a client");
    stop.cancel();
    timeout(Duration::from_secs(5), running).await.expect("it stops in time").expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_does_not_shorten_the_back_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let arrived = Arc::new(Notify::new());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let processor = Processor {
        database: options(&format!("postgres://u@127.0.0.1:{port}/db?sslmode=disable")),
        rules: Rules::current("order_id"),
        woken: Arc::default(),
        arrived: Arc::clone(&arrived),
        limit: LIMIT,
    };
    let running = tokio::spawn(async move { processor.run(stopped).await });
    let traffic = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(1));
        loop {
            ticks.tick().await;
            arrived.notify_one();
        }
    });
    // Every connection is closed immediately.
    drop(listener.accept().await.expect("a client"));
    let began = Instant::now();
    for _ in 0..3 {
        drop(listener.accept().await.expect("a client"));
    }
    // 100, 200 and 400 ms, with jitter.
    assert!(began.elapsed() >= Duration::from_millis(650), "{:?}", began.elapsed());
    traffic.abort();
    stop.cancel();
    running.await.expect("no panic");
}

/// Records which batch worked on what.
const COURSE: &str = "
    create table course (n bigint generated always as identity, worked_on text);
    create function tell() returns trigger language plpgsql security definer set search_path = clawback, public as $$
    begin
        insert into course (worked_on) select tg_table_name from done having count(*) > 0;
        return null;
    end $$;
    create trigger tell after delete on clawback.pending_events
        referencing old table as done for each statement execute function tell();
    create trigger tell after delete on clawback.rebuilds
        referencing old table as done for each statement execute function tell()";

#[tokio::test(flavor = "multi_thread")]
async fn a_long_rebuild_and_new_or_replayed_events_take_turns() {
    let app = TestApp::start().await;
    let ids: Vec<String> = (0..2100).map(|n| format!("ch_{n}")).collect();
    app.see(&ids.iter().map(|id| of_order(id)).collect::<Vec<_>>()).await;
    let held = app.db.hold_batches().await;
    app.db.execute(COURSE).await;
    // Two full batches of replayed events, one of the others and the new ones, 210 of payments to rebuild.
    app.db.execute("select clawback_v1.replay_event(event_id, 'a test') from clawback_v1.events").await;
    app.command(&["rebuild", "--all"]).await;
    for n in 0..3 {
        app.take_in(&[event(&format!("evt_new_{n}"), 2, &charge(&format!("ch_new_{n}"), json!({})))]).await;
    }
    held.commit().await.expect("a commit");
    app.db.settle().await;
    assert_eq!(app.db.value("select count(*) > 1500 from clawback.rebuilds").await, true, "events do not wait for it");
    app.db.until("select not exists (select from clawback.rebuilds)").await;
    let course = app.db.rows("select worked_on from course order by n").await;
    let turns = &course[..5];
    assert!(turns.windows(2).all(|pair| pair[0] != pair[1]), "{turns:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_cannot_be_rebuilt_blocks_no_other() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["no_poison"]);
    app.see(&["ch_1", "ch_poison", "ch_2"].map(of_order)).await;
    app.db
        .execute(
            "update clawback.payments set amount_paid = amount_paid - 1;
             alter table clawback.payments add constraint no_poison check (payment_id <> 'ch_poison') not valid",
        )
        .await;
    app.command(&["rebuild", "--all"]).await;
    let left = "select array_agg(payment_id) = '{ch_poison}' and bool_and(last_error like '%no_poison%')
                from clawback.rebuilds";
    app.db.until(left).await;
    let mended = "select count(*) from clawback_v1.payments where amount_paid = 10000";
    assert_eq!(app.db.value(mended).await, 2);
}
