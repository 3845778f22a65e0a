//! One dispute: its deadline, what Stripe has, the payment, and how it is answered.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use sqlx::PgConnection;

use super::case::{Case, dispute};
use super::one::{Answering, View};
use crate::console::extract::Path;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Action, Dispute, DisputeFilter, Payment, PaymentFilter};

/// Most other disputes of a payment that are shown.
const MOST_OTHERS: i64 = 20;

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let dispute = dispute(&mut tx, &id).await?;
    let answering = match who.may(Right::Respond) {
        true => Answering::Seen(Box::new(Case::load(&mut tx, &id).await?)),
        false => Answering::Hidden,
    };
    let (payment, siblings) = payment(&mut tx, &dispute).await?;
    let actions: Vec<Action> = queries::dispute_actions(&mut tx, &id).await?;
    let cannot = console.objection(&who, Right::Respond);
    let view = View { dispute, answering, payment, siblings, actions, who: &who, cannot, now: now() };
    let page = Page {
        title: format!("Dispute {id}"),
        section: Some(Section::Disputes),
        is_test: !view.dispute.livemode,
        refreshed: Some(view.pace()),
        content: view.content(),
    };
    Ok(console.show(&who, view.now, &page))
}

/// The disputed payment, and its other disputes.
async fn payment(conn: &mut PgConnection, dispute: &Dispute) -> sqlx::Result<(Option<Payment>, Vec<Dispute>)> {
    let Some(payment_id) = &dispute.payment_id else { return Ok((None, Vec::new())) };
    let only = PaymentFilter { payment_ids: Some(vec![payment_id.clone()]), ..PaymentFilter::default() };
    let first = queries::Page::first;
    let payment = queries::payments(conn, &only, &first(1)).await?.pop();
    let of_payment = DisputeFilter { payment_id: Some(payment_id.clone()), ..DisputeFilter::default() };
    let mut disputes = queries::disputes(conn, &of_payment, &first(MOST_OTHERS)).await?;
    disputes.retain(|other| other.dispute_id != dispute.dispute_id);
    Ok((payment, disputes))
}
