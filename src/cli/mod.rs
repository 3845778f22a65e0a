//! Operators' commands: one file each. They read through [`crate::store`], and change things only by its functions.

mod actor;
mod columns;
pub(crate) mod console;
pub(crate) mod disputes;
pub(crate) mod doctor;
pub(crate) mod erase;
pub(crate) mod events;
mod explain;
pub(crate) mod follow_ups;
pub(crate) mod grants;
pub(crate) mod healthcheck;
mod list;
pub(crate) mod manual;
pub(crate) mod migrate;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod prune;
pub(crate) mod rebuild;
pub(crate) mod refunds;
pub(crate) mod restored;
pub(crate) mod serve;
pub(crate) mod service_grants;
mod story;
pub(crate) mod sync;
