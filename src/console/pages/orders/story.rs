//! The story of an order, or of a payment that is linked to none: how it stands, the statement, and all that belongs to
//! it. The statement is that of `clawback orders show`.

use axum::response::Response;
use maud::{Markup, html};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::sections::{self, MANY};
use super::statement::statement;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::pages::payments::{customer, named};
use crate::console::parts::{Tone, amount, badge, code, deadline, facts, foreign, moment_ago, note, state, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{
    self, Activity, Dispute, DisputeFilter, Order, Payment, PaymentFilter, Person, Refund, RefundFilter, RefundRequest,
    RequestFilter, Statement, Story, Total,
};

pub(super) async fn show(console: &Console, who: &Who, id: &str) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let Some(story) = queries::story(&mut tx, id).await? else {
        return Err(Failure::NotFound(format!("No order “{id}”, and no Stripe object with that ID was received.")));
    };
    let around = Around::read(&mut tx, who, &story).await?;
    let no_refunds = console.objection(who, Right::Refund);
    let view = View { asked: id.to_owned(), story, around, no_refunds, now: now() };
    let page = Page {
        title: view.title(),
        section: Some(Section::Orders),
        is_test: view.is_test(),
        refreshed: Some(60),
        content: view.content(),
    };
    Ok(console.show(who, view.now, &page))
}

/// What belongs to a story beside its statement.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Of the payment that changed last, for those who may know.
    pub customer: Option<Person>,
    pub payments: Vec<Payment>,
    pub refunds: Vec<Refund>,
    pub requests: Vec<RefundRequest>,
    pub disputes: Vec<Dispute>,
    pub actions: Vec<Activity>,
}

impl Around {
    async fn read(conn: &mut PgConnection, who: &Who, story: &Story) -> sqlx::Result<Self> {
        let many = queries::Page::first(MANY);
        let unlinked: Vec<_> = story.unlinked.iter().map(|of| of.subject.payment_id.clone()).collect();
        let order_id = story.order_id.clone();
        let (payment_id, payment_ids) = (unlinked.first().cloned(), order_id.is_none().then_some(unlinked));
        if order_id.is_none() && payment_id.is_none() {
            return Ok(Self::default());
        }
        // Several payments share a story only by their order.
        let payment_id = payment_id.filter(|_| order_id.is_none());
        let of = (order_id, payment_id);
        let payments = PaymentFilter { order_id: of.0.clone(), payment_ids, ..PaymentFilter::default() };
        let refunds = RefundFilter { order_id: of.0.clone(), payment_id: of.1.clone(), ..RefundFilter::default() };
        let requests = RequestFilter { order_id: of.0.clone(), payment_id: of.1.clone(), ..RequestFilter::default() };
        let disputes = DisputeFilter { order_id: of.0, payment_id: of.1, ..DisputeFilter::default() };
        let payments = queries::payments(conn, &payments, &many).await?;
        let ids: Vec<_> = payments.iter().map(|payment| payment.payment_id.clone()).collect();
        let customer = match ids.first() {
            Some(payment_id) => customer(conn, who, payment_id).await?,
            None => None,
        };
        Ok(Self {
            customer,
            payments,
            refunds: queries::refunds(conn, &refunds, &many).await?,
            requests: queries::refund_requests(conn, &requests, &many).await?,
            disputes: queries::disputes(conn, &disputes, &many).await?,
            actions: queries::payment_actions(conn, &ids).await?,
        })
    }
}

pub(super) struct View {
    /// What was looked for.
    pub asked: String,
    pub story: Story,
    pub around: Around,
    /// Why this person cannot refund; none: nothing is in the way.
    pub no_refunds: Option<String>,
    pub now: OffsetDateTime,
}

impl View {
    pub(super) fn title(&self) -> String {
        match (&self.story.order_id, self.story.unlinked.as_slice()) {
            (Some(order_id), _) => format!("Order {order_id}"),
            (None, [payment]) => format!("Payment {}", payment.subject.payment_id),
            (None, _) => self.asked.clone(),
        }
    }

    /// All of it is of test mode.
    pub(super) fn is_test(&self) -> bool {
        let orders = self.story.orders.iter().map(|of| of.subject.livemode);
        let mut modes = orders.chain(self.story.unlinked.iter().map(|of| of.subject.livemode)).peekable();
        modes.peek().is_some() && modes.all(|livemode| !livemode)
    }

    pub(super) fn content(&self) -> Markup {
        let Story { orders, unlinked, history, follow_ups, unprocessed, .. } = &self.story;
        let around = &self.around;
        html! {
            section data-region="story" {
                (self.notes())
                @for of in orders { (self.order(of)) }
                @for of in unlinked { (self.unlinked(of)) }
                (sections::payments(&around.payments, self.no_refunds.as_deref()))
                (sections::refunds(&around.refunds))
                (sections::requests(&around.requests, self.now))
                (sections::disputes(&around.disputes, self.now))
                (sections::follow_ups(follow_ups, self.now))
                (sections::unprocessed(unprocessed))
                (sections::history(history))
                (sections::actions(&around.actions, self.now))
            }
        }
    }

    /// What one must know before reading on.
    fn notes(&self) -> Markup {
        let Story { order_id, orders, unlinked, unreadable, .. } = &self.story;
        html! {
            @if order_id.is_none() && unlinked.is_empty() {
                (note(Tone::Warn, &html! { p { (code(&self.asked)) " was received, but the payment it belongs to is not known." } }))
            }
            @if orders.len() > 1 {
                (note(Tone::Calm, &html! { p { "This reference is used in several accounts, modes or currencies: one order in each." } }))
            }
            @for payment_id in unreadable {
                (note(Tone::Bad, &html! { p {
                    "Payment " (code(payment_id)) " is missing from the statement: its stored facts cannot be read. Run "
                    code { "clawback rebuild " (foreign(payment_id)) } "."
                } }))
            }
        }
    }

    fn order(&self, of: &Statement<Order>) -> Markup {
        let order = &of.subject;
        let currency = order.currency.as_deref();
        let amounts = amounts(order.amount_paid, order.amount_refunded, order.amount_disputed, order.amount_lost);
        let mut shown = vec![(
            "State",
            html! { (state(&order.state)) @if order.hold { " " (badge(Tone::Warn, "hold: do not ship")) } },
        )];
        shown.extend(money(order.amount_paid, &amounts, currency));
        shown.extend(order.evidence_due_by.map(|at| ("Evidence due", deadline(at, self.now))));
        shown.extend(whose(order.livemode, order.account.as_deref()));
        shown.extend(self.around.customer.as_ref().map(named));
        shown.push(("Changed", moment_ago(order.updated_at, self.now)));
        html! {
            h2 { (self.name(order)) }
            div.card { (facts(&shown)) }
            h3 { "Statement" }
            (statement(of, amounts, currency))
        }
    }

    /// What tells one order of a reference apart from the others.
    fn name(&self, order: &Order) -> Markup {
        if self.story.orders.len() == 1 {
            return html! { "The order" };
        }
        html! {
            (order.currency.as_deref().map_or_else(|| "Currency not known".to_owned(), str::to_uppercase)) ", "
            @if order.livemode { "live mode" } @else { "test mode" }
            @if let Some(account) = &order.account { ", account " (code(account)) }
        }
    }

    fn unlinked(&self, of: &Statement<Payment>) -> Markup {
        let payment = &of.subject;
        let currency = payment.currency.as_deref();
        let amounts =
            amounts(payment.amount_paid, payment.amount_refunded, payment.amount_disputed, payment.amount_lost);
        let mut shown = vec![("State", state(&payment.state))];
        shown.extend(money(payment.amount_paid, &amounts, currency));
        shown.extend(payment.evidence_due_by.map(|at| ("Evidence due", deadline(at, self.now))));
        shown.extend(whose(payment.livemode, payment.account.as_deref()));
        shown.extend(self.around.customer.as_ref().map(named));
        shown.push(("Changed", moment_ago(payment.updated_at, self.now)));
        html! {
            (note(Tone::Warn, &html! { p {
                "Linked to no order. "
                a href={ (to("/payments/", &payment.payment_id)) "/link" } { "Link it to an order" } "."
            } }))
            h2 { "The payment" }
            div.card { (facts(&shown)) }
            h3 { "Statement" }
            (statement(of, amounts, currency))
        }
    }
}

fn amounts(paid: Option<i64>, refunded: i64, disputed: i64, lost: i64) -> Total {
    // Unknown is 0 in a sum.
    Total { paid: paid.unwrap_or(0), refunded, disputed, lost }
}

/// What was paid, what was taken from it, and what is left.
fn money(paid: Option<i64>, amounts: &Total, currency: Option<&str>) -> Vec<(&'static str, Markup)> {
    let others =
        [("Refunded", amounts.refunded), ("In open chargebacks", amounts.disputed), ("Lost in disputes", amounts.lost)];
    let others = others.into_iter().filter(|(_, minor)| *minor != 0);
    let first = ("Paid", html! { span.big { (amount(paid, currency)) } });
    let gone = amounts.refunded + amounts.disputed + amounts.lost;
    let left = paid.filter(|_| gone != 0).map(|paid| ("Left", amount(Some((paid - gone).max(0)), currency)));
    let others = others.map(|(name, minor)| (name, amount(Some(minor), currency)));
    [first].into_iter().chain(others).chain(left).collect()
}

fn whose(livemode: bool, account: Option<&str>) -> Vec<(&'static str, Markup)> {
    let account = account.map(|account| ("Connected account", code(account)));
    [("Mode", crate::console::parts::mode(livemode))].into_iter().chain(account).collect()
}
