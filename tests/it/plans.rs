//! Promise: no statement of the service or of a consumer reads a whole table that grows, with statistics or without.
//!
//! Found by running: a server of the test's own logs the plan of every statement, also of those inside functions.

use std::collections::BTreeSet;
use std::fs;

use clawback::dev::local_postgres::{Durability, LocalPostgres, Options};
use clawback::dev::stories::all;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::double_world::World;
use crate::harness::{Database, SECRET, TestApp, options, tell};
use crate::refund_shop::{Shop, acting};

/// Tables that stay small, and why.
const SMALL: [(&str, &str); 9] = [
    ("settings", "one row"),
    ("migrations", "a row for each migration"),
    ("processors", "a row for each replica"),
    ("api_keys", "a row for each mode"),
    ("api_accounts", "a row for each connected account and mode"),
    ("syncs", "a row for each connected account and mode"),
    ("retention", "a row for each kind of removal"),
    ("pending_events", "a queue: its rows are deleted"),
    ("rebuilds", "a queue: its rows are deleted"),
];

/// Copies the rows of the tables that grow under other ids, until each table that has any has some thousands. What is open
/// is closed in the copies, as most of a grown database is.
const COPIES: &str = r#"
do $$
declare
    t record;
    names text;
    copied text;
    rows integer;
begin
    set local session_replication_role = replica;
    for t in select oid, relname from pg_class
        where relnamespace = 'clawback'::regnamespace and relkind = 'r' and relname <> all (string_to_array('SMALL', ','))
    loop
        select string_agg(quote_ident(attname), ', '),
               string_agg(case
                   when atttypid = 'text'::regtype and (attname ~ '_id$' or attname in ('subject', 'key'))
                       then format('%I || ''-'' || n', attname)
                   when attname in ('id', 'seq') and atttypid = 'bigint'::regtype then format('%I + n * 1000000', attname)
                   when attname = 'id' then 'gen_random_uuid()'
                   else quote_ident(attname) end, ', ')
        into names, copied
        from pg_attribute where attrelid = t.oid and attnum > 0 and not attisdropped and attgenerated = '';
        execute format('select count(*) from clawback.%I', t.relname) into rows;
        execute format('insert into clawback.%I (%s) overriding system value select %s from clawback.%1$I, generate_series(1, %4$s) n',
            t.relname, names, copied, 4000 / greatest(1, rows));
    end loop;
    update clawback.follow_ups set state = 'done', finished_at = now() where id > 1000000 and state = 'ready';
    update clawback.api_calls set state = 'done', finished_at = now() where id > 1000000 and state = 'ready';
    update clawback.refunds set status = 'succeeded' where refund_id ~ '-[0-9]+$' and status in ('pending', 'requires_action');
    update clawback.payments set evidence_due_by = null where payment_id ~ '-[0-9]+$';
    update clawback.disputes set can_respond = false,
        outcome = case phase when 'inquiry' then 'warning_closed' when 'prevention' then 'prevented' else 'lost' end
    where dispute_id ~ '-[0-9]+$' and outcome is null;
end $$"#;

/// What consumers do with follow-ups of every kind.
const CONSUME: &str = "
do $$
declare
    f record;
begin
    for f in select * from clawback_v1.claim_follow_ups('tester', array['notify_refund', 'cancel_fulfilment', 'hold_fulfilment',
        'collect_evidence', 'warn_evidence_due', 'resolve_failed_refund'], 40)
    loop
        case f.id % 5
            when 0 then perform clawback_v1.complete_follow_up(f.id, f.lease_token);
            when 1 then perform clawback_v1.fail_follow_up(f.id, f.lease_token, 'no answer');
            when 2 then perform clawback_v1.snooze_follow_up(f.id, f.lease_token, now() + interval '1 hour');
            when 3 then perform clawback_v1.give_up_follow_up(f.id, f.lease_token, 'no such order');
            else perform clawback_v1.extend_follow_up(f.id, f.lease_token, '1 minute');
        end case;
    end loop;
end $$";

#[tokio::test(flavor = "multi_thread")]
async fn no_hot_statement_scans_a_table_that_grows_with_statistics_or_without() {
    let postgres = LocalPostgres::start(&Options::from_env(Durability::FsyncOff)).await.expect("Postgres starts");
    let db = Database::on(&postgres, "plans").await;
    db.execute("alter system set autovacuum = off").await;
    db.execute("select pg_reload_conf()").await;
    let mut shop = open(&db, World::start().await).await;
    fill(&shop).await;
    shop.app.stop().await.expect("a clean end");
    for (setting, value) in [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_nested_statements", "on"),
    ] {
        db.execute(&format!("alter database plans set {setting} = '{value}'")).await;
    }
    let mut shop = open(&db, shop.world).await;
    let watched = watched(&db).await;
    let mut found = Vec::new();
    for (statistics, prepare) in [("never analysed", "select"), ("analysed", "analyze")] {
        db.execute(prepare).await;
        let before = plans(&postgres).len();
        work(&shop, prepare).await;
        let scans: BTreeSet<_> = plans(&postgres).iter().skip(before).flat_map(|plan| scans(plan, &watched)).collect();
        let said =
            scans.into_iter().map(|(table, statement)| format!("{statistics}: {table} is scanned by\n{statement}"));
        found.extend(said);
    }
    shop.app.stop().await.expect("a clean end");
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// Orders of every story and an answered dispute, and many copies of their rows.
async fn fill(shop: &Shop) {
    let db = &shop.app.db;
    for story in all() {
        for order in 1..=3 {
            shop.app.deliver_all(&tell(story.name, &format!("{}-{order}", story.name))).await;
        }
    }
    work(shop, "first").await;
    db.execute(
        "insert into clawback.object_reads select refund_id, now() - interval '1 day' from clawback.refunds limit 10",
    )
    .await;
    let small = SMALL.map(|(table, _)| table).join(",");
    db.execute(&COPIES.replace("SMALL", &small)).await;
}

/// The tables that grow and have rows enough for a scan to cost more than an index.
async fn watched(db: &Database) -> BTreeSet<String> {
    let mut watched = BTreeSet::new();
    for row in db.rows("select tablename from pg_tables where schemaname = 'clawback'").await {
        let table = row["tablename"].as_str().expect("a name");
        let is_small = SMALL.iter().any(|(small, _)| *small == table);
        if !is_small && db.value(&format!("select count(*) >= 2000 from clawback.{table}")).await == true {
            watched.insert(table.to_owned());
        }
    }
    for table in ["events", "payments", "orders", "refunds", "disputes", "follow_ups", "api_calls", "refund_requests"] {
        assert!(watched.contains(table), "{table} was not filled: {watched:?}");
    }
    watched
}

/// A service with a key, and the double of Stripe that it acts on.
async fn open(db: &Database, world: World) -> Shop {
    let acting = acting(&world);
    let app = TestApp::start_on(db.again(), |service| service.acting = acting).await;
    app.ready().await;
    db.until("select exists (select from clawback.api_keys)").await;
    let endpoint = json!({ "url": format!("{}/webhooks/stripe", app.url), "secrets": [SECRET], "scope": "account",
        "payload": "snapshot", "enabled_events": ["*"] });
    world.control("webhooks", endpoint).await;
    Shop { world, app }
}

/// Everything that is hot: intake, batches, rebuilds, calls to Stripe, consumers, metrics.
async fn work(shop: &Shop, run: &str) {
    let db = &shop.app.db;
    for story in all() {
        shop.app.deliver_all(&tell(story.name, &format!("{}-{run}", story.name))).await;
    }
    let (order, key) = (format!("paid-by-card-{run}"), format!("return-{run}"));
    shop.pay(&order, "5000", "pm_card_visa").await;
    let request = shop.request(&order, &key, "1000").await;
    shop.until(&request, "succeeded").await;
    db.execute(&format!(
        "insert into clawback.rebuilds (payment_id) select payment_id from clawback.payments where order_id = '{order}'"
    ))
    .await;
    db.until("select not exists (select from clawback.rebuilds)").await;
    db.settle().await;
    let mut consumer = PgConnection::connect_with(&options(&db.url)).await.expect("a connection");
    for _ in 0..3 {
        sqlx::raw_sql("select clawback.reap_follow_ups()").execute(&mut consumer).await.expect("leases");
        sqlx::raw_sql(CONSUME).execute(&mut consumer).await.expect("follow-ups");
    }
    let charge = shop.pay(&format!("disputed-{run}"), "7000", "pm_card_createDispute").await;
    let dispute = format!("select dispute_id from clawback_v1.disputes where charge_id = '{charge}'");
    db.until(&format!("select exists ({dispute})")).await;
    db.execute(&format!(
        "select clawback_v1.stage_evidence(({dispute}), '{{\"uncategorized_text\": \"It was sent\"}}')"
    ))
    .await;
    db.settle().await;
    let metrics = shop.app.client.get(format!("{}/metrics", shop.app.admin_url)).send().await.expect("an answer");
    assert_eq!(metrics.status(), 200);
}

/// The plans in the server's log, each with its statement.
fn plans(postgres: &LocalPostgres) -> Vec<String> {
    let log = fs::read_to_string(postgres.log_file()).expect("a log");
    let mut entries: Vec<String> = Vec::new();
    for line in log.lines() {
        match (line.starts_with('\t'), entries.last_mut()) {
            (true, Some(entry)) => *entry = format!("{entry}\n{line}"),
            _ => entries.push(line.to_owned()),
        }
    }
    entries.retain(|entry| entry.contains(" plan:"));
    entries
}

/// The tables that a plan scans whole, of those watched, each with the statement.
fn scans(plan: &str, watched: &BTreeSet<String>) -> Vec<(String, String)> {
    let statement = plan.lines().skip(1).take_while(|line| !line.contains("(cost=")).collect::<Vec<_>>().join("\n");
    let scanned =
        plan.lines().filter(|line| line.contains("(cost=")).filter_map(|line| line.split("Seq Scan on ").nth(1));
    let tables = scanned.filter_map(|rest| rest.split(' ').next()).filter(|table| watched.contains(*table));
    tables.map(|table| (table.to_owned(), statement.clone())).collect()
}
