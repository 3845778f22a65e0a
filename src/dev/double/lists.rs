//! Lists as Stripe pages them: newest first, by cursors, with filters by the ids of parents and by time.

use serde_json::{Value, json};

use super::params::Params;
use super::refusal::{Answer, Refusal};
use crate::dev::model::objects::{ApplicationFee, Charge, Dispute, Intent, Refund, Review, Session, Transfer, Warning};
use crate::dev::model::{Account, Id, Object};

/// A kind of object that the API lists and retrieves.
pub(super) trait Resource: Object {
    /// What Stripe calls it when there is none.
    const NOUN: &'static str;
    /// The path of its list.
    const URL: &'static str;
    /// The filters by parent, such as `charge`.
    const FILTERS: &'static [&'static str];
    /// Whether the list shows it.
    fn is_listed(&self) -> bool {
        true
    }
    /// The parent that a filter is about.
    fn parent<'a>(&'a self, account: &'a Account, filter: &str) -> Option<&'a str>;
}

macro_rules! resource {
    ($kind:ty, $noun:literal, $url:literal, $filters:expr, |$it:ident, $account:ident, $filter:ident| $parent:expr) => {
        impl Resource for $kind {
            const NOUN: &'static str = $noun;
            const URL: &'static str = $url;
            const FILTERS: &'static [&'static str] = &$filters;
            fn parent<'a>(&'a self, $account: &'a Account, $filter: &str) -> Option<&'a str> {
                let $it = self;
                $parent
            }
        }
    };
}

const OF_CHARGE: [&str; 2] = ["charge", "payment_intent"];
const OF_INTENT: [&str; 2] = ["payment_intent", "customer"];

resource!(Charge, "charge", "/v1/charges", OF_INTENT, |it, _account, filter| match filter {
    "payment_intent" => it.payment_intent.as_ref().map(Id::as_str),
    _ => Some(it.purchase.customer.as_str()),
});
resource!(Intent, "payment_intent", "/v1/payment_intents", ["customer"], |it, _account, _filter| {
    Some(it.purchase.customer.as_str())
});
resource!(Session, "checkout.session", "/v1/checkout/sessions", OF_INTENT, |it, _account, filter| match filter {
    "payment_intent" => it.payment_intent.as_ref().map(Id::as_str),
    _ => Some(it.purchase.customer.as_str()),
});
resource!(Refund, "refund", "/v1/refunds", OF_CHARGE, |it, account, filter| of(&it.charge, account, filter));
resource!(Dispute, "dispute", "/v1/disputes", OF_CHARGE, |it, account, filter| of(&it.charge, account, filter));
resource!(Warning, "early_fraud_warning", "/v1/radar/early_fraud_warnings", OF_CHARGE, |it, account, filter| {
    of(&it.charge, account, filter)
});
resource!(Transfer, "transfer", "/v1/transfers", ["destination"], |it, _account, _filter| Some(
    it.destination.as_str()
));
resource!(ApplicationFee, "application_fee", "/v1/application_fees", ["charge"], |it, _account, _filter| {
    Some(it.charge.as_str())
});

impl Resource for Review {
    const NOUN: &'static str = "review";
    const URL: &'static str = "/v1/reviews";
    const FILTERS: &'static [&'static str] = &[];
    /// Open ones only.
    fn is_listed(&self) -> bool {
        self.closed_reason.is_none()
    }
    fn parent<'a>(&'a self, _account: &'a Account, _filter: &str) -> Option<&'a str> {
        None
    }
}

/// A charge or its intent.
fn of<'a>(charge: &'a Id<Charge>, account: &'a Account, filter: &str) -> Option<&'a str> {
    match filter {
        "charge" => Some(charge.as_str()),
        _ => account.get(charge).payment_intent.as_ref().map(Id::as_str),
    }
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    after: Option<String>,
    before: Option<String>,
    created: Vec<(&'static str, i64)>,
}

impl Page {
    /// Takes the parameters that all lists have.
    pub(super) fn take(params: &mut Params) -> Result<Self, Refusal> {
        let limit = params.integer("limit")?.unwrap_or(10);
        let (after, before) = (params.text("starting_after")?, params.text("ending_before")?);
        if after.is_some() && before.is_some() {
            let message = "You may only specify one of these parameters: starting_after, ending_before.";
            return Err(params.bad("parameters_exclusive", "starting_after", message));
        }
        let limit = usize::try_from(limit).ok().filter(|limit| (1..=100).contains(limit));
        let limit = limit.ok_or_else(|| {
            params.bad("parameter_invalid_integer", "limit", "Limit must be an integer from 1 to 100.")
        })?;
        Ok(Self { limit, after, before, created: created(params)? })
    }

    /// Whether something made at this time is asked for.
    pub(super) fn wants(&self, at: i64) -> bool {
        self.created.iter().all(|(test, limit)| match *test {
            "gt" => at > *limit,
            "gte" => at >= *limit,
            "lt" => at < *limit,
            "lte" => at <= *limit,
            _ => at == *limit,
        })
    }

    /// The part of these that is asked for. They come newest first.
    pub(super) fn cut<T>(
        &self,
        (noun, url): (&str, &str),
        all: &[T],
        id: impl Fn(&T) -> &str,
        show: impl Fn(&T) -> Value,
    ) -> Answer {
        let place = |cursor: &String, param: &str| {
            let place = all.iter().position(|object| id(object) == cursor);
            place.ok_or_else(|| Refusal { status: 400, ..Refusal::missing(noun, param, cursor) })
        };
        let (from, to) = match (&self.after, &self.before) {
            (Some(id), _) => {
                let from = place(id, "starting_after")? + 1;
                (from, all.len().min(from + self.limit))
            }
            (None, Some(id)) => {
                let to = place(id, "ending_before")?;
                (to.saturating_sub(self.limit), to)
            }
            (None, None) => (0, all.len().min(self.limit)),
        };
        let has_more = if self.before.is_some() { from > 0 } else { to < all.len() };
        let data: Vec<_> = all[from..to].iter().map(show).collect();
        Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
    }
}

fn created(params: &mut Params) -> Result<Vec<(&'static str, i64)>, Refusal> {
    if !params.is_tree("created") {
        return Ok(params.integer("created")?.map(|at| ("is", at)).into_iter().collect());
    }
    let mut below = params.below("created")?;
    let mut limits = Vec::new();
    for test in ["gt", "gte", "lt", "lte"] {
        limits.extend(below.integer(test)?.map(|at| (test, at)));
    }
    below.finish()?;
    Ok(limits)
}

/// A page of the objects of one kind that were made no later than `until`, in unix seconds.
pub(super) fn list<T: Resource>(account: &Account, until: i64, mut params: Params) -> Answer {
    let page = Page::take(&mut params)?;
    let mut filters = Vec::new();
    for filter in T::FILTERS {
        filters.extend(params.text(filter)?.map(|id| (*filter, id)));
    }
    params.finish()?;
    let wanted = |object: &&T| {
        object.is_listed()
            && object.created() <= until
            && page.wants(object.created())
            && filters.iter().all(|(filter, id)| object.parent(account, filter) == Some(id))
    };
    let all: Vec<_> = account.list::<T>().rev().filter(wanted).collect();
    page.cut((T::NOUN, T::URL), &all, |object| object.id().as_str(), |object| object.render(account))
}

/// One object.
pub(super) fn retrieve<T: Resource>(account: &Account, id: &str, params: Params) -> Answer {
    params.finish()?;
    Ok(find::<T>(account, id)?.render(account))
}

/// The object of the path with this id.
pub(super) fn find<'a, T: Resource>(account: &'a Account, id: &str) -> Result<&'a T, Refusal> {
    account.find::<T>(id).ok_or_else(|| Refusal::missing(T::NOUN, "id", id))
}
