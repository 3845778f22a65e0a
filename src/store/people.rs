//! Payers: personal data, in a table of its own.

use sqlx::PgConnection;

use super::column;
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
             from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
                 as r (object_id, seen_at, event_id, customer_id, email, name)
             order by r.object_id, r.seen_at desc, r.event_id desc
         )
         insert into clawback.people as p (object_id, seen_at, event_id, customer_id, email, name)
         select s.object_id, s.seen_at, s.event_id, s.customer_id, s.email, s.name from seen s
         -- Compared first: an upsert would lock and log every row.
         where not exists (
             select from clawback.people p
             where p.object_id = s.object_id and (p.seen_at, p.event_id) >= (s.seen_at, s.event_id)
                 and (p.customer_id, p.email, p.name) is not distinct from (coalesce(p.customer_id, s.customer_id),
                     coalesce(p.email, s.email), coalesce(p.name, s.name))
             offset 0)
         on conflict on constraint people_pkey do update
         set customer_id = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then coalesce(excluded.customer_id, p.customer_id)
                                else coalesce(p.customer_id, excluded.customer_id) end,
             email = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then coalesce(excluded.email, p.email)
                          else coalesce(p.email, excluded.email) end,
             name = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then coalesce(excluded.name, p.name) else coalesce(p.name, excluded.name) end,
             seen_at = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then excluded.seen_at else p.seen_at end,
             event_id = case when (excluded.seen_at, excluded.event_id) > (p.seen_at, p.event_id) then excluded.event_id else p.event_id end",
        &column(people, |payer| payer.object_id.as_str()) as &[&str],
        &column(people, |payer| payer.seen_at),
        &column(people, |payer| payer.event_id.as_str()) as &[&str],
        &column(people, |payer| payer.customer_id.as_deref()) as &[Option<&str>],
        &column(people, |payer| payer.email.as_deref()) as &[Option<&str>],
        &column(people, |payer| payer.name.as_deref()) as &[Option<&str>],
    )
    .execute(conn)
    .await
    .map(drop)
}
