//! Promise: functions and operators that others put where names are looked up run with their own rights only.
//!
//! Postgres prefers whatever fits the arguments exactly, in any schema of the search path: a role that may create in
//! `public` could have the service or the owner run its code (CVE-2018-1058).

use std::time::Duration;

use clawback::dev::stories::Cast;
use clawback::retention::Ages;
use sqlx::{AssertSqlSafe, PgPool};

use crate::binary::run;
use crate::double_world::World;
use crate::harness::{Database, TestApp, options, tell_with};
use crate::privileges::role;
use crate::refund_shop::acting;

/// Creates in schema public, for each function and operator of the server that takes any type, one that takes exactly
/// these, and each operator that the server lacks for them. All of them raise an error.
const PLANT: &str = r"
do $plant$
declare
    kinds text[] := '{text,bigint,integer,boolean,timestamptz,uuid,jsonb,float8,numeric,interval,date}';
    kind text;
    other text;
    planted record;
    n bigint := 0;
begin
    foreach kind in array kinds loop
        for planted in
            select p.proname, p.proretset, l.arguments, l.result
            from pg_proc p
            cross join lateral (
                select string_agg(case
                           when a.t in ('anyarray'::regtype, 'anycompatiblearray'::regtype) then kind || '[]'
                           when a.t::regtype::text like 'any%' then kind
                           else a.t::regtype::text end, ', ' order by a.n) as arguments,
                       case when p.prorettype in ('anyarray'::regtype, 'anycompatiblearray'::regtype) then kind || '[]'
                           when p.prorettype::regtype::text like 'any%' then kind
                           else p.prorettype::regtype::text end as result,
                       bool_or(a.t in ('anyarray'::regtype, 'anyelement'::regtype, 'anycompatible'::regtype,
                           'anycompatiblearray'::regtype, 'anynonarray'::regtype)) as is_generic,
                       bool_or(a.t in ('internal'::regtype, 'anyrange'::regtype, 'anymultirange'::regtype,
                           'anyenum'::regtype, 'anycompatiblerange'::regtype, 'anycompatiblemultirange'::regtype)) as is_other
                from unnest(p.proargtypes) with ordinality as a (t, n)) l
            where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and p.provariadic = 0 and l.is_generic
                and not l.is_other and p.prorettype not in ('internal'::regtype, 'cstring'::regtype, 'void'::regtype)
        loop
            execute format('create or replace function public.%I(%s) returns %s %s language plpgsql as $f$
                begin raise exception ''planted code ran''; end $f$', planted.proname, planted.arguments,
                case when planted.proretset then 'setof' else '' end, planted.result);
        end loop;
        foreach other in array kinds || array[kind || '[]'] loop
            for planted in
                select o.oprname, min(case when o.oprresult = 'boolean'::regtype then 'boolean' else 'text' end) as result
                from pg_operator o
                where o.oprname in ('+', '-', '*', '/', '||', '=', '<>', '<', '>', '<=', '>=', '->', '->>', '?', '@>')
                group by 1
            loop
                n := n + 1;
                continue when exists (select from pg_operator x where x.oprname = planted.oprname
                    and x.oprleft = kind::regtype and x.oprright = other::regtype);
                execute format('create function public.planted_%s(%s, %s) returns %s language plpgsql as $f$
                    begin raise exception ''planted code ran''; end $f$', n, kind, other, planted.result);
                execute format('create operator public.%s (function = public.planted_%s, leftarg = %s, rightarg = %s)',
                    planted.oprname, n, kind, other);
            end loop;
        end loop;
    end loop;
end $plant$";

const AGES: Ages = {
    let month = Duration::from_hours(30 * 24);
    Ages { bodies: month, evidence: month, follow_ups: month }
};

/// An intruder that may create in schema public, as everybody may before Postgres 15, and did.
async fn planted(db: &mut Database) -> PgPool {
    db.execute("create schema if not exists public; grant all on schema public to public").await;
    let intruder = role(db, "intruder", &[]).await;
    sqlx::raw_sql(AssertSqlSafe(PLANT)).execute(&intruder).await.expect("it plants");
    // The test itself would run it too.
    db.pool = PgPool::connect_lazy_with(options(&db.url).options([("search_path", "pg_catalog")]));
    intruder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_planted_code_runs_for_whoever_looks_names_up_in_its_schema() {
    let mut db = Database::empty().await;
    db.expect_errors(&["planted code ran"]);
    let intruder = planted(&mut db).await;
    for statement in ["select unnest(array['a'])", "select interval '1 second' * 2::bigint"] {
        let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&intruder).await.expect_err(statement);
        assert!(refused.to_string().contains("planted code ran"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_migration_command_or_part_of_the_service_runs_planted_code() {
    let mut db = Database::empty().await;
    // Probes of a service that has not migrated yet.
    db.expect_errors(&["does not exist"]);
    planted(&mut db).await.close().await;
    let world = World::start().await;
    let app = TestApp::start_on(db, |service| {
        service.acting = acting(&world);
        service.desk.draft = true;
        service.retention = Some(AGES);
        service.poll = Duration::from_millis(50);
    })
    .await;
    app.ready().await;
    for (story, order) in
        [("paid", "o-1"), ("chargeback-open", "o-2"), ("partial-refund", "o-3"), ("fraud-warning", "o-4")]
    {
        app.deliver_all(&tell_with(story, Cast { livemode: false, ..Cast::new(order.to_owned(), 0) })).await;
    }
    app.db.settle().await;
    app.db.until("select exists (select from clawback.api_keys)").await;
    app.db.until("select count(*) = 4 from clawback_v1.orders").await;
    app.db.until("select exists (select from clawback_v1.dispute_responses where version > 0)").await;
    app.db.until("select bool_and(finished_at is not null) from clawback.retention").await;
    let metrics = app.client.get(format!("{}/metrics", app.admin_url)).send().await.expect("an answer");
    assert_eq!(metrics.status(), 200);
    app.db.execute("select clawback_v1.request_refund('o-1', 'return-1', 100)").await;
    app.db.until("select state <> 'requested' from clawback_v1.refund_requests").await;
    for command in [
        ["orders", "list"].as_slice(),
        &["orders", "show", "o-2"],
        &["events", "list"],
        &["follow-ups", "list"],
        &["disputes", "list"],
        &["refunds", "list"],
        &["payments", "list"],
        &["rebuild", "--all"],
        &["prune", "--dry-run"],
    ] {
        let ended = run(command, &[("DATABASE_URL", &app.db.url)]).await;
        assert_eq!(ended.code, Some(0), "{command:?}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_for_services_call_no_planted_code_and_trust_no_temporary_object() {
    let mut app = TestApp::start().await;
    app.live("chargeback-open", "o-1").await;
    planted(&mut app.db).await.close().await;
    let worker = role(&app.db, "worker", &["--read", "--work"]).await;
    let mut conn = worker.acquire().await.expect("a connection");
    let tables = app
        .db
        .rows("select relname as name from pg_class where relnamespace = 'clawback'::regnamespace and relkind = 'r'")
        .await;
    let shadow = |name: &str| format!("create temporary table \"{name}\" (id bigint, event_id text);");
    let mut hostile: String = tables.iter().map(|row| shadow(row["name"].as_str().expect("a name"))).collect();
    for kind in ["text", "bigint", "uuid", "timestamptz", "interval", "jsonb"] {
        hostile += &format!("create domain pg_temp.\"{kind}\" as pg_catalog.int4 check (value > 5);");
    }
    hostile += "set search_path = pg_temp, public, pg_catalog; set standard_conforming_strings = off;
                set escape_string_warning = off; set transform_null_equals = on; set plpgsql.extra_errors = 'none';
                set timezone = 'Pacific/Kiritimati'; set datestyle = 'SQL, DMY'; set intervalstyle = 'sql_standard'";
    sqlx::raw_sql(AssertSqlSafe(hostile)).execute(&mut *conn).await.expect("it may");
    let claimed = "select id::pg_catalog.text || ' ' || lease_token::pg_catalog.text
                   from clawback_v1.claim_follow_ups('me', '{collect_evidence}'::pg_catalog.text[])";
    let claimed: String = sqlx::query_scalar(claimed).fetch_one(&mut *conn).await.expect("claimed");
    let (id, token) = claimed.split_once(' ').expect("both");
    let ended = format!("select clawback_v1.complete_follow_up({id}, '{token}', '{{\"note\": 1}}')");
    assert!(sqlx::query_scalar::<_, bool>(AssertSqlSafe(ended)).fetch_one(&mut *conn).await.expect("completed"));
    let event = app.db.value("select min(event_id) from clawback.events").await;
    for call in [
        format!("clawback_v1.replay_event({}, 'a test')", event.to_string().replace('"', "'")),
        "clawback_v1.find('o-1')".to_owned(),
        "clawback_v1.requeue_follow_up(1, 'a test', true)".to_owned(),
    ] {
        sqlx::raw_sql(AssertSqlSafe(format!("select {call}"))).execute(&mut *conn).await.expect(&call);
    }
    app.db.settle().await;
    assert_eq!(app.db.value("select state from clawback_v1.follow_ups where kind = 'collect_evidence'").await, "done");
}
