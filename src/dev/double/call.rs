//! One request of the API from its log entry to its answer: faults, key, idempotency, execution.
//!
//! Not here: the connection, and what a fault does to it.

use super::faults::{self, Fault, Kind};
use super::files::Upload;
use super::idempotency::{Key, Known};
use super::params::Params;
use super::refusal::{Refusal, Stage};
use super::requests::{Logged, latest};
use super::routes::{self, Operation};
use super::world::{PLATFORM, World};
use crate::dev::model::Cause;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) key: Option<String>,
    pub(super) account: Option<String>,
    pub(super) version: Option<String>,
    pub(super) idempotency_key: Option<String>,
    pub(super) params: Vec<(String, String)>,
    pub(super) upload: Option<Upload>,
}

/// The request after its first look.
#[derive(Debug)]
pub(super) struct Begun {
    /// Stripe's id of the request.
    pub(super) id: String,
    pub(super) fault: Option<Fault>,
    /// Its place in the log.
    place: usize,
    pub(super) step: Step,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Step {
    /// Answer at once.
    Answer(Reply),
    /// Execute it.
    Run,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) replayed: bool,
}

impl Call {
    /// Logs the request, and decides what is known without executing it. `wall_ms` is the wall clock in milliseconds.
    pub(super) fn begin(&self, world: &mut World, now: i64, wall_ms: i64) -> Begun {
        let id = world.ids.mint("req_");
        let fault = faults::take(&mut world.faults, &self.method, &self.path, now);
        let place = world.requests.len();
        world.requests.push(self.logged(&id, fault.as_ref(), (now, wall_ms)));
        let mut begun = Begun { id, fault, place, step: Step::Run };
        let limited = world.rate_limit.is_some_and(|limit| latest(&world.requests, self.account()) > limit);
        let limited = limited.then(rate_limited);
        if let Some(refusal) = limited.or_else(|| begun.fault.as_ref().and_then(refused_before)) {
            begun.step = Step::Answer(self.refuse(world, &begun, &refusal));
            return begun;
        }
        match self.admit(world, now) {
            Ok(Known::New) => {}
            Ok(Known::Replay(status, body)) => {
                let logged = &mut world.requests[place];
                (logged.status, logged.replayed) = (Some(status), true);
                begun.step = Step::Answer(Reply { status, body, replayed: true });
            }
            Err(refusal) => begun.step = Step::Answer(self.refuse(world, &begun, &refusal)),
        }
        begun
    }

    /// Executes the request, and keeps the answer for its idempotency key.
    pub(super) fn execute(&self, world: &mut World, begun: &Begun) -> Reply {
        let kind = begun.fault.as_ref().map(|fault| fault.kind);
        let answer = if kind == Some(Kind::ErrorBefore) { Err(internal()) } else { self.run(world, &begun.id) };
        let answer = if kind == Some(Kind::ErrorAfter) { Err(internal()) } else { answer };
        let key = self.idempotency();
        match answer {
            Ok(object) => {
                let (status, body) = (200, format!("{object:#}"));
                world.requests[begun.place].status = Some(status);
                key.iter().for_each(|key| world.kept.keep(key, status, &body));
                Reply { status, body, replayed: false }
            }
            Err(refusal) => {
                let reply = self.refuse(world, begun, &refusal);
                key.iter().for_each(|key| match refusal.stage {
                    Stage::Validation => world.kept.release(key),
                    Stage::Execution => world.kept.keep(key, reply.status, &reply.body),
                });
                reply
            }
        }
    }

    fn run(&self, world: &mut World, id: &str) -> super::refusal::Answer {
        let cause = Cause::Request { id: id.to_owned(), idempotency_key: self.idempotency_key.clone() };
        let (method, path, account) = (self.method.as_str(), self.path.as_str(), self.account());
        let (params, upload) = (Params::read(&self.params), self.upload.as_ref());
        routes::run(world, Operation { method, path, account, cause, version: self.version.as_deref(), params, upload })
    }

    /// Checks the API key and the account, then the idempotency key.
    fn admit(&self, world: &mut World, now: i64) -> Result<Known, Refusal> {
        let permission = routes::permission(&self.method, &self.path);
        world.keys.check(self.key.as_deref(), world.livemode, &permission)?;
        if !world.books.contains_key(self.account()) {
            let message = format!(
                "The provided key does not have access to account '{}' (or that account does not exist).",
                self.account()
            );
            return Err(Refusal::plain(403, "account_invalid", message));
        }
        match self.idempotency() {
            None => Ok(Known::New),
            Some(key) if key.1.len() > 255 => {
                Err(Refusal::plain(400, "", "Idempotency keys may have up to 255 characters."))
            }
            Some(key) => world.kept.claim(&key, &self.fingerprint(), now),
        }
    }

    fn account(&self) -> &str {
        self.account.as_deref().unwrap_or(PLATFORM)
    }

    fn idempotency(&self) -> Option<Key> {
        let key = self.idempotency_key.clone().filter(|_| self.method != "GET")?;
        Some((self.account().to_owned(), key))
    }

    /// What must be equal in all requests with one idempotency key.
    fn fingerprint(&self) -> String {
        let mut params = self.params.clone();
        params.sort();
        let file = self.upload.as_ref().map(|upload| (&upload.filename, upload.bytes.len()));
        format!("{} {} {params:?} {file:?}", self.method, self.path)
    }

    fn refuse(&self, world: &mut World, begun: &Begun, refusal: &Refusal) -> Reply {
        let Refusal { status, code, message, .. } = refusal;
        tracing::info!(request.id = begun.id, status, code, "{} {} refused: {message}", self.method, self.path);
        let logged = &mut world.requests[begun.place];
        (logged.status, logged.code) = (Some(*status), code.clone());
        Reply { status: *status, body: format!("{:#}", refusal.body(&begun.id)), replayed: false }
    }

    fn logged(&self, id: &str, fault: Option<&Fault>, (at, wall_ms): (i64, i64)) -> Logged {
        Logged {
            id: id.to_owned(),
            method: self.method.clone(),
            path: self.path.clone(),
            account: self.account().to_owned(),
            version: self.version.clone(),
            idempotency_key: self.idempotency_key.clone(),
            params: self.params.clone(),
            at,
            wall_ms,
            status: None,
            code: None,
            replayed: false,
            fault: fault.map(|fault| format!("{:?}", fault.kind)),
        }
    }
}

/// What a fault answers before anything happens.
fn refused_before(fault: &Fault) -> Option<Refusal> {
    match fault.kind {
        Kind::RateLimit => Some(rate_limited()),
        Kind::Conflict => {
            let message = "This object cannot be accessed right now because another API request or Stripe process is \
                           currently accessing it.";
            Some(Refusal::plain(409, "lock_timeout", message))
        }
        Kind::Refuse => {
            let (status, code) = (fault.status.unwrap_or(400), fault.code.as_deref().unwrap_or_default());
            let kind = if status < 500 { "invalid_request_error" } else { "api_error" };
            Some(Refusal::plain(status, code, "Refused on request.").of_kind(kind))
        }
        Kind::Unavailable => Some(Refusal::plain(503, "", "Unavailable on request.")),
        Kind::ErrorBefore | Kind::ErrorAfter | Kind::Slow | Kind::Silence | Kind::SlowBody => None,
        Kind::CutBefore => Some(Refusal::plain(499, "", "The connection is cut on request.")),
        Kind::CutAfter | Kind::CutBody => None,
    }
}

fn rate_limited() -> Refusal {
    Refusal::plain(429, "rate_limit", "Request rate limit exceeded.")
}

fn internal() -> Refusal {
    let message = "An error occurred with our connection to the bank.";
    Refusal { stage: Stage::Execution, ..Refusal::plain(500, "", message).of_kind("api_error") }
}
