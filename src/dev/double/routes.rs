//! Which operation a method and a path name. Permissions are named as Stripe names those of restricted keys.

use super::files::{self, Upload};
use super::lists::{self, Resource};
use super::params::Params;
use super::refusal::{Answer, Refusal};
use super::world::World;
use super::{disputes, events, expand, payments, refunds};
use crate::dev::model::Cause;
use crate::dev::model::objects::{Charge, Dispute, Intent, Refund, Review, Session, Warning};

/// A request as an operation needs it.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// The account that it is about.
    pub(super) account: &'a str,
    pub(super) cause: Cause,
    pub(super) params: Params,
    pub(super) upload: Option<&'a Upload>,
}

/// The permission that a restricted key needs.
pub(super) fn permission(method: &str, path: &str) -> String {
    let mut parts = path.split('/').skip(2);
    let resource = match parts.next().unwrap_or_default() {
        "charges" | "refunds" => "charge",
        "checkout" => "checkout_session",
        "radar" => "early_fraud_warning",
        "core" => "event",
        "webhook_endpoints" => "webhook",
        other => other.trim_end_matches('s'),
    };
    format!("rak_{resource}_{}", if method == "GET" { "read" } else { "write" })
}

/// Runs an operation, and expands what was asked for in its answer.
pub(super) fn run(world: &mut World, mut operation: Operation<'_>) -> Answer {
    let paths = operation.params.list("expand")?;
    let account = operation.account.to_owned();
    let mut answer = dispatch(world, operation)?;
    expand::expand(&world.books[&account].account, &mut answer, &paths)?;
    Ok(answer)
}

fn dispatch(world: &mut World, operation: Operation<'_>) -> Answer {
    let Operation { method, path, account, cause, params, upload } = operation;
    let World { books, hooks, livemode, list_lag, .. } = world;
    let Some(books) = books.get_mut(account) else {
        return Err(Refusal::plain(403, "account_invalid", format!("No such account: {account}")));
    };
    let until = books.account.now - *list_lag;
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, parts.as_slice()) {
        ("POST", ["v1", "refunds"]) => refunds::create(books, &cause, params),
        ("POST", ["v1", "refunds", id]) => refunds::update(books, &cause, id, params),
        ("POST", ["v1", "refunds", id, "cancel"]) => refunds::cancel(books, &cause, id, params),
        ("POST", ["v1", "charges", id]) => payments::update_charge(books, &cause, id, params),
        ("POST", ["v1", "payment_intents"]) => payments::create(books, &cause, params),
        ("POST", ["v1", "payment_intents", id]) => payments::update(books, id, params),
        ("POST", ["v1", "payment_intents", id, "confirm"]) => payments::confirm(books, &cause, id, params),
        ("POST", ["v1", "payment_intents", id, "capture"]) => payments::capture(books, &cause, id, params),
        ("POST", ["v1", "payment_intents", id, "cancel"]) => payments::cancel(books, &cause, id, params),
        ("POST", ["v1", "disputes", id]) => disputes::update(books, &cause, id, params),
        ("POST", ["v1", "disputes", id, "close"]) => disputes::close(books, &cause, id, params),
        ("POST", ["v1", "files"]) => files::create(books, upload, params),
        ("GET", ["v1", "files"]) => files::list(books, params),
        ("GET", ["v1", "files", id]) => files::retrieve(books, id, params),
        ("GET", ["v1", "events"]) => events::list(books, hooks, until, params),
        ("GET", ["v1", "events", id]) => events::retrieve(books, id, params),
        ("GET", ["v2", "core", "events", id]) => events::retrieve_thin(books, id, params),
        ("GET", ["v1", "webhook_endpoints"]) => events::list_endpoints(hooks, *livemode, params),
        ("GET", ["v1", "webhook_endpoints", id]) => events::retrieve_endpoint(hooks, *livemode, id, params),
        ("GET", _) => {
            let account = &books.account;
            let read = Read { path, account, until, params };
            read.of::<Charge>()
                .or_else(Read::of::<Refund>)
                .or_else(Read::of::<Intent>)
                .or_else(Read::of::<Dispute>)
                .or_else(Read::of::<Session>)
                .or_else(Read::of::<Warning>)
                .or_else(Read::of::<Review>)
                .unwrap_or_else(|_| Err(unknown(method, path)))
        }
        _ => Err(unknown(method, path)),
    }
}

fn unknown(method: &str, path: &str) -> Refusal {
    Refusal::plain(404, "", format!("Unrecognized request URL ({method}: {path})."))
}

/// A request that lists or retrieves objects of some kind.
struct Read<'a> {
    path: &'a str,
    account: &'a crate::dev::model::Account,
    until: i64,
    params: Params,
}

impl Read<'_> {
    /// The answer if the path is of this kind, else the request again.
    fn of<T: Resource>(self) -> Result<Answer, Self> {
        let Self { path, account, until, params } = self;
        match path.strip_prefix(T::URL) {
            Some("") => Ok(lists::list::<T>(account, until, params)),
            Some(rest) if rest.len() > 1 && rest.starts_with('/') && !rest[1..].contains('/') => {
                Ok(lists::retrieve::<T>(account, &rest[1..], params))
            }
            _ => Err(Self { path, account, until, params }),
        }
    }
}
