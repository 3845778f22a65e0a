//! Disputes: the list, one dispute with its response, and the pages on which it is answered or accepted.
//!
//! | file | job |
//! |---|---|
//! | `list` | disputes by deadline |
//! | `show`, `one`, `response` | one dispute: reading it, and what is shown |
//! | `draft` | filling in what is known |
//! | `evidence`, `evidence_form`, `sent` | texts: saving them, the form, and the form as it was sent |
//! | `files`, `attached` | files: attaching them, and what is shown |
//! | `submit`, `accept` | the last look, and giving up |
//! | `done` | what was just done |
//! | `case`, `fields`, `answer` | what these have in common |

pub(super) mod accept;
pub(super) mod answer;
mod attached;
mod case;
mod done;
pub(super) mod draft;
pub(super) mod evidence;
mod evidence_form;
mod fields;
pub(super) mod files;
pub(super) mod list;
mod one;
mod response;
#[cfg(test)]
mod samples;
mod sent;
pub(super) mod show;
pub(super) mod submit;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use samples::read;
