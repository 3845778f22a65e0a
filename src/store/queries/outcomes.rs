//! Outcomes of disputes, and their ratio to payments.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// How the disputes of a month ended, by reason and network.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// First day of the month in which they were created, such as `2026-11-01`.
    pub month: String,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// Lower-case ISO code.
    pub currency: String,
    /// The cardholder's reason, as Stripe names it.
    pub reason: Option<String>,
    /// The card network's code.
    pub network_reason_code: Option<String>,
    /// Stripe's type of payment method.
    pub payment_method: Option<String>,
    /// How many there are.
    pub disputes: i64,
    /// Disputed, in minor units.
    pub amount: i64,
    /// How many were answered.
    pub countered: i64,
    /// How many of the answered ones were won.
    pub won: i64,
    /// How many of the answered ones were lost.
    pub lost: i64,
    /// Kept of the answered ones that are decided, in minor units.
    pub amount_won: i64,
    /// Lost of them.
    pub amount_lost: i64,
    /// From 0 to 1; none while none is decided.
    pub win_rate: Option<f64>,
}

/// The disputes of a month in relation to the payments with cards of one network.
#[derive(Clone, Debug, Serialize)]
pub struct Ratio {
    /// First day of the month, such as `2026-11-01`.
    pub month: String,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// The card network.
    pub card_brand: String,
    /// Captured charges of the month; for Mastercard, of the month before.
    pub charges: i64,
    /// How many disputes were created.
    pub disputes: i64,
    /// How many early fraud warnings were created.
    pub fraud_warnings: i64,
    /// As the network's programme counts; none without charges.
    pub ratio: Option<f64>,
}

/// Outcomes of the month of that time and later ones, the latest month first.
pub async fn outcomes(conn: &mut PgConnection, since: OffsetDateTime) -> sqlx::Result<Vec<Outcome>> {
    sqlx::query_as!(
        Outcome,
        r#"select o.month::text as "month!", o.account, o.livemode as "livemode!", o.currency as "currency!", o.reason,
                  o.network_reason_code, o.payment_method, o.disputes as "disputes!", o.amount as "amount!",
                  o.countered as "countered!", o.won as "won!", o.lost as "lost!", o.amount_won as "amount_won!",
                  o.amount_lost as "amount_lost!", o.win_rate::float8 as win_rate
           from clawback_v1.dispute_outcomes o
           where o.month >= date_trunc('month', $1 at time zone 'UTC')::date
           order by o.month desc, o.livemode desc, o.account nulls first, o.currency, o.reason, o.network_reason_code,
                    o.payment_method"#,
        since
    )
    .fetch_all(conn)
    .await
}

/// Ratios of the month of that time and later ones, the latest month first.
pub async fn ratios(conn: &mut PgConnection, since: OffsetDateTime) -> sqlx::Result<Vec<Ratio>> {
    sqlx::query_as!(
        Ratio,
        r#"select r.month::text as "month!", r.account, r.livemode as "livemode!", r.card_brand as "card_brand!",
                  r.charges as "charges!", r.disputes as "disputes!", r.fraud_warnings as "fraud_warnings!",
                  r.ratio::float8 as ratio
           from clawback_v1.dispute_ratios r
           where r.month >= date_trunc('month', $1 at time zone 'UTC')::date
           order by r.month desc, r.livemode desc, r.account nulls first, r.card_brand"#,
        since
    )
    .fetch_all(conn)
    .await
}
