//! The entries of the balance, listed and retrieved.

use super::lists::Page;
use super::params::Params;
use super::refusal::{Answer, Refusal};
use crate::dev::model::{Account, Line};

const URL: &str = "/v1/balance_transactions";

/// `GET /v1/balance_transactions`: what was made no later than `until`, in unix seconds.
pub(super) fn list(account: &Account, until: i64, mut params: Params) -> Answer {
    let page = Page::take(&mut params)?;
    let (kind, currency, source) = (params.text("type")?, params.text("currency")?, params.text("source")?);
    params.finish()?;
    let mut all: Vec<Line<'_>> =
        account.lines().filter(|line| line.created() <= until && page.wants(line.created())).collect();
    if kind.is_some() || currency.is_some() || source.is_some() {
        all.retain(|line| {
            let shown = line.render(account);
            let fits = |field: &str, wanted: &Option<String>| wanted.as_deref().is_none_or(|it| shown[field] == *it);
            fits("type", &kind) && fits("currency", &currency) && fits("source", &source)
        });
    }
    all.sort_by_key(|line| line.created());
    all.reverse();
    page.cut(("balance_transaction", URL), &all, |line| line.id(), |line| line.render(account))
}

/// `GET /v1/balance_transactions/:id`
pub(super) fn retrieve(account: &Account, id: &str, params: Params) -> Answer {
    params.finish()?;
    account.show_entry(id).ok_or_else(|| Refusal::missing("balance_transaction", "id", id))
}
