//! Operators' commands: one file each. They read by what [`crate::store`] offers, and change only by asking.

pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod follow_ups;
pub(crate) mod grants;
pub(crate) mod healthcheck;
pub(crate) mod migrate;
pub(crate) mod orders;
pub(crate) mod payments;
mod person;
pub(crate) mod rebuild;
pub(crate) mod serve;
