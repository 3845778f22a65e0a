//! The whole story of an order, or of a payment that is linked to none: what came in, what was derived from it, and
//! lines of money that add up to the amounts.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    Event, EventFilter, FollowUp, FollowUpFilter, Found, HistoryEntry, Order, OrderFilter, Page, Payment, PaymentFilter,
};
use super::{events, find, follow_ups, history, orders, payments};
use crate::domain::{self, BalanceMove, Facts, Line, derive};

/// Everything known about one reference or Stripe id.
#[derive(Debug, Default, Serialize)]
pub struct Story {
    /// The merchant's reference; none for payments that are linked to no order.
    pub order_id: Option<String>,
    /// The order: one for each account, mode and currency in which the reference is used.
    pub orders: Vec<Statement<Order>>,
    /// Payments that are linked to no order.
    pub unlinked: Vec<Statement<Payment>>,
    /// Changes, in order of arrival.
    pub history: Vec<HistoryEntry>,
    /// The newest first.
    pub follow_ups: Vec<FollowUp>,
    /// Payments whose stored facts cannot be read: no statement has their lines.
    pub unreadable: Vec<String>,
    /// Events about it that were not processed: failed, pending, or ignored.
    pub unprocessed: Vec<Event>,
}

/// An order or a payment, and the lines that explain its amounts.
#[derive(Debug, Serialize)]
pub struct Statement<T> {
    /// Whose statement it is.
    #[serde(flatten)]
    pub subject: T,
    /// What the lines add up to.
    pub total: Total,
    /// The oldest first; what has no time comes last.
    pub statement: Vec<StatementLine>,
}

/// Sums of the lines, in minor units.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Total {
    /// `amount_paid`.
    pub paid: i64,
    /// `amount_refunded`.
    pub refunded: i64,
    /// `amount_disputed`.
    pub disputed: i64,
    /// `amount_lost`.
    pub lost: i64,
}

/// One line: something at Stripe, or a follow-up.
#[derive(Clone, Debug, Serialize)]
pub struct StatementLine {
    /// By Stripe's clock; of a follow-up when it was enqueued.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// What it is, such as `refund`, or the kind of a follow-up.
    pub what: String,
    /// The id of what it is about.
    pub id: String,
    /// Its status now.
    pub status: String,
    /// Its own amount, whether or not it counts.
    pub amount: Option<i64>,
    /// The currency of `amount`.
    pub currency: Option<String>,
    /// What it adds to the totals.
    #[serde(flatten)]
    pub adds: Total,
    /// What moved on the balance.
    pub balance: Option<BalanceMove>,
    /// The payment it is part of.
    pub payment_id: String,
    /// The follow-up that the line is about; none for any other line.
    pub follow_up: Option<i64>,
}

const ALL: Page = Page::first(i64::MAX);

/// The story of an order's reference or of any Stripe id; none when neither was ever received.
///
/// Runs several queries: begin a transaction with [`super::SNAPSHOT`], or a line may lack its sum.
pub async fn story(conn: &mut PgConnection, term: &str) -> sqlx::Result<Option<Story>> {
    let found = find(conn, term).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let scope = Scope::of(found);
    let facts = facts(conn, &scope).await?;
    let follow_ups = follow_ups_of(conn, &scope).await?;
    let lines: Vec<_> = facts.iter().filter_map(|(id, facts)| Some(lines(id, facts.as_ref()?, &follow_ups))).collect();
    let payment_ids: Vec<String> = facts.iter().map(|(id, _)| id.clone()).collect();
    Ok(Some(Story {
        orders: orders_of(conn, &scope).await?.into_iter().map(|order| of_order(order, &lines)).collect(),
        unlinked: unlinked(conn, &scope).await?.into_iter().map(|payment| of_payment(payment, &lines)).collect(),
        history: history(conn, scope.order_id.as_deref(), &scope.unlinked).await?,
        unreadable: facts.into_iter().filter(|(_, facts)| facts.is_none()).map(|(id, _)| id).collect(),
        unprocessed: unprocessed(conn, term, &payment_ids).await?,
        follow_ups,
        order_id: scope.order_id,
    }))
}

/// What a story is about: an order, else payments that are linked to none.
struct Scope {
    order_id: Option<String>,
    unlinked: Vec<String>,
}

impl Scope {
    fn of(found: Vec<Found>) -> Self {
        match found.iter().find_map(|row| row.order_id.clone()) {
            Some(order_id) => Self { order_id: Some(order_id), unlinked: Vec::new() },
            None => Self { order_id: None, unlinked: found.into_iter().filter_map(|row| row.payment_id).collect() },
        }
    }
}

/// The facts of each payment; none when they cannot be read.
async fn facts(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<(String, Option<Facts>)>> {
    let rows = sqlx::query!(
        "select payment_id, facts from clawback.payments
         where order_id = $1 or payment_id = any($2)
         order by payment_id",
        scope.order_id,
        &scope.unlinked
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.payment_id, serde_json::from_str(&row.facts).ok())).collect())
}

async fn orders_of(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<Order>> {
    let Some(order_id) = scope.order_id.clone() else { return Ok(Vec::new()) };
    let filter = OrderFilter { order_id: Some(order_id), ..OrderFilter::default() };
    let mut orders = orders(conn, &filter, &ALL).await?;
    orders.sort_by_key(Order::key);
    Ok(orders)
}

async fn unlinked(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<Payment>> {
    let filter = PaymentFilter { payment_ids: Some(scope.unlinked.clone()), ..PaymentFilter::default() };
    payments(conn, &filter, &ALL).await
}

async fn follow_ups_of(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<FollowUp>> {
    let filter = FollowUpFilter {
        order_id: scope.order_id.clone(),
        payment_ids: scope.order_id.is_none().then(|| scope.unlinked.clone()),
        ..FollowUpFilter::default()
    };
    follow_ups(conn, &filter, &ALL).await
}

/// Events about these payments, or about the term itself, that were not processed; at most 50.
async fn unprocessed(conn: &mut PgConnection, term: &str, payment_ids: &[String]) -> sqlx::Result<Vec<Event>> {
    let mut objects =
        sqlx::query_scalar!("select object_id from clawback.payment_objects where payment_id = any($1)", payment_ids)
            .fetch_all(&mut *conn)
            .await?;
    objects.push(term.to_owned());
    let filter = EventFilter { object_ids: Some(objects), ..EventFilter::default() };
    let mut found = Vec::new();
    for state in ["failed", "pending", "ignored"] {
        let filter = EventFilter { state: Some(state.to_owned()), ..filter.clone() };
        found.extend(events(conn, &filter, &Page::first(50)).await?);
    }
    found.truncate(50);
    Ok(found)
}

/// The lines of one payment, and the key of its order.
struct PaymentLines {
    payment_id: String,
    order: Option<domain::OrderKey>,
    lines: Vec<StatementLine>,
}

fn lines(payment_id: &str, facts: &Facts, follow_ups: &[FollowUp]) -> PaymentLines {
    let payment = derive(payment_id, facts).payment;
    let of_stripe = domain::statement(payment_id, facts).into_iter().map(|line| line_of(payment_id, line));
    let asked = follow_ups.iter().rev().filter(|follow_up| follow_up.payment_id.as_deref() == Some(payment_id));
    let lines = of_stripe.chain(asked.map(|follow_up| asked_line(payment_id, follow_up))).collect();
    PaymentLines { payment_id: payment_id.to_owned(), order: payment.order_key(), lines }
}

fn line_of(payment_id: &str, line: Line) -> StatementLine {
    let Line { at, what, id, status, amount, currency, paid, refunded, disputed, lost, balance } = line;
    StatementLine {
        at: at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()),
        what: what.to_owned(),
        id,
        status,
        amount,
        currency,
        adds: Total { paid, refunded, disputed, lost },
        balance,
        payment_id: payment_id.to_owned(),
        follow_up: None,
    }
}

fn asked_line(payment_id: &str, follow_up: &FollowUp) -> StatementLine {
    StatementLine {
        at: Some(follow_up.created_at.replace_nanosecond(0).unwrap_or(follow_up.created_at)),
        what: follow_up.kind.clone(),
        id: follow_up.subject.clone(),
        status: follow_up.state.clone(),
        amount: None,
        currency: None,
        adds: Total::default(),
        balance: None,
        payment_id: payment_id.to_owned(),
        follow_up: Some(follow_up.id),
    }
}

fn of_order(order: Order, payments: &[PaymentLines]) -> Statement<Order> {
    let key = order.key();
    let own = payments.iter().filter(|payment| payment.order.as_ref() == Some(&key));
    statement(order, own.flat_map(|payment| payment.lines.clone()).collect())
}

fn of_payment(payment: Payment, payments: &[PaymentLines]) -> Statement<Payment> {
    let own = payments.iter().filter(|lines| lines.payment_id == payment.payment_id);
    let lines = own.flat_map(|payment| payment.lines.clone()).collect();
    statement(payment, lines)
}

fn statement<T>(subject: T, mut lines: Vec<StatementLine>) -> Statement<T> {
    lines.sort_by_key(|line| (line.at.is_none(), line.at));
    let total = lines.iter().fold(Total::default(), |sum, line| Total {
        paid: sum.paid.saturating_add(line.adds.paid),
        refunded: sum.refunded.saturating_add(line.adds.refunded),
        disputed: sum.disputed.saturating_add(line.adds.disputed),
        lost: sum.lost.saturating_add(line.adds.lost),
    });
    Statement { subject, total, statement: lines }
}
