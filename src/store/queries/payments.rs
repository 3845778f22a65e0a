//! Payments, what an id belongs to, and linking a payment to an order.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Page, page};

/// One payment intent, or one charge that has none.
#[derive(Clone, Debug, Serialize)]
pub struct Payment {
    /// The intent's id, or the charge's.
    pub payment_id: String,
    /// None while it is unlinked.
    pub order_id: Option<String>,
    /// The captured charge, else the newest.
    pub charge_id: Option<String>,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// Stripe's type, such as `card`.
    pub payment_method: Option<String>,
    /// Why the charge failed, in Stripe's word.
    pub failure_code: Option<String>,
    /// Why the intent was canceled, in Stripe's word.
    pub cancellation_reason: Option<String>,
    /// Lower-case ISO code; none while not known.
    pub currency: Option<String>,
    /// What was asked for.
    pub amount: Option<i64>,
    /// None until a charge or an intent was seen.
    pub amount_paid: Option<i64>,
    /// Refunded, or on its way.
    pub amount_refunded: i64,
    /// In open chargebacks.
    pub amount_disputed: i64,
    /// Lost in disputes.
    pub amount_lost: i64,
    /// The first state that fits.
    pub state: String,
    /// Do not ship.
    pub hold: bool,
    /// The nearest deadline for evidence.
    #[serde(with = "time::serde::rfc3339::option")]
    pub evidence_due_by: Option<OffsetDateTime>,
    /// When the row changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Which payments are meant; none of a field: all.
#[derive(Clone, Debug, Default)]
pub struct PaymentFilter {
    /// Linked to no order yet.
    pub unlinked: bool,
    /// Of this order.
    pub order_id: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Changed then or later.
    pub since: Option<OffsetDateTime>,
    /// These only.
    pub payment_ids: Option<Vec<String>>,
}

/// Payments, the last changed first.
pub async fn payments(conn: &mut PgConnection, filter: &PaymentFilter, page: &Page) -> sqlx::Result<Vec<Payment>> {
    page!(
        conn,
        page,
        Payment,
        r#"select p.payment_id as "payment_id!", p.order_id, p.charge_id, p.account, p.livemode as "livemode!",
                  p.payment_method, p.failure_code, p.cancellation_reason, p.currency, p.amount, p.amount_paid,
                  p.amount_refunded as "amount_refunded!", p.amount_disputed as "amount_disputed!",
                  p.amount_lost as "amount_lost!", p.state as "state!", p.hold as "hold!", p.evidence_due_by,
                  p.updated_at as "updated_at!"
           from clawback_v1.payments p
           where (not $1 or p.order_id is null) and ($2::text is null or p.order_id = $2)
               and ($3::text is null or p.state = $3) and ($4::timestamptz is null or p.updated_at >= $4)
               and ($5::text[] is null or p.payment_id = any($5))"#,
        after: "
               and ($6::text is null or p.updated_at < (select b.updated_at from clawback_v1.payments b
                                                         where b.payment_id = $6)
                   or p.payment_id > $6 and p.updated_at = (select b.updated_at from clawback_v1.payments b
                                                            where b.payment_id = $6))
           order by p.updated_at desc, p.payment_id
           limit $7",
        before: "
               and (p.updated_at > (select b.updated_at from clawback_v1.payments b where b.payment_id = $6)
                   or p.payment_id < $6 and p.updated_at = (select b.updated_at from clawback_v1.payments b
                                                            where b.payment_id = $6))
           order by p.updated_at, p.payment_id desc
           limit $7",
        filter.unlinked,
        filter.order_id,
        filter.state,
        filter.since,
        filter.payment_ids.as_deref(),
        page.edge(),
        page.limit,
    )
}

/// What an id or a reference belongs to.
#[derive(Debug)]
pub struct Found {
    /// The payment it is part of.
    pub payment_id: Option<String>,
    /// The order of that payment.
    pub order_id: Option<String>,
}

/// Looks up any Stripe id that was seen, or an order's reference. Empty: never seen.
pub async fn find(conn: &mut PgConnection, term: &str) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"select distinct payment_id, order_id from clawback_v1.find($1) order by order_id, payment_id"#,
        term
    )
    .fetch_all(conn)
    .await
}

/// Who paid. Personal data.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// The payment.
    pub payment_id: String,
    /// Stripe's id of the customer.
    pub customer_id: Option<String>,
    /// As last seen.
    pub email: Option<String>,
    /// As last seen.
    pub name: Option<String>,
}

/// Whose payments are meant.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Who has this e-mail address, but for case, on an object of the payment.
    Email(&'a str),
    /// Whoever made this payment.
    Payment(&'a str),
}

/// Who made the payments that are meant, the last changed payment first; at most 100.
pub async fn people(conn: &mut PgConnection, whose: Whose<'_>) -> sqlx::Result<Vec<Person>> {
    let payment_ids = match whose {
        Whose::Payment(payment_id) => vec![payment_id.to_owned()],
        Whose::Email(email) => payments_of(conn, email).await?,
    };
    sqlx::query_as!(
        Person,
        r#"select w.payment_id as "payment_id!", w.customer_id, w.email, w.name
           from clawback_v1.payment_people w
           where w.payment_id = any($1)
           order by array_position($1, w.payment_id)"#,
        &payment_ids
    )
    .fetch_all(conn)
    .await
}

/// From the table below the view, which is indexed by e-mail address; owners and the console only.
async fn payments_of(conn: &mut PgConnection, email: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select p.payment_id as "payment_id!"
           from clawback_v1.payments p
           where p.payment_id in (
               select o.payment_id from clawback.people w
               join clawback.payment_objects o on o.object_id = w.object_id
               where lower(w.email) = lower($1))
           order by p.updated_at desc, p.payment_id
           limit 100"#,
        email
    )
    .fetch_all(conn)
    .await
}

/// The ids of payments that are linked to no order yet.
pub async fn unlinked_payments(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select payment_id as "payment_id!" from clawback_v1.payments where order_id is null order by payment_id"#
    )
    .fetch_all(conn)
    .await
}

/// Links a payment to an order. Shows once the service has processed it.
pub async fn link_payment(conn: &mut PgConnection, payment_id: &str, order_id: &str) -> sqlx::Result<()> {
    sqlx::query!("select clawback_v1.link_payment($1, $2)", payment_id, order_id).execute(conn).await.map(drop)
}

/// One payment; none when it is not known by this id.
pub async fn payment(conn: &mut PgConnection, payment_id: &str) -> sqlx::Result<Option<Payment>> {
    let filter = PaymentFilter { payment_ids: Some(vec![payment_id.to_owned()]), ..PaymentFilter::default() };
    Ok(payments(conn, &filter, &Page::first(1)).await?.pop())
}

/// What an id is, and what it belongs to.
#[derive(Clone, Debug)]
pub struct Hit {
    /// `payment`, `charge`, `refund`, `dispute`, `fraud_warning`, `review`, `checkout_session`, `event`, `order` or `object`.
    pub kind: String,
    /// The payment it is part of.
    pub payment_id: Option<String>,
    /// The order of that payment.
    pub order_id: Option<String>,
}

/// Looks up any Stripe id that was seen, or an order's reference, with what it is. Empty: never seen.
pub async fn look_up(conn: &mut PgConnection, term: &str) -> sqlx::Result<Vec<Hit>> {
    sqlx::query_as!(
        Hit,
        r#"select distinct kind as "kind!", payment_id, order_id from clawback_v1.find($1) order by 1, 2, 3"#,
        term
    )
    .fetch_all(conn)
    .await
}

/// The order that a person linked a payment to last, whether or not that is processed.
pub async fn last_link(conn: &mut PgConnection, payment_id: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "select detail ->> 'order_id' as order_id
         from clawback_v1.actions
         where action = 'link' and subject_kind = 'payment' and subject = $1
         order by id desc
         limit 1",
        payment_id
    )
    .fetch_optional(conn)
    .await
    .map(Option::flatten)
}
