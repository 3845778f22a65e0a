//! What the drafting of evidence reads from the ledger: bodies of events about a payment and about those of the same people.

use sqlx::PgConnection;

/// How many charges of the same people are read.
const MOST_OTHERS: i64 = 50;

/// An event that showed an object of a payment.
#[derive(Clone, Debug)]
pub struct Body {
    /// The object.
    pub object_id: String,
    /// The event as it was received.
    pub payload: String,
}

/// The bodies of a dispute's payment, oldest first: of each object the first and the last.
pub async fn of_dispute(conn: &mut PgConnection, dispute_id: &str) -> sqlx::Result<Vec<Body>> {
    sqlx::query_as!(
        Body,
        r#"with shown as (
             select e.event_id, e.object_id, e.created_at, e.seq,
                    row_number() over (partition by e.object_id order by e.created_at, e.seq) as first,
                    row_number() over (partition by e.object_id order by e.created_at desc, e.seq desc) as last
             from clawback.events e
             join clawback.disputes d on d.payment_id = e.payment_id
             where d.dispute_id = $1 and e.object_id is not null and e.state = 'processed'
         )
         select s.object_id as "object_id!", y.payload
         from shown s
         join clawback.event_payloads y on y.event_id = s.event_id
         where s.first = 1 or s.last = 1
         order by s.created_at, s.seq"#,
        dispute_id
    )
    .fetch_all(conn)
    .await
}

/// The last bodies of the charges, in the year before it, of the people who made the disputed payment: those that nobody
/// disputed or reported as fraud.
pub async fn of_same_people(conn: &mut PgConnection, dispute_id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"with disputed as (
             select d.payment_id, p.account, p.livemode, d.charge_id
             from clawback.disputes d
             join clawback.payments p on p.payment_id = d.payment_id
             where d.dispute_id = $1
         ), who as (
             select w.customer_id, w.email from clawback.people w join disputed d on w.object_id in (d.payment_id, d.charge_id)
         ), charges as (
             select distinct o.object_id
             from clawback.people o
             join who w on o.customer_id = w.customer_id or o.email = w.email
             where o.object_id ~ '^(ch|py)_' and o.object_id not in (select d.charge_id from disputed d where d.charge_id is not null)
                 -- A charge's own events need not say that it was disputed, or reported as fraud.
                 and not exists (select from clawback.disputes a where a.charge_id = o.object_id)
                 and not exists (select from clawback.fraud_warnings w where w.charge_id = o.object_id)
         )
         select y.payload
         from charges c
         join disputed d on true
         join lateral (
             select e.event_id, e.created_at from clawback.events e
             where e.object_id = c.object_id and e.account is not distinct from nullif(d.account, '')
                 and e.livemode = d.livemode and e.created_at > now() - interval '400 days'
             order by e.created_at desc, e.seq desc
             limit 1
         ) e on true
         join clawback.event_payloads y on y.event_id = e.event_id
         order by e.created_at desc
         limit $2"#,
        dispute_id,
        MOST_OTHERS
    )
    .fetch_all(conn)
    .await
}

/// The letter that was generated last for a response.
pub async fn letter(conn: &mut PgConnection, dispute_id: &str, phase: &str) -> sqlx::Result<Option<String>> {
    let letter = sqlx::query_scalar!(
        "select letter from clawback.dispute_responses where dispute_id = $1 and phase = $2",
        dispute_id,
        phase
    );
    Ok(letter.fetch_optional(conn).await?.flatten())
}

/// Remembers the letter that was generated: whatever differs from it was written by a person.
pub async fn set_letter(conn: &mut PgConnection, dispute_id: &str, phase: &str, letter: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.dispute_responses set letter = $3 where dispute_id = $1 and phase = $2",
        dispute_id,
        phase,
        letter
    )
    .execute(conn)
    .await
    .map(drop)
}
