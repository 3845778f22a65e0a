//! Promise: no event is lost and none blocks another: an unreadable event fails alone, one that the database refuses
//! is retried and finally fails, one with a locked row waits.

use clawback::apply::Ahead;
use clawback::processor::MAX_ATTEMPTS;
use clawback::store::ledger;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::bodies::{charge, dispute, event, event_with, refund, session, with};
use crate::harness::{Database, TestApp, options, tell};

async fn shown(app: &TestApp, event_id: &str) -> Value {
    app.db.rows(&format!("select * from clawback_v1.events where event_id = '{event_id}'")).await.remove(0)
}

async fn paid(app: &TestApp, payment_id: &str) -> bool {
    let paid = format!(
        "select exists (select from clawback_v1.payments where payment_id = '{payment_id}' and state = 'paid')"
    );
    app.db.value(&paid).await == true
}

/// A body as text, where a number cannot be written by `json!`.
fn raw(id: &str, object: &Value, marker: &str, text: &str) -> String {
    event(id, 1, object).replace(&format!("\"{marker}\""), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_fails_alone_and_names_the_field() {
    let app = TestApp::start().await;
    let broken = |changes: Value| charge("ch_bad", changes);
    let bodies = [
        (event("evt_negative", 1, &broken(json!({ "amount": -1 }))), "data.object.amount: is negative"),
        (event("evt_fraction", 1, &broken(json!({ "amount": 10.5 }))), "data.object.amount: is not a 64-bit integer"),
        (
            raw("evt_huge", &broken(json!({ "amount_refunded": "N" })), "N", "9223372036854775808"),
            "data.object.amount_refunded: is not a 64-bit integer",
        ),
        (
            event("evt_text", 1, &broken(json!({ "amount_captured": "12" }))),
            "data.object.amount_captured: is not a 64-bit integer",
        ),
        (event("evt_no_amount", 1, &broken(json!({ "amount": null }))), "data.object.amount: is missing"),
        (event("evt_no_id", 1, &broken(json!({ "id": null }))), "data.object.id: is missing"),
        (event("evt_no_currency", 1, &broken(json!({ "currency": "" }))), "data.object.currency: is missing"),
        (
            event("evt_currency", 1, &broken(json!({ "currency": "euro" }))),
            "data.object.currency: is not a three-letter currency code",
        ),
        (
            event("evt_long_id", 1, &broken(json!({ "id": "x".repeat(256) }))),
            "data.object.id: is longer than 255 bytes",
        ),
        (
            event("evt_nul", 1, &broken(json!({ "status": "succ\0eeded" }))),
            "data.object.status: contains a NUL character",
        ),
        (
            event_with("evt_from_9999", 1, &broken(json!({})), json!({ "created": 253_402_300_799_i64 })),
            "created: is not a time between 1970 and 2100",
        ),
        (event_with("evt_timeless", 1, &broken(json!({})), json!({ "created": null })), "created: is missing"),
        (event_with("evt_no_data", 1, &broken(json!({})), json!({ "data": null })), "data.object: is missing"),
        (event_with("evt_list", 1, &json!(["ch_bad"]), json!({})), "data.object: is not an object"),
        (event("evt_word", 1, &json!("ch_bad")), "data.object: is not an object"),
        (event("evt_nameless", 1, &broken(json!({ "object": null }))), "data.object.object: is missing"),
    ];
    let held = app.db.hold_batches().await;
    app.take_in(&[event("evt_before", 1, &charge("ch_before", json!({})))]).await;
    for (body, _) in &bodies {
        app.take_in(std::slice::from_ref(body)).await;
    }
    app.take_in(&[event("evt_after", 1, &charge("ch_after", json!({})))]).await;
    held.commit().await.expect("a commit");
    app.db.settle().await;
    for (body, reason) in &bodies {
        let id = serde_json::from_str::<Value>(body)
            .map_or_else(|_| "evt_huge".to_owned(), |b| b["id"].as_str().expect("an id").to_owned());
        let event = shown(&app, &id).await;
        assert_eq!((&event["state"], &event["last_error"]), (&json!("failed"), &json!(reason)), "{id}");
        assert_eq!((&event["attempts"], &event["payment_id"]), (&json!(1), &Value::Null), "{id}");
        assert!(event["processed_at"].is_string(), "{id}");
    }
    assert!(paid(&app, "ch_before").await && paid(&app, "ch_after").await);
    assert_eq!(app.db.value("select count(*) from clawback_v1.payments").await, 2);
    let batches = "select count(distinct processed_at) from clawback_v1.events";
    assert_eq!(app.db.value(batches).await, 1, "they were neighbours in one batch");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_handler_reads_is_ignored_with_a_reason() {
    let app = TestApp::start().await;
    let payout = json!({ "id": "po_1", "object": "payout", "amount": -5, "created": "never" });
    let thin = json!({ "id": "evt_thin", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
        "created": "2026-01-02T03:04:05Z" });
    app.see(&[event("evt_payout", 1, &payout), thin.to_string()]).await;
    let event = shown(&app, "evt_payout").await;
    let expected = (json!("ignored"), json!("no handler reads objects of type payout"), json!("po_1"), json!(1));
    assert_eq!(
        (event["state"].clone(), event["last_error"].clone(), event["object_id"].clone(), event["attempts"].clone()),
        expected
    );
    assert!(event["processed_at"].is_string() && event["payment_id"].is_null());
    let event = shown(&app, "evt_thin").await;
    assert_eq!(event["state"], "ignored");
    assert!(event["last_error"].as_str().is_some_and(|reason| reason.contains("thin event")), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_an_unknown_type_is_read_when_its_object_is_known() {
    let app = TestApp::start().await;
    let kind = json!({ "type": "charge.teleported" });
    app.see(&[event_with("evt_1", 1, &charge("ch_1", json!({})), kind)]).await;
    let event = shown(&app, "evt_1").await;
    assert_eq!((&event["state"], &event["payment_id"]), (&json!("processed"), &json!("ch_1")));
}

/// Refuses to store one payment, as a bug or a full disk would.
const REFUSAL: &str = "alter table clawback.payments add constraint no_poison check (payment_id <> 'ch_poison')";

/// Records how long an event is to wait, and makes it due at once.
pub const IMPATIENCE: &str = "
    create table waited (n bigint generated always as identity, seconds integer, state text, attempts integer);
    create function impatience() returns trigger language plpgsql security definer set search_path = clawback, public as $$
    begin
        insert into waited (seconds, state, attempts)
        select extract(epoch from new.run_at - now()), e.state, e.attempts + 1
        from clawback.events e where e.event_id = new.event_id;
        new.run_at := now();
        return new;
    end $$;
    create trigger impatience before update on clawback.pending_events
        for each row execute function impatience()";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_the_database_refuses_is_retried_then_fails_and_blocks_no_other() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["no_poison"]);
    app.db.execute(REFUSAL).await;
    app.db.execute(IMPATIENCE).await;
    let held = app.db.hold_batches().await;
    let ids = ["ch_one", "ch_poison", "ch_two"];
    app.take_in(&ids.map(|id| event(&format!("evt_{id}"), 1, &charge(id, json!({}))))).await;
    held.commit().await.expect("a commit");
    app.db.settle().await;
    let event = shown(&app, "evt_ch_poison").await;
    assert_eq!((&event["state"], &event["attempts"]), (&json!("failed"), &json!(MAX_ATTEMPTS)));
    assert!(event["last_error"].as_str().is_some_and(|error| error.starts_with("processing failed: ")), "{event}");
    assert!(event["last_error"].as_str().is_some_and(|error| error.contains("no_poison")), "{event}");
    let waited = app.db.value("select array_agg((seconds, state, attempts)::text order by n) from waited").await;
    let expected = ["(1,pending,1)", "(4,pending,2)", "(16,pending,3)", "(64,pending,4)", "(256,pending,5)"];
    assert_eq!(waited, json!(expected));
    for neighbour in ["ch_one", "ch_two"] {
        assert!(paid(&app, neighbour).await);
        assert_eq!(shown(&app, &format!("evt_{neighbour}")).await["attempts"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_the_database_refused_once_is_processed_on_retry() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["no_poison"]);
    app.db.execute(REFUSAL).await;
    app.take_in(&[event("evt_1", 1, &charge("ch_poison", json!({})))]).await;
    app.db.until("select attempts >= 1 from clawback_v1.events").await;
    app.db.execute("alter table clawback.payments drop constraint no_poison").await;
    app.db.execute("update clawback.pending_events set run_at = now()").await;
    app.db.settle().await;
    assert!(paid(&app, "ch_poison").await);
    let event = shown(&app, "evt_1").await;
    assert_eq!((&event["state"], &event["last_error"]), (&json!("processed"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_row_defers_only_the_events_of_its_payment() {
    for held_row in [
        "select from clawback.payments where payment_id = 'ch_held' for update",
        "select from clawback.follow_ups where payment_id = 'ch_held' for update",
    ] {
        let app = TestApp::start().await;
        let refunded = |charge: &str| refund(&format!("re_{charge}"), json!({ "charge": charge, "amount": 10_000 }));
        app.see(&["ch_held", "ch_free"].map(|id| event(&format!("evt_{id}"), 1, &charge(id, json!({}))))).await;
        app.see(&[event("evt_open", 2, &dispute("dp_1", json!({ "charge": "ch_held" })))]).await;
        let consumer = app.db.begin(held_row).await;
        app.take_in(&["ch_held", "ch_free"].map(|id| event(&format!("evt_re_{id}"), 3, &refunded(id)))).await;
        app.db.until("select state = 'processed' from clawback_v1.events where event_id = 'evt_re_ch_free'").await;
        app.db
            .until("select run_at > received_at from clawback.pending_events join clawback.events using (event_id)")
            .await;
        assert_eq!(
            app.db.value("select amount_refunded from clawback_v1.payments where payment_id = 'ch_free'").await,
            10_000
        );
        assert_eq!(
            app.db.value("select amount_refunded from clawback_v1.payments where payment_id = 'ch_held'").await,
            0
        );
        assert_eq!(shown(&app, "evt_re_ch_held").await["state"], "pending");
        consumer.rollback().await.expect("a rollback");
        app.db.settle().await;
        assert_eq!(
            app.db.value("select amount_refunded from clawback_v1.payments where payment_id = 'ch_held'").await,
            10_000
        );
        let event = shown(&app, "evt_re_ch_held").await;
        assert_eq!(
            (&event["state"], &event["attempts"], &event["last_error"]),
            (&json!("processed"), &json!(1), &Value::Null)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_payment_still_counts_in_its_order() {
    let app = TestApp::start().await;
    let of_order = || json!({ "metadata": { "order_id": "o_1" } });
    app.see(&["ch_held", "ch_free"].map(|id| event(&format!("evt_{id}"), 1, &charge(id, of_order())))).await;
    let consumer = app.db.begin("select from clawback.payments where payment_id = 'ch_held' for update").await;
    let held = app.db.hold_batches().await;
    let refunded = |charge: &str| refund(&format!("re_{charge}"), json!({ "charge": charge, "amount": 10_000 }));
    app.take_in(&["ch_held", "ch_free"].map(|id| event(&format!("evt_re_{id}"), 2, &refunded(id)))).await;
    held.rollback().await.expect("a rollback");
    app.db.until("select state = 'processed' from clawback_v1.events where event_id = 'evt_re_ch_free'").await;
    let order = "select amount_paid, amount_refunded, state from clawback_v1.orders";
    let half = json!({ "amount_paid": 20_000, "amount_refunded": 10_000, "state": "partially_refunded" });
    assert_eq!(app.db.rows(order).await, [half]);
    consumer.rollback().await.expect("a rollback");
    app.db.settle().await;
    let all = json!({ "amount_paid": 20_000, "amount_refunded": 20_000, "state": "refunded" });
    assert_eq!(app.db.rows(order).await, [all]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_shows_the_result_of_each_event() {
    let app = TestApp::start().await;
    let held = app.db.hold_batches().await;
    let envelope =
        json!({ "account": "acct_1", "livemode": true, "api_version": "2014-01-31", "type": "charge.refunded" });
    let body = event_with("evt_1", 5, &charge("ch_1", json!({})), envelope);
    app.take_in(std::slice::from_ref(&body)).await;
    let pending = shown(&app, "evt_1").await;
    let columns = ["type", "api_version", "account", "livemode", "object_id", "created_at", "state", "attempts"];
    let row: Vec<&Value> = columns.iter().map(|column| &pending[*column]).collect();
    let (created, expected) = ("2023-11-14T22:13:25+00:00", json!(0));
    assert_eq!(
        row,
        [
            &json!("charge.refunded"),
            &json!("2014-01-31"),
            &json!("acct_1"),
            &json!(true),
            &json!("ch_1"),
            &json!(created),
            &json!("pending"),
            &expected
        ]
    );
    assert_eq!((&pending["payment_id"], &pending["processed_at"]), (&Value::Null, &Value::Null));
    held.commit().await.expect("a commit");
    app.db.settle().await;
    let processed = shown(&app, "evt_1").await;
    assert_eq!(
        (&processed["state"], &processed["attempts"], &processed["payment_id"]),
        (&json!("processed"), &json!(1), &json!("ch_1"))
    );
    assert_eq!(processed["received_at"], pending["received_at"]);
    app.see(&[body.replace("10000", "20000")]).await;
    assert_eq!(shown(&app, "evt_1").await, processed, "of one id the first counts, and a repeat is no work");
    assert_eq!(app.db.value("select amount_paid from clawback_v1.payments").await, 10_000);
    assert_eq!(app.db.value("select payload from clawback_v1.event_payloads").await, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_a_payment_is_kept_and_gets_its_follow_ups() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_1", 1, &refund("re_1", json!({ "metadata": { "order_id": "o-1" } }))),
        event("evt_2", 1, &dispute("dp_1", json!({}))),
    ])
    .await;
    let refund_row =
        app.db.rows("select payment_id, order_id, charge_id, amount, status from clawback_v1.refunds").await;
    assert_eq!(
        refund_row,
        [json!({ "payment_id": null, "order_id": null, "charge_id": null, "amount": 1_000, "status": "succeeded" })]
    );
    assert_eq!(app.db.value("select payment_id is null and amount = 10000 from clawback_v1.disputes").await, true);
    assert_eq!(app.db.value("select count(*) from clawback_v1.payments").await, 0);
    assert_eq!(app.db.value("select count(*) from clawback_v1.order_history").await, 0);
    assert_eq!(
        app.db.value("select bool_and(payment_id is null and state = 'processed') from clawback_v1.events").await,
        true
    );
    let kinds = app.db.rows("select kind, subject, payment_id from clawback_v1.follow_ups order by kind").await;
    let kinds: Vec<_> = kinds.iter().map(|row| (row["kind"].as_str().expect("a kind"), &row["payment_id"])).collect();
    let asked = ["collect_evidence", "hold_fulfilment", "notify_refund", "warn_evidence_due"];
    assert_eq!(kinds, asked.map(|kind| (kind, &Value::Null)));
    let claimed = "select * from clawback_v1.claim_follow_ups('tester', array['notify_refund'])";
    assert_eq!(app.db.rows(claimed).await[0]["payment_id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_led_to_no_payment_makes_no_order() {
    let app = TestApp::start().await;
    let about = json!({ "metadata": { "order_id": "o-1" } });
    app.see(&[event("evt_1", 1, &session("cs_1", about.clone()))]).await;
    assert_eq!(app.db.value("select count(*) from clawback_v1.payments").await, 0);
    assert_eq!(app.db.rows("select order_id, state from clawback_v1.orders").await, Vec::<Value>::new());
    let named = with(session("cs_1", about), json!({ "payment_intent": "pi_1" }));
    app.see(&[event("evt_2", 2, &named), event("evt_3", 3, &charge("ch_1", json!({ "payment_intent": "pi_1" })))])
        .await;
    let order = app.db.rows("select order_id, state from clawback_v1.orders").await;
    assert_eq!(order, [json!({ "order_id": "o-1", "state": "paid" })]);
    let history = app.db.rows("select order_id, from_state, to_state from clawback_v1.order_history order by id").await;
    assert_eq!(history[0], json!({ "order_id": "o-1", "from_state": null, "to_state": "unknown" }), "{history:?}");
    assert_eq!(history[1], json!({ "order_id": "o-1", "from_state": "unknown", "to_state": "paid" }), "{history:?}");
    assert_eq!(history.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_row_without_its_event_blocks_no_other() {
    let app = TestApp::start().await;
    let held = app.db.hold_batches().await;
    // More than one batch holds.
    app.db
        .execute("insert into clawback.pending_events (seq, event_id) select -n, 'evt_gone_' || n from generate_series(1, 510) n")
        .await;
    app.deliver_all(&tell("full-refund", "o-1")).await;
    held.commit().await.expect("a commit");
    app.db.settle().await;
    assert_eq!(app.db.value("select state from clawback_v1.orders").await, "refunded");
    assert_eq!(app.db.value("select count(*) from clawback.pending_events").await, 0);
}

/// Stores pending events with bodies of these sizes, in bytes.
async fn store_pending(db: &Database, sizes: &str) {
    db.execute(&format!(
        "with given as (select 'evt_' || n as id, size from unnest(array[{sizes}]) with ordinality as g (size, n)),
         bodies as (insert into clawback.event_payloads select id, repeat('x', size) from given),
         stored as (insert into clawback.events (event_id, type) select id, 't' from given returning seq, event_id)
         insert into clawback.pending_events (seq, event_id) select seq, event_id from stored"
    ))
    .await;
}

/// Of events with bodies of these sizes, how many a batch takes, and how many bodies are read ahead for the next one.
async fn taken(sizes: &str) -> (usize, usize) {
    let db = Database::migrated().await;
    store_pending(&db, sizes).await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let next = ledger::take(&mut conn).await.expect("pending events").events.len();
    (next, ledger::bodies_ahead(&mut conn).await.expect("bodies").len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_takes_500_events_or_8_mib_of_bodies_and_at_least_one_event() {
    let small = |count: usize| vec!["10"; count].join(",");
    assert_eq!(taken(&small(499)).await, (499, 0));
    assert_eq!(taken(&small(1_001)).await, (500, 500));
    assert_eq!(taken("4194304, 4194304, 1").await, (2, 0));
    assert_eq!(taken("8388609, 1").await, (1, 0));
    assert_eq!(taken(&format!("{},4194304,4194304,1", small(500))).await, (500, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_ahead_by_key_with_statistics_or_without() {
    for statistics in ["select", "analyze"] {
        let db = Database::migrated().await;
        store_pending(&db, &vec!["1000"; 1_500].join(",")).await;
        db.execute(statistics).await;
        let mut conn = PgConnection::connect_with(&options(&db.url)).await.expect("a connection");
        Ahead::read(&mut conn, "order_id".to_owned()).await.expect("bodies");
        // A session reports what it did at its end.
        conn.close().await.expect("a clean end");
        let of_bodies = "from pg_stat_user_tables where relid = 'clawback.event_payloads'::regclass";
        db.until(&format!("select idx_scan + seq_scan > 0 {of_bodies}")).await;
        assert_eq!(db.value(&format!("select seq_scan {of_bodies}")).await, 0, "{statistics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_on_a_fresh_database_reads_no_table_or_index_whole() {
    // Both leave plans behind that were made while the tables were empty.
    for statistics in ["select", "analyze"] {
        let mut app = TestApp::start().await;
        app.db.execute(statistics).await;
        for n in 0..20 {
            app.deliver_all(&tell("chargeback-lost", &format!("early-{n}"))).await;
        }
        app.db.settle().await;
        let held = app.db.hold_batches().await;
        for n in 0..150 {
            app.deliver_all(&tell("chargeback-lost", &format!("o-{n}"))).await;
            app.deliver_all(&tell("partial-refund", &format!("p-{n}"))).await;
        }
        app.db.execute("select pg_stat_reset()").await;
        held.commit().await.expect("a commit");
        app.db.settle().await;
        // Sessions report their statistics at the latest when they end.
        app.stop().await.expect("a clean end");
        let tables = "select relname, seq_scan, seq_tup_read from pg_stat_user_tables
                      where schemaname = 'clawback' and seq_tup_read > 2000
                          and relname in ('events', 'event_payloads', 'payments', 'payment_objects', 'orders', 'refunds',
                              'disputes', 'people', 'follow_ups')";
        assert_eq!(app.db.rows(tables).await, Vec::<Value>::new(), "{statistics}");
        let indexes = "select indexrelname, idx_scan, idx_tup_read from pg_stat_user_indexes
                       where schemaname = 'clawback' and idx_tup_read > 60000";
        assert_eq!(app.db.rows(indexes).await, Vec::<Value>::new(), "{statistics}: some 2,000 events");
        let scans = app.db.value("select sum(idx_scan) from pg_stat_user_tables").await;
        assert!(scans.as_f64().is_some_and(|scans| scans > 0.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn marking_events_as_processed_touches_no_index_of_the_ledger() {
    let mut app = TestApp::start().await;
    let held = app.db.hold_batches().await;
    let events: Vec<_> = (0..100).flat_map(|n| tell("paid", &format!("o_{n}"))).collect();
    app.deliver_all(&events).await;
    // The reason why an event is ignored is the longest text that a row usually gets.
    for n in 0..300 {
        let subscription = json!({ "object": "subscription", "id": format!("sub_1MowQVLkdIwHu7ixeRlqHV{n:02}") });
        let status = app.deliver(&event(&format!("evt_1MowQVLkdIwHu7ixraBm8{n:03}"), 1, &subscription)).await.status();
        assert_eq!(status, 200);
    }
    held.rollback().await.expect("a rollback");
    app.db.settle().await;
    // A session reports what it did at its end.
    app.stop().await.expect("a clean stop");
    let updates = format!("n_tup_upd >= {}", events.len() + 300);
    let of_events = "from pg_stat_user_tables where relid = 'clawback.events'::regclass";
    app.db.until(&format!("select {updates} {of_events}")).await;
    let rows = app.db.rows(&format!("select n_tup_upd as updates, n_tup_hot_upd as in_place {of_events}")).await;
    assert_eq!(rows[0]["updates"], rows[0]["in_place"], "updates that stayed on their page");
}
