//! Clawback: a Stripe webhook receiver for refunds and disputes.
//!
//! This page is the map of the code, for contributors. `README.md` explains how to use the service, `CONTRIBUTING.md`
//! how to build and test it.
//!
//! # Bird's eye view
//!
//! Stripe sends events: something happened to a charge, a refund, a dispute. They arrive more than once, late, and in
//! any order. Clawback does two separate things with them:
//!
//! - **Intake** verifies the signature, stores the event as received, commits, and answers 200. It does not look at what
//!   the event means.
//! - **The processor** takes stored events in batches and turns them into the state of payments and orders, and into
//!   *follow-ups*: work that somebody has to do now.
//!
//! Both are thin. What events mean is worked out by a **pure core** between them: functions of values, without a clock,
//! a database or a network. Services never talk to this process: they read views and call functions of the database
//! schema `clawback_v1`.
//!
//! # Floors
//!
//! A module imports only from lower floors. `tests/it/architecture.rs` enforces this.
//!
//! | floor | modules | job |
//! |---|---|---|
//! | 7 | `main`, [`commands`] | the command line as a whole, and its exit codes |
//! | 6 | `cli`, [`dev`] | operators' commands; what never runs in production: a service on a private Postgres, a model of Stripe and stories told with it |
//! | 5 | [`app`] | configuration, and the one place that puts a running service together |
//! | 4 | [`console`] | the operators' pages: who enters, what they see, what they do |
//! | 3 | [`http`], [`processor`], [`executor`], [`sync`], [`desk`], [`notices`], [`retention`], [`erasure`], [`watch`] | the webhook, the probes and metrics; when a batch runs, and what happens when one fails; the calls to Stripe that wait; what webhooks did not bring; what is done about disputes before a deadline; reminders posted to a webhook; removing what is old enough; erasing personal data; asking once a second what is due, for the others |
//! | 2 | [`intake`], [`apply`] | storing events with group commit; one batch: load, fold, save. Transactions begin and end here |
//! | 1 | [`store`], [`handlers`], [`stripe_api`], [`evidence`], `terminal` | all SQL; Stripe's objects as facts (pure); the client of Stripe's API, which knows no payment; drafts of evidence (pure); output for people |
//! | 0 | [`domain`], [`stripe`], [`telemetry`], `backoff` | what facts add up to (pure); signature, envelope, reading of objects (pure); metrics; the back-off policy |
//!
//! [`dev::model`] is a model of Stripe: objects by id that change and emit the events that Stripe would send.
//! [`dev::stories`] are scripts on it, for `clawback simulate`, `clawback demo` and the tests. Neither imports anything
//! of all this. [`dev::double`] answers Stripe's API from the model, for `clawback stripe-double` and the tests.
//!
//! `domain` and `stripe` do not know each other. They meet in `handlers`, in one table.
//!
//! Beside the Rust stand the `migrations/`: worth reading first, from the ledger on. What services see begins with
//! `0006_views.sql`.
//!
//! # The path of one event
//!
//! 1. A request arrives at [`http::router`], on a server that limits every wait and size ([`http::server::serve`]). The
//!    body is read within its own limit and one for all requests together ([`intake::memory::BodyMemory`]).
//! 2. [`stripe::signature::verify`] checks it against every configured secret, and
//!    [`stripe::envelope::Envelope::read`] parses what the ledger has columns for: id, type, account, mode.
//! 3. [`intake::Intake::record`] hands the event to the one [`intake::Writer`] and waits. The writer takes whatever has
//!    gathered and stores it with one statement and one commit ([`store::inbox::record`]): the event, its exact body,
//!    and a pending row. An event whose `livemode` does not match its signing secret is kept apart and not processed.
//! 4. After the commit every waiting request is answered 200, and the processor is notified. After any failure the
//!    answer is 503, and Stripe resends the event.
//! 5. [`processor::Processor`] runs [`apply::batch`]. It takes an advisory lock, so that one batch runs at a time over
//!    all replicas ([`store::ledger::try_lock`]), and up to 500 pending events ([`store::ledger::take`]).
//! 6. [`handlers::read`] turns each body into [`domain::Facts`]: small snapshots, in our own terms, of the objects it
//!    shows. An event that no handler reads is `ignored`; one that lacks a required field is `failed`.
//! 7. The payments concerned are loaded and locked, with their follow-ups. Events of a payment of which another
//!    transaction holds a row are left to a later batch. Facts made by other rules ([`domain::RULES_VERSION`]) are rebuilt from
//!    the ledger, from nothing, so that what was misread is retracted; more than twenty payments, or one with more than
//!    500 events, are queued for a rebuild, and their events wait for it.
//! 8. [`apply::working_set::WorkingSet::fold`] joins the facts of one event after another with the known ones
//!    ([`domain::Facts::join`]), splits them by payment ([`domain::Facts::by_payment`]), and re-derives each payment
//!    ([`domain::derive`]) and the orders from their payments ([`domain::order()`]). History is found by comparing with
//!    the stored rows ([`domain::history`]).
//! 9. Rows that differ from the stored ones are written, and rows that are no longer derived are deleted: payments,
//!    refunds, disputes, orders. Stored facts are never re-derived to compare with: an older release may have derived
//!    its rows differently, and whatever event comes next corrects them. [`domain::reconcile::reconcile`] compares the
//!    desired follow-ups with the stored ones, and says what to insert and what to cancel.
//! 10. With an API key, reads of Stripe are enqueued: of objects that contradict what is known
//!     ([`domain::Facts::contradicted_by`]) or are missing ([`domain::Facts::missing_for`]), and of those that thin events
//!     name. [`executor`] makes them. An answer that is news ([`apply::only_news`]) enters the ledger as
//!     `clawback.fetched` and is an event like any other.
//! 11. The events are marked ([`store::ledger::finish`]) and the batch commits: all of this, or nothing.
//!
//! # What no webhook brings
//!
//! [`sync`] lists, from where its last complete pass began, the events that Stripe could not deliver. They are stored by the
//! same statement as webhooks, and from there on nothing distinguishes them. A page and the pass's position are stored in
//! one transaction, so whoever continues after a crash neither skips nor repeats much.
//!
//! Where there are no events to list (an import, a long outage, an open dispute that is read again), objects are read. Such an
//! object becomes an event of our own, `clawback.fetched` ([`stripe::fetched`]), dated by Stripe's clock to before the call, so
//! that a webhook that was sent meanwhile wins. It is stored only if it would change facts or what is derived from them
//! ([`apply::only_news`]).
//!
//! # A response to a dispute
//!
//! A draft is a row of `dispute_responses`, one for each dispute and phase, and its files. The functions of
//! `migrations/0014_evidence_functions.sql` change it: each locks the payment and the row, checks Stripe's limits, raises
//! the version, and derives again what is missing and what is wrong. Once a draft is complete, a call stages it at Stripe.
//! Submitting and accepting are states and calls of the same transaction; [`executor`] reads the dispute before it sends
//! anything final, and recognises its own submission by metadata. [`desk`] counts pages and acts before deadlines;
//! [`evidence`] knows what can be filled in. Every batch that changes a dispute brings its open response in line
//! ([`store::responses::settle`]).
//!
//! # Why the order of arrival cannot matter
//!
//! Of each object, [`domain::Facts`] keeps the latest snapshot. "Latest" is a total order ([`domain::Stamp`]): the time
//! that Stripe gives, then how far along its life the object is, then the amount refunded, then the event's id. Two
//! different events never compare as equal.
//!
//! So joining two `Facts` takes the larger of two stamped values, object by object, or the union of two sets. That makes
//! [`domain::Facts::join`]
//!
//! - commutative: `a` with `b` is `b` with `a`, so events may come in any order;
//! - associative: they may come in batches of any size, or payment by payment;
//! - idempotent: `a` with `a` is `a`, so they may come twice.
//!
//! Whatever the path, the same set of events gives the same joined value. Everything shown is a function of that value:
//! which payment an object belongs to ([`domain::Facts::by_payment`]), amounts, states, desired follow-ups
//! ([`domain::derive`]). Nothing depends on what was there before, and nothing adds up changes.
//!
//! Two things do depend on arrival, by design. `order_history` lists what the service went through. A follow-up that
//! was wanted for a while and no longer is stays as `cancelled`, or as `done` if a consumer was quick.
//!
//! # Invariants
//!
//! Many of them are about what is *not* there, which a reader cannot see.
//!
//! - **Invariant:** an event is acknowledged only after its commit. No code path answers 2xx to the webhook without an
//!   [`intake::Recorded`].
//! - **Invariant:** nothing unsigned is stored. A verified event has a type of its own in `http::webhook`, and
//!   verification is the only way to one.
//! - **Invariant:** the ledger holds the body exactly as it was signed. It is never parsed and written again, except by
//!   [`erasure`], which marks it.
//! - **Invariant:** `domain` and `handlers` are pure. No async, no clock, no random numbers, no SQL. "Now" is a value
//!   there ([`domain::RunAt::After`] says "so many seconds after insertion"), and the database fills it in.
//! - **Invariant:** no amount is ever incremented. Amounts are sums over facts, computed from scratch each time.
//! - **Invariant:** an event's *type* decides nothing. `data.object.object` chooses the handler; an event of a new type
//!   is read if it carries a known object.
//! - **Invariant:** an object never needs to have seen its parent. A dispute before its charge is a dispute.
//! - **Invariant:** Stripe's vocabulary stays text. An unknown word is kept and shown, never mapped to a known one, and
//!   never an error.
//! - **Invariant:** SQL stands in [`store`] and in `migrations/`, nowhere else. Functions in `store` take a connection
//!   and open no transaction.
//! - **Invariant:** inside a transaction, and on the path of a request, the only network call is to the database.
//! - **Invariant:** only the processor writes payments, orders and history; it alone adds follow-ups. Consumers change
//!   the state of a follow-up, by the functions of `clawback_v1`.
//! - **Invariant:** the processor relies on no session state. Its lock and its time-outs end with their transaction.
//! - **Invariant:** no migration drops or retypes a column of a view of `clawback_v1`, or changes what one of its
//!   functions takes or returns.
//! - **Invariant:** a rebuild or a replay asks nothing of Stripe. Reads follow from folding in an event for the first time.
//! - **Invariant:** no row of `events` is deleted, so a duplicate is recognised for ever; only bodies are, once no rebuild by
//!   the present rules needs them ([`retention`]).
//! - **Invariant:** there is no cache and no state between batches. Whatever is in memory may be lost.
//! - **Invariant:** [`dev::model`] and [`dev::stories`] use no rule of the core. A story told with the rules it tests
//!   would agree with every mistake in them.
//! - **Invariant:** no text from outside, and no database error, is in an HTTP answer. Answers are fixed words; bodies
//!   and signatures are in no log.
//!
//! # How to add …
//!
//! **… a rule, or a better reading.** Raise [`domain::RULES_VERSION`]: stored facts are then rebuilt from the ledger, payment by
//! payment as events come, or all at once by `clawback rebuild --all`.
//!
//! **… an event type.** Usually nothing: if it carries a known object, it is read. Add it to the list in `README.md` if
//! order state is poorer without it.
//!
//! **… an object.** A file in [`handlers`] with a function from the object to [`domain::Facts`], one entry in
//! [`handlers::HANDLERS`], and a sample event. What it adds to the facts is a field of [`domain::Facts`], with a join
//! that takes the larger or the union. Give it a rank if two snapshots of one second must be told apart.
//!
//! **… a follow-up.** One entry in `FOLLOW_UP_RULES` in `domain/desired.rs`: a kind, and a function from a payment and its facts
//! to what is desired. Inserting and cancelling follow from it. Describe it in `docs/SQL.md`.
//!
//! **… a state.** A variant of [`domain::State`], at its place in the order of precedence, and a migration that widens
//! the checks of `payments`, `orders` and `order_history` (as in `0002_state.sql`).
//!
//! **… a constraint.** A new migration, and a statement that it refuses in `tests/it/invariants.rs`, which requires one
//! for each constraint.
//!
//! **… a column of the interface.** A new migration: the private table, then `create or replace view` with the column
//! *at the end*. Then the row in [`store`], the field in [`domain::Payment`] or beside it, and `scripts/sqlx-data.sh
//! write`.
//!
//! **… a function of the interface.** A new migration: plpgsql, `security definer`, a fixed `search_path`, every name
//! qualified, a comment, and `revoke all … from public`. Then its line in `cli/grants.rs`.
//!
//! **… a story.** One function in `dev/stories/scenarios.rs` and one entry in `dev/stories/catalogue.rs`. `clawback
//! simulate --list` shows it, and `clawback demo` plays it.
//!
//! **… a command.** A file in `cli/` and a variant in `commands.rs`. What it shows, it reads by [`store::queries`], from
//! `clawback_v1` as any service would, and names as columns; its JSON is documented in `docs/CLI.md`.
//!
//! **… a page of the console.** A file in `console/pages/` with a handler that reads and a pure function from what it read to
//! markup, and its line with the right it takes in `console/pages/mod.rs`. It reads by [`store::queries`], as the command does
//! that shows the same; text from outside goes through `console/parts.rs`. `tests/it/console_crawl.rs` finds it by its links.
//!
//! # Where the next things belong
//!
//! - Another endpoint of Stripe's: a method in [`stripe_api`], and a request of Stripe's SDK to compare it with, in
//!   `scripts/sdk-requests.py`.
//! - Another call that changes something at Stripe: in [`executor`]. A call is a row that is committed before
//!   it is made, and no call is made inside a transaction.
//! - Another evidence field: a row of `clawback.evidence_fields`; what a reason calls for: `clawback.evidence_called_for`,
//!   both in `migrations/0013_evidence.sql`. Where a field is filled in from: `evidence/draft.rs`.
//! - Another thing to do before a deadline: a variant of [`store::desk::Kind`], found by
//!   `clawback.desk_tasks` in `migrations/0015_automatic_responses.sql`.
//! - Another reason to read from Stripe: in `domain/reads.rs`. Another kind of read: a variant of [`domain::ReadKind`], and
//!   its call in `executor/read.rs`.
//! - Another list of Stripe's to catch up with: a variant of `List` in `sync/part.rs`.
//! - What was fetched from Stripe: an event in the ledger, so that the set of events stays the whole truth. What people
//!   say is such an event already: `clawback.linked`, `clawback.dismissed`.
//! - Commands for operators, personal data: in `cli`, with their SQL in [`store`].
//! - Another field that a reader reads: also in `handlers/erase.rs`, or it is removed from erased bodies.
//! - Another table or column that may hold personal data: `clawback.erase_payment` in `migrations/0019_erasure.sql`.
//! - Something else to remove when it is old: a variant of [`store::retention::Part`] and its statement.

pub mod app;
pub mod apply;
mod backoff;
pub mod cli;
pub mod commands;
pub mod console;
pub mod desk;
pub mod dev;
pub mod domain;
pub mod erasure;
pub mod evidence;
pub mod executor;
pub mod handlers;
pub mod http;
pub mod intake;
pub mod notices;
pub mod processor;
pub mod retention;
pub mod store;
pub mod stripe;
pub mod stripe_api;
pub mod sync;
pub mod telemetry;
mod terminal;
pub mod watch;
