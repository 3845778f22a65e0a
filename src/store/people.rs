//! Payers: personal data, in a table of its own.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::Payer;

/// Writes the payer that each object names. The latest event wins, field by field; an absent field removes nothing. Of two
/// objects in one event the first wins.
pub async fn save(conn: &mut PgConnection, people: &[Payer]) -> sqlx::Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with seen as (
             select distinct on (r.object_id) r.*
             from jsonb_to_recordset($1) as r
                 (object_id text, seen_at bigint, event_id text, customer_id text, email text, name text)
             order by r.object_id, r.seen_at desc, r.event_id desc
         )
         insert into clawback.people as p (object_id, seen_at, event_id, customer_id, email, name)
         select s.object_id, s.seen_at, s.event_id, s.customer_id, s.email, s.name from seen s
         -- Compared first: an upsert would lock and log every row.
         where not exists (
             select from clawback.people p
             where p.object_id = s.object_id and (p.seen_at, p.event_id) >= (s.seen_at, s.event_id)
                 and (p.customer_id, p.email, p.name) is not distinct from (coalesce(p.customer_id, s.customer_id),
                     coalesce(p.email, s.email), coalesce(p.name, s.name)))
         on conflict on constraint people_pkey do update
         set customer_id = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then coalesce(excluded.customer_id, p.customer_id)
                                else coalesce(p.customer_id, excluded.customer_id) end,
             email = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then coalesce(excluded.email, p.email)
                          else coalesce(p.email, excluded.email) end,
             name = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then coalesce(excluded.name, p.name) else coalesce(p.name, excluded.name) end,
             seen_at = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then excluded.seen_at else p.seen_at end,
             event_id = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then excluded.event_id else p.event_id end",
        Json(people) as _
    )
    .execute(conn)
    .await
    .map(drop)
}
