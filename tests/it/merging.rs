//! Promise: objects that belong together become one payment and one order, whenever the link arrives, and nothing
//! recorded or done before is lost.

use serde_json::{Value, json};

use crate::bodies::{charge, dispute, event, event_with, intent, refund, session, with};
use crate::harness::TestApp;

async fn complete(app: &TestApp, kind: &str) {
    let done = format!(
        "select bool_and(clawback_v1.complete_follow_up(c.id, c.lease_token))
         from clawback_v1.claim_follow_ups('tester', array['{kind}']) c"
    );
    assert_eq!(app.db.value(&done).await, true, "{kind}");
}

async fn lines(app: &TestApp, query: &str) -> Vec<String> {
    app.db.rows(query).await.iter().map(|row| row["line"].as_str().expect("a line").to_owned()).collect()
}

const FOLLOW_UPS: &str = "select concat_ws(' ', kind, subject || '/' || round, payment_id, state) as line
                          from clawback_v1.follow_ups order by kind, subject, round";

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_only_named_can_be_found_and_linked_by_its_id() {
    let app = TestApp::start().await;
    let named = json!({ "charge": "ch_1", "payment_intent": "pi_1" });
    app.see(&[
        event("evt_1", 1, &refund("re_1", named)),
        event("evt_2", 1, &dispute("dp_2", json!({ "charge": "ch_2" }))),
    ])
    .await;
    let found = "select concat_ws(' ', f.kind, f.id, f.payment_id) as line
                 from unnest(array['ch_1', 'pi_1', 'ch_2']) as id, clawback_v1.find(id) f order by f.id";
    assert_eq!(lines(&app, found).await, ["charge ch_1 pi_1", "payment ch_2 ch_2", "payment pi_1 pi_1"]);
    app.db.execute("select clawback_v1.link_payment('ch_1', 'o-1'), clawback_v1.link_payment('ch_2', 'o-2')").await;
    app.db.settle().await;
    let linked = "select concat_ws(' ', payment_id, order_id) as line from clawback_v1.payments order by 1";
    assert_eq!(lines(&app, linked).await, ["ch_2 o-2", "pi_1 o-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_seen_before_its_charge_moves_to_the_intents_payment_with_everything_attached() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &dispute("dp_1", json!({ "charge": "ch_1" })))]).await;
    complete(&app, "collect_evidence").await;
    let before = app.db.rows("select * from clawback_v1.order_history order by id").await;
    assert_eq!((before.len(), &before[0]["payment_id"]), (1, &json!("ch_1")));
    let belongs = json!({ "payment_intent": "pi_1", "metadata": { "order_id": "o-1" } });
    app.see(&[event("evt_2", 2, &charge("ch_1", belongs))]).await;
    assert_eq!(
        lines(&app, "select payment_id || ' ' || state as line from clawback_v1.payments").await,
        ["pi_1 disputed"]
    );
    assert_eq!(
        lines(
            &app,
            "select concat_ws(' ', dispute_id, payment_id, order_id, charge_id) as line from clawback_v1.disputes"
        )
        .await,
        ["dp_1 pi_1 o-1 ch_1"]
    );
    let expected = [
        "collect_evidence dp_1/chargeback pi_1 done",
        "hold_fulfilment dp_1/chargeback pi_1 ready",
        "warn_evidence_due dp_1/chargeback/24h/2023-11-24 pi_1 ready",
    ];
    assert_eq!(lines(&app, FOLLOW_UPS).await, expected);
    assert_eq!(app.db.value("select bool_and(order_id = 'o-1') from clawback_v1.follow_ups").await, true);
    let aliases = "select concat_ws(' ', object_id, kind, payment_id) as line from clawback.payment_objects order by 1";
    assert_eq!(lines(&app, aliases).await, ["ch_1 charge pi_1", "dp_1 dispute pi_1", "pi_1 payment_intent pi_1"]);
    let after = app.db.rows("select * from clawback_v1.order_history order by id").await;
    assert_eq!(after[..1], before[..], "history is not rewritten");
    let ends =
        json!({ "order_id": null, "from_state": "disputed", "to_state": null, "amount_disputed": 0, "hold": false });
    assert!(ends.as_object().expect("a row").iter().all(|(column, value)| after[1][column] == *value), "{}", after[1]);
    assert_eq!((&after[2]["order_id"], &after[2]["to_state"]), (&json!("o-1"), &json!("disputed")));
    assert_eq!(
        app.db.value("select bool_and(payment_id = 'pi_1') from clawback_v1.events").await,
        true,
        "the ledger follows"
    );
}

/// A charge that is a payment of its own, with follow-ups done, claimed and ready, and then its intent.
fn charge_then_intent() -> [String; 3] {
    let shown = json!({ "amount_refunded": 10_000, "refunded": true });
    [
        event("evt_1", 1, &charge("ch_1", shown)),
        event("evt_2", 2, &intent("pi_1", json!({ "latest_charge": "ch_1" }))),
        event("evt_3", 3, &refund("re_1", json!({ "charge": "ch_1", "payment_intent": "pi_1", "amount": 10_000 }))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_done_for_a_charge_are_not_repeated_for_its_intent() {
    let app = TestApp::start().await;
    let [alone, with_intent, refunded] = charge_then_intent();
    app.see(&[alone]).await;
    app.db.execute("update clawback.follow_ups set run_at = now()").await;
    complete(&app, "notify_refund").await;
    complete(&app, "cancel_fulfilment").await;
    assert_eq!(
        lines(&app, FOLLOW_UPS).await,
        ["cancel_fulfilment ch_1/ ch_1 done", "notify_refund ch_1/10000 ch_1 done"]
    );
    app.see(&[with_intent]).await;
    let moved = ["cancel_fulfilment pi_1/ pi_1 done", "notify_refund ch_1/10000 pi_1 done"];
    assert_eq!(lines(&app, FOLLOW_UPS).await, moved, "the charge's refund is still the charge's");
    app.see(&[refunded]).await;
    assert_eq!(lines(&app, FOLLOW_UPS).await.len(), 3, "the refund's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_equal_follow_ups_the_one_further_along_stays() {
    for (charges, intents, stays) in
        [("done", "ready", "done"), ("ready", "done", "done"), ("leased", "ready", "leased")]
    {
        let app = TestApp::start().await;
        // Both payments are refunded in full: each desires cancel_fulfilment.
        app.see(&[
            event("evt_1", 1, &charge("ch_1", json!({ "amount_refunded": 10_000, "refunded": true }))),
            event("evt_2", 2, &intent("pi_1", json!({}))),
            event("evt_3", 3, &refund("re_1", json!({ "payment_intent": "pi_1", "amount": 10_000 }))),
        ])
        .await;
        for (payment, state) in [("ch_1", charges), ("pi_1", intents)] {
            let set = match state {
                "done" => "state = 'done', finished_at = now()",
                "leased" => {
                    "state = 'leased', leased_until = now() + interval '1 hour', lease_token = gen_random_uuid()"
                }
                _ => "state = 'ready'",
            };
            app.db
                .execute(&format!(
                    "update clawback.follow_ups set {set} where kind = 'cancel_fulfilment' and subject = '{payment}'"
                ))
                .await;
        }
        app.see(&[event("evt_4", 4, &intent("pi_1", json!({ "latest_charge": "ch_1" })))]).await;
        let keys = app.db.rows("select key from clawback_v1.follow_ups where kind = 'cancel_fulfilment'").await;
        let first = if stays.contains(charges) && charges != intents { "ch_1" } else { "pi_1" };
        assert_eq!(keys, [json!({ "key": format!("cancel_fulfilment/{first}/") })], "a key never changes");
        let cancel: Vec<String> =
            lines(&app, FOLLOW_UPS).await.into_iter().filter(|line| line.starts_with("cancel")).collect();
        assert_eq!(cancel, [format!("cancel_fulfilment pi_1/ pi_1 {stays}")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_own_follow_ups_move_with_their_payment() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    app.db
        .execute(
            "insert into clawback.follow_ups (kind, subject, round, payment_id, payload, run_at)
             values ('stripe_refund', 's1', '', 'ch_1', '{}', now())",
        )
        .await;
    let of_order = json!({ "latest_charge": "ch_1", "metadata": { "order_id": "o_1" } });
    app.see(&[event("evt_2", 2, &intent("pi_1", of_order))]).await;
    let own = "select payment_id || ' ' || order_id as line from clawback.follow_ups where kind = 'stripe_refund'";
    assert_eq!(lines(&app, own).await, ["pi_1 o_1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_survives_the_move_of_its_payment() {
    let app = TestApp::start().await;
    let [alone, with_intent, _] = charge_then_intent();
    app.see(&[alone]).await;
    let claimed =
        app.db.rows("select * from clawback_v1.claim_follow_ups('tester', array['cancel_fulfilment'])").await.remove(0);
    app.see(&[with_intent]).await;
    let (id, token) = (&claimed["id"], claimed["lease_token"].as_str().expect("a token"));
    assert_eq!(app.db.value(&format!("select clawback_v1.complete_follow_up({id}, '{token}')")).await, true);
    assert_eq!(lines(&app, FOLLOW_UPS).await[0], "cancel_fulfilment pi_1/ pi_1 done");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_named_no_payment_joins_the_one_it_names_later() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_1", 1, &charge("ch_1", json!({ "payment_intent": "pi_1", "metadata": { "order_id": "o-1" } }))),
        event("evt_2", 2, &refund("re_1", json!({}))),
    ])
    .await;
    complete(&app, "notify_refund").await;
    assert_eq!(app.db.value("select amount_refunded from clawback_v1.orders").await, 0);
    app.see(&[event("evt_3", 3, &refund("re_1", json!({ "payment_intent": "pi_1" })))]).await;
    assert_eq!(
        lines(
            &app,
            "select concat_ws(' ', refund_id, payment_id, order_id, charge_id) as line from clawback_v1.refunds"
        )
        .await,
        ["re_1 pi_1 o-1 ch_1"]
    );
    assert_eq!(lines(&app, FOLLOW_UPS).await, ["notify_refund re_1/ pi_1 done"]);
    assert_eq!(app.db.value("select amount_refunded from clawback_v1.orders").await, 1_000);
    assert_eq!(app.db.value("select count(*) from clawback.payments").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_payments_merge_within_one_batch_and_across_two() {
    let events = [
        event("evt_1", 1, &dispute("dp_1", json!({ "charge": "ch_1" }))),
        event("evt_2", 2, &refund("re_1", json!({ "payment_intent": "pi_1" }))),
        event("evt_3", 3, &charge("ch_1", json!({ "payment_intent": "pi_1" }))),
        event("evt_4", 4, &dispute("dp_1", json!({ "charge": "ch_1", "status": "won" }))),
    ];
    let (one_by_one, at_once) = (TestApp::start().await, TestApp::start().await);
    for body in &events {
        one_by_one.see(std::slice::from_ref(body)).await;
    }
    let held = at_once.db.hold_batches().await;
    at_once.take_in(&events).await;
    held.commit().await.expect("a commit");
    at_once.db.settle().await;
    for query in [
        "select payment_id, state, amount_paid, amount_refunded from clawback_v1.payments order by payment_id",
        "select dispute_id, payment_id, status, outcome from clawback_v1.disputes",
        "select refund_id, payment_id, charge_id from clawback_v1.refunds",
        "select object_id, payment_id from clawback.payment_objects order by object_id",
        "select order_id, payment_id, from_state, to_state, event_id from clawback_v1.order_history order by id",
        "select event_id, payment_id, state from clawback_v1.events order by event_id",
        "select kind, subject, round, payment_id from clawback_v1.follow_ups
         where wanted order by kind, subject, round",
    ] {
        let rows = at_once.db.rows(query).await;
        assert!(!rows.is_empty(), "{query}");
        assert_eq!(rows, one_by_one.db.rows(query).await, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_linked_later_shows_both_in_the_history() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_1", 1, &charge("ch_1", json!({ "payment_intent": "pi_1" }))),
        event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1", "payment_intent": "pi_1" }))),
    ])
    .await;
    assert_eq!(app.db.value("select count(*) from clawback_v1.orders").await, 0);
    complete(&app, "notify_refund").await;
    app.see(&[event("evt_3", 3, &session("cs_1", json!({ "payment_intent": "pi_1", "client_reference_id": "o-1" })))])
        .await;
    let history = "select concat_ws(' ', id, coalesce(order_id, '-'), payment_id, coalesce(from_state, '-'),
                                    coalesce(to_state, '-'), event_id) as line
                   from clawback_v1.order_history order by id";
    let expected = [
        "1 - pi_1 - paid evt_1",
        "2 - pi_1 paid partially_refunded evt_2",
        "3 - pi_1 partially_refunded - evt_3",
        "4 o-1 pi_1 - partially_refunded evt_3",
    ];
    assert_eq!(lines(&app, history).await, expected);
    assert_eq!(
        app.db.value("select order_id from clawback_v1.follow_ups").await,
        "o-1",
        "even what is done tells its order"
    );
    assert_eq!(app.db.value("select order_id from clawback_v1.refunds").await, "o-1");
    // The intent's metadata takes precedence over the session's reference, so the order changes.
    app.see(&[event("evt_4", 4, &intent("pi_1", json!({ "metadata": { "order_id": "o-2" } })))]).await;
    assert_eq!(
        lines(&app, "select order_id || ' ' || state as line from clawback_v1.orders").await,
        ["o-2 partially_refunded"]
    );
    assert_eq!(
        lines(&app, history).await[4..],
        ["5 o-1 pi_1 partially_refunded - evt_4", "6 o-2 pi_1 - partially_refunded evt_4"],
        "whoever keeps a mirror by reference alone ends with what is"
    );
    assert_eq!(app.db.value("select order_id from clawback_v1.follow_ups").await, "o-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_a_row_for_each_account_mode_and_currency() {
    let app = TestApp::start().await;
    let of = |id: &str, currency: &str, amount: i64| {
        let paid = json!({ "currency": currency, "amount": amount, "amount_captured": amount });
        charge(id, with(paid, json!({ "metadata": { "order_id": "o-1" } })))
    };
    let in_account = |account: Value, live: bool| json!({ "account": account, "livemode": live });
    app.see(&[
        event("evt_1", 1, &of("ch_1", "eur", 100)),
        event("evt_2", 1, &of("ch_2", "EUR", 200)),
        event("evt_3", 1, &of("ch_3", "usd", 400)),
        event_with("evt_4", 1, &of("ch_4", "eur", 800), in_account(json!("acct_1"), false)),
        event_with("evt_5", 1, &of("ch_5", "eur", 1_600), in_account(json!("acct_2"), false)),
        event_with("evt_6", 1, &of("ch_6", "eur", 3_200), in_account(Value::Null, true)),
        event("evt_7", 1, &refund("re_1", json!({ "charge": "ch_3", "currency": "usd", "amount": 400 }))),
    ])
    .await;
    let orders = "select concat_ws(' ', coalesce(account, '-'), livemode, currency, amount_paid, state) as line
                  from clawback_v1.orders order by amount_paid";
    let expected = [
        "- f eur 300 paid",
        "- f usd 400 refunded",
        "acct_1 f eur 800 paid",
        "acct_2 f eur 1600 paid",
        "- t eur 3200 paid",
    ];
    assert_eq!(lines(&app, orders).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payments_of_an_order_add_up() {
    let app = TestApp::start().await;
    let of = |intent: &str| json!({ "payment_intent": intent, "metadata": { "order_id": "o-1" } });
    let due = |day: i64| json!({ "due_by": crate::bodies::T0 + day * crate::bodies::DAY });
    app.see(&[
        event("evt_1", 1, &charge("ch_1", of("pi_1"))),
        event("evt_2", 1, &charge("ch_2", of("pi_2"))),
        event("evt_3", 1, &charge("ch_3", of("pi_3"))),
        event("evt_4", 1, &refund("re_1", json!({ "charge": "ch_1", "amount": 10_000 }))),
        event("evt_5", 1, &dispute("dp_2", json!({ "charge": "ch_2", "amount": 4_000, "evidence_details": due(9) }))),
        event("evt_6", 1, &dispute("dp_3", json!({ "charge": "ch_3", "amount": 3_000, "evidence_details": due(8) }))),
        event("evt_7", 1, &dispute("dp_4", json!({ "charge": "ch_3", "amount": 2_000, "status": "lost" }))),
    ])
    .await;
    let order = app.db.rows("select * from clawback_v1.orders").await;
    assert_eq!(order.len(), 1);
    let sums = ["amount_paid", "amount_refunded", "amount_disputed", "amount_lost", "open_disputes"]
        .map(|column| order[0][column].as_i64());
    assert_eq!(sums, [30_000, 10_000, 7_000, 2_000, 2].map(Some));
    assert_eq!((&order[0]["state"], &order[0]["hold"]), (&json!("disputed"), &json!(true)));
    assert_eq!(order[0]["evidence_due_by"], "2023-11-22T22:13:20+00:00", "the nearest deadline");
    app.see(&["2", "3"].map(|n| {
        let won = json!({ "charge": format!("ch_{n}"), "amount": 4_000, "status": "won" });
        event(&format!("evt_won_{n}"), 9, &dispute(&format!("dp_{n}"), won))
    }))
    .await;
    let closed = app
        .db
        .rows("select state, hold, open_disputes, amount_disputed, evidence_due_by from clawback_v1.orders")
        .await;
    let expected = json!({ "state": "partially_charged_back", "hold": false, "open_disputes": 0, "amount_disputed": 0,
        "evidence_due_by": null });
    assert_eq!(closed, [expected]);
}

/// Only sums are read of the payments that a batch does not load, and an unknown amount must not become 0.
#[tokio::test(flavor = "multi_thread")]
async fn the_amount_paid_of_an_order_is_unknown_while_no_payment_of_it_is_known() {
    let app = TestApp::start().await;
    app.db.execute("select clawback_v1.link_payment('pi_1', 'o-1'), clawback_v1.link_payment('pi_2', 'o-1')").await;
    for n in [1, 2] {
        let refund = refund(&format!("re_{n}"), json!({ "payment_intent": format!("pi_{n}") }));
        app.see(&[event(&format!("evt_{n}"), n, &refund)]).await;
    }
    let order = "select amount_paid, amount_refunded, state from clawback_v1.orders";
    let unknown = json!({ "amount_paid": null, "amount_refunded": 2_000, "state": "partially_refunded" });
    assert_eq!(app.db.rows(order).await, [unknown]);
    app.see(&[event("evt_3", 3, &charge("ch_1", json!({ "payment_intent": "pi_1" })))]).await;
    let known = json!({ "amount_paid": 10_000, "amount_refunded": 2_000, "state": "partially_refunded" });
    assert_eq!(app.db.rows(order).await, [known]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_names_its_charge_first_and_only_its_intent_later_takes_its_follow_ups_along() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &dispute("dp_1", json!({ "charge": "ch_1" })))]).await;
    app.see(&[event("evt_2", 2, &dispute("dp_1", json!({ "payment_intent": "pi_1", "status": "lost" })))]).await;
    assert_eq!(lines(&app, "select payment_id as line from clawback_v1.payments").await, ["pi_1"]);
    let expected = [
        "collect_evidence dp_1/chargeback pi_1 cancelled",
        "hold_fulfilment dp_1/chargeback pi_1 cancelled",
        "record_dispute_lost dp_1/ pi_1 ready",
        "warn_evidence_due dp_1/chargeback/24h/2023-11-24 pi_1 cancelled",
    ];
    assert_eq!(lines(&app, FOLLOW_UPS).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_left_under_a_merged_id_return_with_their_dispute() {
    let app = TestApp::start().await;
    let step = async |n: i64, status: &str, named: Value| {
        let dispute = dispute("dp_1", with(named, json!({ "status": status })));
        app.see(&[event(&format!("evt_{n}"), n, &dispute)]).await;
    };
    step(1, "needs_response", json!({ "charge": "ch_1" })).await;
    step(2, "under_review", json!({ "charge": "ch_1" })).await;
    step(3, "under_review", json!({ "payment_intent": "pi_1" })).await;
    step(4, "needs_response", json!({ "payment_intent": "pi_1" })).await;
    let states = app.db.rows("select event_id, state from clawback_v1.events where state <> 'processed'").await;
    assert_eq!(states, Vec::<Value>::new());
    let asked = "select kind, payment_id, state from clawback_v1.follow_ups where wanted order by kind";
    let asked: Vec<String> = app.db.rows(asked).await.iter().map(ToString::to_string).collect();
    assert!(asked.len() == 3 && asked.iter().all(|row| row.contains("pi_1") && row.contains("ready")), "{asked:?}");
}
