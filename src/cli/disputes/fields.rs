//! Suggests the name of an evidence field for one that was mistyped.

use super::super::list;
use crate::desk::fields::{FILES, TEXTS};

/// The field that was probably meant.
pub(crate) fn nearest(given: &str) -> Option<String> {
    let names: Vec<_> = TEXTS.iter().chain(&FILES).map(|name| (*name).to_owned()).collect();
    list::nearest(given, &names).map(str::to_owned)
}
