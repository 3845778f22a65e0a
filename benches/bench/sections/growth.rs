//! A database with five million events, and one with a very large payment and a very large order.

use std::sync::Arc;

use anyhow::{Context, ensure};
use sqlx::AssertSqlSafe;

use super::Bench;
use super::drain::{Backlog, Drained, drain, drain_in};
use crate::corpus::Corpus;
use crate::report::Target::AtLeast;
use crate::report::median;
use crate::world::{Database, Template};

/// The tables that processing fills.
const TABLES: [&str; 10] = [
    "events",
    "event_payloads",
    "orders",
    "payments",
    "payment_objects",
    "refunds",
    "disputes",
    "people",
    "order_history",
    "follow_ups",
];

/// One in this many new payments belongs to the large order, and brings one more event of the large payment.
const HEAVY_ONE_IN: usize = 20;

/// Events for each payment of the large order, including the one of the large payment.
const EVENTS_EACH: usize = 5;

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let about = "speed beside that on an empty database, and with one large payment and one large order";
    bench.report.section("growth", about);
    let mut grown = bench.world.database(Template::Migrated).await?;
    process(bench, &mut grown).await?;
    grow(bench, &mut grown).await?;
    let usual = std::mem::take(&mut bench.corpus);
    compare(bench, &mut grown, "large / empty", None).await?;
    bench.world.drop_database(grown).await?;

    let mut heavy = bench.world.database(Template::Migrated).await?;
    bench.corpus = Arc::new(Corpus::tell(bench.sizes.heavy * EVENTS_EACH, 1_000, Some(1)));
    process(bench, &mut heavy).await?;
    report_heavy(bench, &mut heavy).await?;
    compare(bench, &mut heavy, "heavy payment and order / without", Some(HEAVY_ONE_IN)).await?;
    bench.corpus = usual;
    bench.world.drop_database(heavy).await
}

/// Stores and processes the whole corpus.
async fn process(bench: &mut Bench, database: &mut Database) -> anyhow::Result<Drained> {
    drain_in(bench, database, Backlog::default()).await
}

/// Copies all rows under new ids until there are enough events.
async fn grow(bench: &mut Bench, database: &mut Database) -> anyhow::Result<()> {
    let copies = (bench.sizes.stored / bench.corpus.events()).saturating_sub(1);
    // Without triggers and foreign keys: the rows copied passed them.
    execute(database, "set session_replication_role = replica").await?;
    for table in TABLES {
        let copy = copy(database, table, copies).await?;
        execute(database, &copy).await?;
    }
    execute(database, "vacuum (analyze)").await?;
    execute(database, "checkpoint").await?;
    report_size(bench, database).await
}

/// Reports the size of the database, and what an event takes of it, table by table with their indexes.
async fn report_size(bench: &mut Bench, database: &mut Database) -> anyhow::Result<()> {
    let events = database.count("select count(*) from clawback.events").await? as f64;
    let payments = database.count("select count(*) from clawback.payments").await? as f64;
    let bytes = database.count("select pg_database_size(current_database())").await? as f64;
    let figures = [("events", events, ""), ("payments", payments, ""), ("size", bytes / 1e9, "GB")];
    bench.report.figures("large", &figures);
    let size = "select pg_total_relation_size(('clawback.' || $1)::regclass)";
    let mut sizes = Vec::new();
    for table in TABLES {
        let bytes: i64 = sqlx::query_scalar(size).bind(table).fetch_one(&mut database.conn).await?;
        sizes.push((table, bytes as f64 / events, "B"));
    }
    bench.report.figures("for each event", &sizes);
    Ok(())
}

/// A statement that copies all rows of a table a number of times. Ids get a suffix; generated columns are omitted.
async fn copy(database: &mut Database, table: &str, copies: usize) -> anyhow::Result<String> {
    let statement = r"
        select format('insert into clawback.%I (%s) select %s from clawback.%I t cross join generate_series(1, %s) n',
                      $1::text, string_agg(quote_ident(column_name), ', '), string_agg(value, ', '), $1::text, $2::text)
        from information_schema.columns
        cross join lateral (select format(case
            when data_type = 'text' and (column_name like '%\_id' or column_name in ('subject', 'key'))
                then 't.%I || ''_'' || n' else 't.%I' end, column_name) as value) copied
        where table_schema = 'clawback' and table_name = $1::text and is_identity = 'NO' and is_generated = 'NEVER'";
    let row = sqlx::query_scalar(statement).bind(table).bind(copies.to_string()).fetch_one(&mut database.conn);
    row.await.with_context(|| format!("cannot read the columns of {table}"))
}

async fn report_heavy(bench: &mut Bench, database: &mut Database) -> anyhow::Result<()> {
    let payments = "select max(n) from (select count(*) as n from clawback.payments group by order_id) t";
    let events = "select max(n) from (select count(*) as n from clawback.events group by payment_id) t";
    let (payments, events) = (database.count(payments).await?, database.count(events).await?);
    let least = bench.sizes.heavy as i64;
    ensure!(payments >= least && events >= least, "{payments} payments and {events} events are fewer than {least}");
    let figures = [("events of one payment", events as f64, ""), ("payments of one order", payments as f64, "")];
    bench.report.figures("heavy", &figures);
    Ok(())
}

/// Stores and processes new events, alternately on an empty database and on this one. `heavy`, on this one only: one
/// payment in that number belongs to the large order.
async fn compare(bench: &mut Bench, database: &mut Database, name: &str, heavy: Option<usize>) -> anyhow::Result<()> {
    let mut rounds = Vec::new();
    for round in 0..bench.sizes.rounds as u64 {
        let events = bench.sizes.events / 2;
        let backlog = Backlog::default();
        bench.corpus = Arc::new(Corpus::tell(events, 2_000 + round, None));
        let empty = drain(bench, backlog).await?;
        bench.corpus = Arc::new(Corpus::tell(events, 3_000 + round, heavy));
        let other = drain_in(bench, database, backlog).await?;
        rounds.push((other, empty));
    }
    let accepted = median(&rounds, |(other, empty)| other.accepted / empty.accepted);
    let drained = median(&rounds, |(other, empty)| other.per_second / empty.per_second);
    bench.report.judge(&format!("{name}: accepted"), accepted, "x", AtLeast(0.8));
    bench.report.judge(&format!("{name}: drained"), drained, "x", AtLeast(0.8));
    Ok(())
}

async fn execute(database: &mut Database, statement: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut database.conn).await.context(statement.to_owned())?;
    Ok(())
}
