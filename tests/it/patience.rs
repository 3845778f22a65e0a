//! Promise: a delivery is answered within 6 s whatever happens to the database, what was given up holds nothing, and
//! readiness says what storing says.

use std::time::{Duration, Instant};

use clawback::store::migrations::FOREIGN_KEYS;
use clawback::store::session;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Database, TestApp, options, tell, until};

/// How long a delivery may wait for its answer.
const ANSWERED: Duration = Duration::from_secs(6);

/// The answers to this many deliveries at once, and the slowest.
async fn deliver_at_once(app: &TestApp, count: usize) -> (Vec<u16>, Duration) {
    let mut deliveries = JoinSet::new();
    for n in 0..count {
        let delivery = app.delivery(&format!(r#"{{"id":"evt_{n}","type":"unknown"}}"#));
        deliveries.spawn(async move {
            let began = Instant::now();
            (delivery.send().await.expect("an answer").status().as_u16(), began.elapsed())
        });
    }
    let (answers, took): (Vec<_>, Vec<_>) = deliveries.join_all().await.into_iter().unzip();
    (answers, took.into_iter().max().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_locked_table_deliveries_are_refused_in_time_and_no_session_stays() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["canceling statement due to lock timeout", "connection to client lost"]);
    let locked = app.db.begin("lock table clawback.events in access exclusive mode").await;
    until("intake has noticed", async || {
        let (answers, slowest) = deliver_at_once(&app, 300).await;
        assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
        assert!(slowest < ANSWERED, "{slowest:?}");
        app.get("/readyz").await.status() == 503
    })
    .await;
    let (_, slowest) = deliver_at_once(&app, 300).await;
    assert!(slowest < Duration::from_secs(2), "after the first time-out deliveries fail at once: {slowest:?}");
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
                   and query like '%store_events%' and wait_event_type = 'Lock'";
    assert!(app.db.value(waiting).await.as_i64() <= Some(1), "one tries whether it can store again");

    locked.rollback().await.expect("the lock is given back");
    app.ready().await;
    let (answers, _) = deliver_at_once(&app, 300).await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(app.db.value("select count(*) from clawback.events").await, 300, "and what was tried out is not stored");
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_and_stores_nothing_makes_the_service_unready_until_it_stores_again() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["could not extend file"]);
    app.db
        .execute(
            "create function fill() returns trigger language plpgsql security definer set search_path = clawback, public as $$
             begin
                 raise exception using errcode = '53100', message = 'could not extend file: No space left on device';
             end $$;
             create trigger fill before insert on clawback.events for each row execute function fill()",
        )
        .await;
    let events = tell("paid", "o_1");
    assert_eq!(app.deliver(&events[0].body).await.status(), 503);
    // However often it connects again: whether it can store is tried out.
    for _ in 0..20 {
        let answer = app.get("/readyz").await;
        assert_eq!(answer.status(), 503);
        let body = answer.text().await.expect("a body");
        assert!(body.contains("intake"), "{body}");
    }
    assert_eq!(app.deliver(&events[0].body).await.status(), 503);

    app.db.execute("drop trigger fill on clawback.events").await;
    app.ready().await;
    app.deliver_all(&events).await;
    app.db.settle().await;
    assert_eq!(app.db.value("select count(*) from clawback.events").await, events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_ends_what_a_client_gave_up_also_behind_a_pooler_that_refuses_to_be_asked() {
    let db = Database::migrated().await;
    let limit = async |database: &PgConnectOptions| {
        let mut conn = session::connect(database, Duration::from_secs(7)).await.expect("a connection");
        let limit = session::statement_limit(&mut conn).await.expect("a setting");
        conn.close().await.expect("a clean end");
        limit
    };
    let direct = options(&db.url);
    assert_eq!(limit(&direct).await.as_deref(), Some("7s"));

    let port = strict_pooler(direct.get_port()).await;
    let pooled = direct.clone().host("127.0.0.1").port(port).ssl_mode(PgSslMode::Disable);
    assert_eq!(limit(&pooled).await, None, "nothing is in force, and it connects all the same");
    db.execute(&format!("alter database {} set statement_timeout = '30s'", db.name)).await;
    assert_eq!(limit(&pooled).await.as_deref(), Some("30s"), "what the server sets is");
}

/// Refuses connections that ask for settings, as a transaction pooler does.
async fn strict_pooler(server: u16) -> u16 {
    let door = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = door.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = door.accept().await {
            tokio::spawn(async move {
                let mut start = vec![0; 4];
                client.read_exact(&mut start).await.expect("a length");
                let length = u32::from_be_bytes(start.clone().try_into().expect("four bytes")) as usize;
                start.resize(length, 0);
                client.read_exact(&mut start[4..]).await.expect("a start-up message");
                if String::from_utf8_lossy(&start).contains("statement_timeout") {
                    let fields = b"SFATAL\0C08P01\0Munsupported startup parameter in options: statement_timeout\0\0";
                    let length = u32::try_from(fields.len() + 4).expect("few bytes").to_be_bytes();
                    client.write_all(&[b"E", &length[..], fields].concat()).await.expect("an open connection");
                    return;
                }
                let mut upstream = TcpStream::connect(("127.0.0.1", server)).await.expect("Postgres listens");
                upstream.write_all(&start).await.expect("an open connection");
                drop(copy_bidirectional(&mut client, &mut upstream).await);
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_restore_has_not_made_all_foreign_keys_nothing_is_processed() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["terminating connection due to administrator command"]);
    let of = "from pg_constraint where contype = 'f' and connamespace = 'clawback'::regnamespace";
    assert_eq!(
        app.db.value(&format!("select count(*) {of}")).await,
        FOREIGN_KEYS,
        "the number that a whole schema has"
    );
    let statements = format!(
        "select format('alter table %s drop constraint %I', conrelid::regclass, conname) as drop,
                format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as add
         {of} order by conname limit 1"
    );
    let key = app.db.rows(&statements).await.remove(0);
    let events = tell("paid", "o_1");
    let held = app.db.hold_batches().await;
    app.deliver_all(&events).await;
    app.db.execute(key["drop"].as_str().expect("a statement")).await;
    app.db.end_connections().await;
    drop(held);
    until("intake connected again", async || app.deliver(&events[0].body).await.status() == 200).await;
    app.db
        .until("select exists (select from pg_stat_activity where query like '%contype%' and pid <> pg_backend_pid())")
        .await;
    let doctor = app.attempt(&["doctor"]).await.stdout;
    assert!(doctor.contains("left it out"), "{doctor}");
    let pending = "select count(*) from clawback_v1.events where state = 'pending'";
    assert_eq!(app.db.value(pending).await, events.len());

    app.db.execute(key["add"].as_str().expect("a statement")).await;
    app.ready().await;
    app.db.settle().await;
    assert_eq!(app.db.value("select state from clawback_v1.orders").await, "paid");
}
