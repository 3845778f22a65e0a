//! Which operation a method and a path name. Permissions are named as Stripe names those of restricted keys.

use super::books::Books;
use super::files::{self, Upload};
use super::lists::{self, Resource};
use super::params::Params;
use super::refusal::{Answer, Refusal};
use super::world::World;
use super::{balance, charges, disputes, events, expand, payments, refunds, sessions};
use crate::dev::model::objects::{ApplicationFee, Charge, Dispute, Intent, Refund, Review, Session, Transfer, Warning};
use crate::dev::model::{Account, Cause};

/// A request as an operation needs it.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// The account that it is about.
    pub(super) account: &'a str,
    pub(super) cause: Cause,
    /// The `Stripe-Version` of the request.
    pub(super) version: Option<&'a str>,
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
    if !world.books.contains_key(operation.account) {
        return Err(Refusal::plain(403, "account_invalid", format!("No such account: {}", operation.account)));
    }
    match operation.method {
        "GET" => read(world, operation),
        "POST" => write(&mut world.books[operation.account], operation),
        _ => Err(unknown(operation.method, operation.path)),
    }
}

fn unknown(method: &str, path: &str) -> Refusal {
    Refusal::plain(404, "", format!("Unrecognized request URL ({method}: {path})."))
}

fn parts(path: &str) -> Vec<&str> {
    path.trim_start_matches('/').split('/').collect()
}

fn write(books: &mut Books, operation: Operation<'_>) -> Answer {
    let Operation { method, path, cause: by, version, params, upload, .. } = operation;
    match parts(path).as_slice() {
        ["v1", "refunds"] => refunds::create(books, &by, params),
        ["v1", "refunds", id] => refunds::update(books, &by, id, params),
        ["v1", "refunds", id, "cancel"] => refunds::cancel(books, &by, id, params),
        ["v1", "charges"] => charges::create(books, &by, params),
        ["v1", "charges", id] => charges::update(books, &by, id, params),
        ["v1", "charges", id, "capture"] => charges::capture(books, &by, id, version, params),
        ["v1", "payment_intents"] => payments::create(books, &by, params),
        ["v1", "payment_intents", id] => payments::update(books, id, params),
        ["v1", "payment_intents", id, "confirm"] => payments::confirm(books, &by, id, params),
        ["v1", "payment_intents", id, "capture"] => payments::capture(books, &by, id, version, params),
        ["v1", "payment_intents", id, "cancel"] => payments::cancel(books, &by, id, version, params),
        ["v1", "checkout", "sessions"] => sessions::create(books, params),
        ["v1", "checkout", "sessions", id, "expire"] => sessions::expire(books, &by, id, params),
        ["v1", "reviews", id, "approve"] => sessions::approve(books, &by, id, params),
        ["v1", "disputes", id] => disputes::update(books, &by, id, params),
        ["v1", "disputes", id, "close"] => disputes::close(books, &by, id, params),
        ["v1", "files"] => files::create(books, upload, params),
        _ => Err(unknown(method, path)),
    }
}

fn read(world: &World, operation: Operation<'_>) -> Answer {
    let Operation { method, path, account, params, .. } = operation;
    let World { hooks, livemode, list_lag, .. } = world;
    let books = &world.books[account];
    let until = books.account.now - list_lag;
    match parts(path).as_slice() {
        ["v1", "files"] => files::list(books, params),
        ["v1", "files", id] => files::retrieve(books, id, params),
        ["v1", "balance_transactions"] => balance::list(&books.account, until, params),
        ["v1", "balance_transactions", id] => balance::retrieve(&books.account, id, params),
        ["v1", "events"] => events::list(books, hooks, until, params),
        ["v1", "events", id] => events::retrieve(books, id, params),
        ["v2", "core", "events", id] => events::retrieve_thin(books, id, params),
        ["v1", "webhook_endpoints"] => events::list_endpoints(hooks, *livemode, params),
        ["v1", "webhook_endpoints", id] => events::retrieve_endpoint(hooks, *livemode, id, params),
        _ => {
            let mut read = Read { path, account: &books.account, until, params };
            read.of_any().unwrap_or_else(|| Err(unknown(method, path)))
        }
    }
}

/// A request that lists or retrieves objects of some kind.
struct Read<'a> {
    path: &'a str,
    account: &'a Account,
    until: i64,
    params: Params,
}

impl Read<'_> {
    /// The answer, if the path is of any kind.
    fn of_any(&mut self) -> Option<Answer> {
        self.of::<Charge>()
            .or_else(|| self.of::<Refund>())
            .or_else(|| self.of::<Intent>())
            .or_else(|| self.of::<Dispute>())
            .or_else(|| self.of::<Session>())
            .or_else(|| self.of::<Warning>())
            .or_else(|| self.of::<Review>())
            .or_else(|| self.of::<Transfer>())
            .or_else(|| self.of::<ApplicationFee>())
    }

    /// The answer, if the path is of this kind.
    fn of<T: Resource>(&mut self) -> Option<Answer> {
        let rest = self.path.strip_prefix(T::URL)?;
        if rest.is_empty() {
            return Some(lists::list::<T>(self.account, self.until, std::mem::take(&mut self.params)));
        }
        let id = rest.strip_prefix('/').filter(|id| !id.is_empty() && !id.contains('/'))?;
        Some(lists::retrieve::<T>(self.account, id, std::mem::take(&mut self.params)))
    }
}
