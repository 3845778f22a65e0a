//! All SQL, one file for each family of tables. Functions take `&mut PgConnection`: transactions begin
//! and end in [`crate::apply`], and one that only reads in [`crate::cli`].

pub mod consistency;
pub mod follow_ups;
pub mod gauges;
pub mod health;
pub mod inbox;
pub mod ledger;
pub mod migrations;
pub mod objects;
pub mod orders;
pub mod payments;
pub mod people;
pub mod queries;
pub mod rebuilds;
pub mod replays;
pub mod settings;
