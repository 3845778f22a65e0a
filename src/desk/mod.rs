//! Works on responses to disputes: finds what a draft can be filled with.

pub mod draft;
