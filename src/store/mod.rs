//! All SQL, one file for each family of tables. Functions take `&mut PgConnection` and open no transaction:
//! transactions begin and end in [`crate::apply`], and read-only ones in [`crate::cli`].

pub mod api_calls;
pub mod consistency;
pub mod console;
pub mod desk;
pub mod erasure;
pub mod feed;
pub mod follow_ups;
pub mod gauges;
pub mod health;
pub mod inbox;
pub mod known;
pub mod ledger;
pub mod migrations;
pub mod notices;
pub mod objects;
pub mod old_bodies;
pub mod orders;
pub mod overview;
pub mod payments;
pub mod people;
pub mod queries;
pub mod rebuilds;
pub mod refund_requests;
pub mod replays;
pub mod responses;
pub mod retention;
pub mod session;
pub mod settings;
pub mod sources;
pub mod sqlstate;
pub mod syncs;
pub mod watch;

/// One value of each row, as the array that a statement unnests.
fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
