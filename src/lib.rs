//! Clawback: a Stripe webhook receiver for the money that goes back.
//!
//! This page is the map of the code, for whoever changes it. How to use the service is told in
//! `README.md`, how to build and test it in `CONTRIBUTING.md`.
//!
//! # Bird's eye
//!
//! Stripe sends events: something happened to a charge, a refund, a dispute. They arrive twice, late, in
//! any order. Clawback does two things with them, apart from each other:
//!
//! - **Intake** checks the signature, stores the event as it came, commits, and answers 200. It does not
//!   ask what the event means.
//! - **The processor** takes stored events in batches and turns them into the state of payments and
//!   orders, and into *follow-ups*: things that somebody has to do now.
//!
//! Both are thin. What events mean is worked out by a **pure core** between them: functions of values, without
//! a clock, a database or a network. Services never talk to this process: they read views and call
//! functions of the database schema `clawback_v1`.
//!
//! # Floors
//!
//! A module imports only from lower floors; on floor 3 `http` also from `intake`. `tests/it/architecture.rs`
//! holds the sources against it.
//!
//! | floor | modules | their job |
//! |---|---|---|
//! | 6 | `main`, [`commands`] | the command line as a whole, and its exit code |
//! | 5 | `cli`, [`dev`] | operators' commands; what never runs in production: a service on a Postgres of its own, and made-up lives of payments |
//! | 4 | [`app`] | configuration, and the one place that puts a running service together |
//! | 3 | [`http`], [`intake`], [`processor`] | the webhook and the probes; storing events; when a batch runs, and what happens when one fails |
//! | 2 | [`apply`] | one batch: load, fold, save. Its transaction begins and ends here |
//! | 1 | [`store`], [`handlers`] | all SQL; Stripe's objects as facts (pure) |
//! | 0 | [`domain`], [`stripe`], [`telemetry`], `terminal` | what facts add up to (pure); signature, envelope, how to read an object (pure); the names of the metrics; what people are told |
//!
//! [`dev::stories`] imports nothing of all this: it tells lives of payments as the events that Stripe would send, for
//! `clawback simulate`, `clawback demo` and the tests.
//!
//! `domain` and `stripe` do not know each other. They meet in `handlers`, in one table.
//!
//! Beside the Rust stand the `migrations/`: worth reading first, from the ledger on. What services see begins with
//! `0006_views.sql`.
//!
//! # The way of one event
//!
//! 1. A request comes to [`http::router`], on a server with every wait and size bounded
//!    ([`http::server::serve`]). The body is read within limits of its own and of all requests together
//!    ([`intake::BodyBudget`]).
//! 2. [`stripe::signature::verify`] checks it against every configured secret, and
//!    [`stripe::envelope::Envelope::read`] takes what the ledger has columns for: id, type, account, mode.
//! 3. [`intake::Intake::record`] hands the event to the one [`intake::Writer`] and waits. The writer takes
//!    whatever has gathered, and stores it with one statement and one commit
//!    ([`store::inbox::record`]): the event, its exact body, and a row of pending work. One whose mode its secret does
//!    not vouch for is kept apart, and asks for no work.
//! 4. After the commit everyone who waits is answered 200, and the processor is woken. Had anything
//!    failed, the answer would be 503, and Stripe would send the event again.
//! 5. [`processor::Processor`] runs [`apply::batch`]. It takes an advisory lock, so that one batch runs at a
//!    time over all replicas ([`store::ledger::try_lock`]), and up to 100 pending events
//!    ([`store::ledger::take`]).
//! 6. [`handlers::read`] turns each body into [`domain::Facts`]: small snapshots in our own words of the
//!    objects that it shows. Nothing reads it: the event is `ignored`. It lacks what it must have: `failed`.
//! 7. The payments concerned are loaded and locked, with their follow-ups. An event of a payment that
//!    somebody else holds is left to a later batch. Facts that were made by other rules ([`domain::RULES`]) are made
//!    again from the ledger, from nothing, so that what was misread is retracted; beyond twenty payments, or 500 events
//!    of one, that is queued, and their events wait for it.
//! 8. [`apply::book::Book::post`] joins the facts of one event after another with what is known
//!    ([`domain::Facts::join`]), splits them by payment ([`domain::Facts::by_payment`]), and derives
//!    each payment anew ([`domain::derive`]) and the orders from their payments ([`domain::order()`]).
//!    What the history tells of it is found against the rows as they are stored ([`domain::history`]).
//! 9. What differs from what is stored is written, and rows that are derived no more are deleted: payments, refunds,
//!    disputes, orders. Stored facts are never derived again to compare with: an older release may have derived
//!    its rows otherwise, and they are mended by whatever event comes next.
//!    [`domain::align::align`] compares the follow-ups that are wanted with those that are stored, and
//!    says what to insert and what to withdraw.
//! 10. The events are marked ([`store::ledger::finish`]) and the batch commits: all of this, or nothing.
//!
//! # Why the order of arrival cannot matter
//!
//! Of each object, [`domain::Facts`] keeps the latest snapshot. "Latest" is a total order
//! ([`domain::Stamp`]): the time that Stripe gives, then how far along its life the object is, then the
//! amount refunded, then the event's id. Two different events never compare as equal.
//!
//! So joining two `Facts` is taking the larger of two stamped values, object by object, or the union of two
//! sets. That makes [`domain::Facts::join`]
//!
//! - commutative: `a` with `b` is `b` with `a`, so events may come in any order;
//! - associative: they may come in batches of any size, or payment by payment;
//! - idempotent: `a` with `a` is `a`, so they may come twice.
//!
//! Whatever the way, the same set of events gives the same joined value. Everything shown is a function of
//! that value: which payment an object belongs to ([`domain::Facts::by_payment`]), amounts, states, wanted
//! follow-ups ([`domain::derive`]). Nothing asks what was there before, and nothing adds up changes.
//!
//! Two things do depend on arrival, and are meant to. `order_history` is the list of what the service went
//! through. A follow-up that was wanted for a while and is not any more stays as `cancelled`,
//! or as `done` if somebody was quick.
//!
//! # Invariants
//!
//! Much of it is about what is *not* there. A reader cannot see that; so it is written down.
//!
//! - **Invariant:** an event is acknowledged only after its commit. No code path answers 2xx to the webhook
//!   but [`intake::Recorded`].
//! - **Invariant:** nothing unsigned is stored. A verified event has a type of its own in `http::webhook`, and
//!   verification is the only way to one.
//! - **Invariant:** the ledger holds the body exactly as it was signed. It is never parsed and written again.
//! - **Invariant:** `domain` and `handlers` are pure. No async, no clock, no random numbers, no SQL. "Now"
//!   is a word there ([`domain::align`] says "so many seconds after insertion"), and the database fills it in.
//! - **Invariant:** no amount is ever incremented. Amounts are sums over facts, made anew each time.
//! - **Invariant:** an event's *type* decides nothing. `data.object.object` chooses the handler; a type that
//!   was invented yesterday is read if it carries an object that is known.
//! - **Invariant:** an object never needs to have seen its parent. A dispute before its charge is a dispute.
//! - **Invariant:** Stripe's vocabulary stays text. An unknown word is kept and shown, never mapped to a
//!   known one, and never an error.
//! - **Invariant:** SQL stands in [`store`] and in `migrations/`, nowhere else. Functions in `store` take a
//!   connection and open no transaction.
//! - **Invariant:** no call leaves the process inside a transaction, nor on the way of a request, but to the
//!   database.
//! - **Invariant:** only the processor writes payments, orders and history; it alone adds follow-ups.
//!   Consumers change how far a follow-up is, by the functions of `clawback_v1`.
//! - **Invariant:** the processor relies on no session state. Its lock and its time-outs end with their
//!   transaction.
//! - **Invariant:** no migration drops or retypes a column of a view, or changes what a function takes or returns, of
//!   `clawback_v1`.
//! - **Invariant:** there is no cache and no state between batches. Whatever is in memory may be lost.
//! - **Invariant:** [`dev::stories`] uses no rule of the core. A story told with the rules it tests would agree
//!   with every mistake in them.
//! - **Invariant:** no text that comes from outside, and no error of the database, is in an answer. Answers
//!   are fixed words; bodies and signatures are in no log.
//!
//! # How to add …
//!
//! **… a rule, or a better reading.** Raise [`domain::RULES`]: what is stored is then made again from the ledger, payment
//! by payment as events come, or all at once by `clawback rebuild --all`.
//!
//! **… an event type.** Mostly nothing: if it carries an object that is known, it is read. Add it to the list
//! in `README.md` if state is poorer without it.
//!
//! **… an object.** A file in [`handlers`] with a function from the object to [`domain::Facts`], one entry
//! in [`handlers::HANDLERS`], and a sample event. What is new to know of it is a field of
//! [`domain::Facts`], with a join that takes the larger or the union. Give it a rank if two snapshots
//! of one second must be told apart.
//!
//! **… a follow-up.** One entry in `RULES` in `domain/wanted.rs`: a kind, and a function from a payment and
//! its facts to what is wanted. Inserting and withdrawing follows by itself. Describe it in `docs/SQL.md`.
//!
//! **… a state.** A variant of [`domain::State`], at its place in the ladder, and a migration that
//! widens the checks of `payments`, `orders` and `order_history` (as in `0002_state.sql`).
//!
//! **… a constraint.** A new migration, and a statement that it refuses in `tests/it/invariants.rs`, which
//! asks for one for each.
//!
//! **… a column of the interface.** A new migration: the private table, then `create or replace view` with
//! the column *at the end*. Then the row in [`store`], the field in [`domain::Payment`] or beside it, and
//! `scripts/sqlx-data.sh write`.
//!
//! **… a function of the interface.** A new migration: plpgsql, `security definer`, a fixed `search_path`, every
//! name qualified, a comment, and `revoke all … from public`. Then its line in `cli/grants.rs`.
//!
//! **… a story.** One function in `dev/stories/scenarios.rs` and one entry in `dev/stories/catalogue.rs`.
//! `clawback simulate --list` shows it, and `clawback demo` tells it.
//!
//! **… a command.** A file in `cli/` and a variant in `commands.rs`. What it shows, it reads by [`store::queries`], from
//! `clawback_v1` as any service would, and names as columns; its JSON is documented in `docs/CLI.md`.
//!
//! # Where the next things belong
//!
//! - The client of Stripe's API: in [`stripe`], floor 0, knowing no payment.
//! - The executor that calls Stripe (refunds, evidence): on floor 3 beside [`processor`], as a consumer of
//!   follow-ups whose kind begins with `stripe_`, which nobody else can claim. Its row is committed before
//!   the call, and the call is made outside any transaction.
//! - What was fetched from Stripe: as an event in the ledger, so that the set of events stays the whole
//!   truth. What people say is such an event already: `clawback.linked`, `clawback.dismissed`.
//! - Commands for operators, retention, personal data: in `cli`, with their SQL in [`store`].

pub mod app;
pub mod apply;
pub mod cli;
pub mod commands;
pub mod dev;
pub mod domain;
pub mod handlers;
pub mod http;
pub mod intake;
pub mod processor;
pub mod store;
pub mod stripe;
pub mod telemetry;
mod terminal;
