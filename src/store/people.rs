//! Who paid: personal data, in a table of its own.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::Person;

/// Writes what was seen of each object: the latest word counts, and one that says nothing takes nothing away. Of two in
/// one event the first.
pub async fn save(conn: &mut PgConnection, people: &[Person]) -> sqlx::Result<()> {
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
         -- Found first, for an upsert would lock and log every row.
         where not exists (
             select from clawback.people p
             where p.object_id = s.object_id and (p.seen_at, p.event_id) >= (s.seen_at, s.event_id)
                 and (p.customer_id, p.email, p.name) is not distinct from (coalesce(p.customer_id, s.customer_id),
                     coalesce(p.email, s.email), coalesce(p.name, s.name)))
         on conflict on constraint people_pkey do update
         set (seen_at, event_id, customer_id, email, name) = (
             select w.seen_at, w.event_id, coalesce(w.customer_id, l.customer_id), coalesce(w.email, l.email),
                    coalesce(w.name, l.name)
             from (values (p.seen_at, p.event_id, p.customer_id, p.email, p.name), (excluded.seen_at,
                       excluded.event_id, excluded.customer_id, excluded.email, excluded.name))
                      as w (seen_at, event_id, customer_id, email, name),
                  (values (p.seen_at, p.event_id, p.customer_id, p.email, p.name), (excluded.seen_at,
                       excluded.event_id, excluded.customer_id, excluded.email, excluded.name))
                      as l (seen_at, event_id, customer_id, email, name)
             order by w.seen_at desc, w.event_id desc, l.seen_at, l.event_id
             limit 1)",
        Json(people) as _
    )
    .execute(conn)
    .await
    .map(drop)
}
