//! Disputes: the list, one dispute with its response, and the pages on which it is answered or accepted.

pub(super) mod list;
