//! Who paid: personal data, in a table of its own.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::Person;

/// Writes what was seen later than what is stored, of each object; of two in one event the first.
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
             where p.object_id = s.object_id and (p.seen_at, p.event_id) >= (s.seen_at, s.event_id))
         on conflict on constraint people_pkey do update
         set seen_at = excluded.seen_at, event_id = excluded.event_id, customer_id = excluded.customer_id,
             email = excluded.email, name = excluded.name",
        Json(people) as _
    )
    .execute(conn)
    .await
    .map(drop)
}
