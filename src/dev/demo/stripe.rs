//! What the scenes on the double have in common: calls of the double, and the order they are about.

use anyhow::Context;
use serde_json::Value;
use sqlx::PgConnection;

use super::ORDERS;
use crate::store::queries::{self, OrderFilter, Page};
use crate::terminal::{Screen, say, table};

/// The key of the receiver.
pub(super) const KEY: &str = "sk_test_demo";

/// An order; none while no event of it was processed.
pub(super) async fn order(conn: &mut PgConnection, order_id: &str) -> anyhow::Result<Option<queries::Order>> {
    let filter = OrderFilter { order_id: Some(order_id.to_owned()), ..OrderFilter::default() };
    Ok(queries::orders(conn, &filter, &Page::first(1)).await?.pop())
}

pub(super) async fn show_order(conn: &mut PgConnection, order_id: &str) -> anyhow::Result<()> {
    let orders: Vec<_> = order(conn, order_id).await?.into_iter().collect();
    say!("{}", table::render(&Screen::of_stdout(), ORDERS, &orders));
    Ok(())
}

/// The double, called as Stripe is, and by its control API.
pub(super) struct Stripe {
    pub(super) url: String,
    pub(super) client: reqwest::Client,
}

impl Stripe {
    /// A payment for an order, by this test payment method; the id of its charge.
    pub(super) async fn pay(&self, order_id: &str, amount: i64, method: &str) -> anyhow::Result<String> {
        let form =
            format!("amount={amount}&currency=eur&confirm=true&payment_method={method}&metadata[order_id]={order_id}");
        let request = self.client.post(format!("{}/v1/payment_intents", self.url)).bearer_auth(KEY);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let intent = answer(request).await?;
        intent["latest_charge"].as_str().map(str::to_owned).context("the payment has no charge")
    }

    pub(super) async fn control(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        answer(self.client.post(format!("{}/_double/{path}", self.url)).body(body.to_string())).await
    }

    pub(super) async fn look(&self, path: &str) -> anyhow::Result<Value> {
        answer(self.client.get(format!("{}/_double/{path}", self.url))).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let text = request.send().await?.error_for_status()?.text().await?;
    serde_json::from_str(&text).context("the double did not answer with JSON")
}
