//! Promise: every list can be paged in both directions, meets every row exactly once while others are added, and is read
//! from an index however long it is.

use clawback::store::queries::{self, Edge, Page, Whose};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::harness::Database;

/// Rows `$1` to `$2` of every list. Later ones stand before earlier ones; three at a time share their time.
const ROWS: [&str; 7] = [
    "insert into clawback.orders (order_id, account, livemode, currency, state, amount_paid, amount_refunded,
         amount_disputed, amount_lost, hold, open_disputes, updated_at)
     select 'o_' || i, '', false, 'eur', 'pending', 0, 0, 0, 0, false, 0, at from rows",
    "insert into clawback.payments (payment_id, orphan, account, livemode, currency, amount_paid, amount_refunded,
         amount_disputed, amount_lost, state, hold, open_disputes, facts, updated_at)
     select 'pi_' || i, false, '', false, 'eur', 0, 0, 0, 0, 'pending', false, 0, '{}', at from rows",
    "insert into clawback.refunds (refund_id, payment_id, amount, currency, status, created_at)
     select 're_' || i, 'pi_' || i, 1, 'eur', 'pending', at from rows",
    "insert into clawback.disputes (dispute_id, payment_id, amount, currency, status, phase, outcome, evidence_due_by,
         has_evidence, past_due, submission_count, amount_withdrawn, amount_reinstated, fee, created_at)
     select 'dp_' || i, 'pi_' || i, 1, 'eur', 'lost', 'chargeback', case when i % 2 = 0 then 'lost' end,
         case when i % 4 > 1 then '2090-01-01'::timestamptz - i * interval '1 day' end, false, false, 0, 0, 0, 0, at
     from rows",
    "insert into clawback.follow_ups (kind, subject, round, key, payload, run_at)
     select 'notify_refund', 're_' || i, '', 'key ' || i, '{}', at from rows",
    "insert into clawback.refund_requests (id, request_key, payment_id, source_id, account, livemode, currency, amount,
         created_at)
     select gen_random_uuid(), i, 'pi_' || i, 'ch_' || i, '', false, 'eur', 1, at from rows",
    "insert into clawback.events (event_id, type, received_at) select 'evt_' || i, 'charge.succeeded', at from rows;
     insert into clawback.actions (actor, role, via, action, subject_kind, subject)
     select 'anna', 'r', 'console', 'replay', 'event', 'evt_' || i from rows",
];

async fn add(db: &Database, from: usize, to: usize) {
    let rows = format!(
        "create temporary view rows as select i, '2026-01-01'::timestamptz + i / 3 * interval '1 minute' as at
         from generate_series({from}, {to}) i;"
    );
    db.execute(&format!("{rows} {}; drop view rows", ROWS.join(";\n"))).await;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Orders,
    Payments,
    Refunds,
    Disputes,
    FollowUps,
    Requests,
    Events,
    Activity,
}

impl List {
    const ALL: [Self; 8] = [
        Self::Orders,
        Self::Payments,
        Self::Refunds,
        Self::Disputes,
        Self::FollowUps,
        Self::Requests,
        Self::Events,
        Self::Activity,
    ];

    /// The ids of a page.
    async fn read(self, conn: &mut PgConnection, page: &Page) -> Vec<String> {
        macro_rules! ids {
            ($list:ident, $row:ident => $id:expr) => {
                queries::$list(conn, &Default::default(), page).await.expect("a page").iter().map(|$row| $id).collect()
            };
        }
        match self {
            Self::Orders => ids!(orders, row => row.order_id.clone()),
            Self::Payments => ids!(payments, row => row.payment_id.clone()),
            Self::Refunds => ids!(refunds, row => row.refund_id.clone()),
            Self::Disputes => ids!(disputes, row => row.dispute_id.clone()),
            Self::FollowUps => ids!(follow_ups, row => row.id.to_string()),
            Self::Requests => ids!(refund_requests, row => row.id.to_string()),
            Self::Events => ids!(events, row => row.event_id.clone()),
            Self::Activity => ids!(activity, row => row.id.to_string()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_walked_forth_and_back_while_rows_are_added() {
    let db = Database::migrated().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    add(&db, 1, 20).await;
    let mut added = 20;
    for list in List::ALL {
        let before = list.read(&mut conn, &Page::first(1_000)).await;
        let mut forth: Vec<String> = Vec::new();
        loop {
            let from = forth.last().cloned().map(Edge::After);
            let rows = list.read(&mut conn, &Page { from, limit: 3 }).await;
            if rows.is_empty() {
                break;
            }
            forth.extend(rows);
            // Disputes without a deadline stand behind those with one: there, rows are added on the way back only.
            if list != List::Disputes {
                added += 1;
                add(&db, added, added).await;
            }
        }
        assert_eq!(forth, before, "{list:?} forth");
        let mut back = vec![forth.last().expect("rows").clone()];
        loop {
            let from = Some(Edge::Before(back[0].clone()));
            let rows = list.read(&mut conn, &Page { from, limit: 3 }).await;
            if rows.is_empty() {
                break;
            }
            back.splice(0..0, rows);
        }
        assert_eq!(back, list.read(&mut conn, &Page::first(1_000)).await, "{list:?} back");
        for edge in [Edge::After("no such id".to_owned()), Edge::Before("no such id".to_owned())] {
            let nowhere = list.read(&mut conn, &Page { from: Some(edge), limit: 3 }).await;
            assert_eq!(nowhere, Vec::<String>::new(), "{list:?}");
        }
    }
}

/// How Postgres reads the first rows of a list of 20,000 rows, and those after and before one.
#[tokio::test(flavor = "multi_thread")]
async fn no_list_sorts_or_scans_its_table() {
    let db = Database::migrated().await;
    add(&db, 1, 20_000).await;
    db.execute("analyze").await;
    for (view, order, key) in [
        ("events", "received_at desc, event_id desc", "(received_at, event_id) < ('2026-01-03', 'evt_9')"),
        ("events", "received_at, event_id", "(received_at, event_id) > ('2026-01-03', 'evt_9')"),
        ("follow_ups", "id desc", "id < 9000"),
        ("follow_ups", "id", "id > 9000"),
        ("follow_ups", "id desc", "subject = 're_9'"),
        ("actions", "id desc", "id < 9000"),
        ("actions", "id desc", "actor = 'boris'"),
        ("actions", "id desc", "action = 'log_in'"),
        ("orders", "updated_at desc, order_id desc", "(updated_at, order_id) < ('2026-01-03', 'o_9')"),
        ("refunds", "created_at desc, refund_id desc", "(created_at, refund_id) < ('2026-01-03', 're_9')"),
        ("refund_requests", "created_at desc, id desc", "created_at < '2026-01-03'"),
        (
            "disputes",
            "outcome is not null, coalesce(evidence_due_by, 'infinity'), dispute_id",
            "(outcome is not null, coalesce(evidence_due_by, 'infinity'), dispute_id) > (false, '2080-01-01', '')",
        ),
        ("orders", "order_id using ~<~", "order_id ~>=~ 'o_19' and order_id ~<~ ('o_19' || chr(1114111))"),
    ] {
        let query = format!("explain select * from clawback_v1.{view} where {key} order by {order} limit 50");
        let plan: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(query.as_str())).fetch_all(&db.pool).await.expect(&query);
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan on ") || plan.contains("Seq Scan on unvouched_events"), "{query}\n{plan}");
        assert!(plan.contains("Index"), "{query}\n{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_their_whole_address_and_orders_by_how_they_begin() {
    let db = Database::migrated().await;
    add(&db, 1, 30).await;
    db.execute(
        "insert into clawback.payment_objects (object_id, payment_id) select 'ch_' || i, 'pi_' || i from generate_series(1, 3) i;
         insert into clawback.people (object_id, seen_at, event_id, email, name)
         values ('ch_1', 1, 'evt_1', 'Anna@Example.com', 'Anna'), ('ch_2', 1, 'evt_2', 'anna@example.com', 'Anna'),
                ('ch_3', 1, 'evt_3', 'joanna@example.com', 'Joanna')",
    )
    .await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let mut people = async |whose| {
        let found = queries::people(&mut conn, whose).await.expect("people");
        found.into_iter().map(|person| person.payment_id).collect::<Vec<_>>()
    };
    assert_eq!(
        people(Whose::Email("ANNA@example.com")).await,
        ["pi_2", "pi_1"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>()
    );
    for nobody in ["anna@example", "%", "anna_example.com", ""] {
        assert!(people(Whose::Email(nobody)).await.is_empty(), "{nobody}");
    }
    assert_eq!(people(Whose::Payment("pi_3")).await, ["pi_3"]);
    let found = queries::orders_beginning_with(&mut conn, "o_1", 4).await.expect("orders");
    assert_eq!(found, ["o_1", "o_10", "o_11", "o_12"]);
    assert!(queries::orders_beginning_with(&mut conn, "o%", 20).await.expect("orders").is_empty());
}
