//! A list of Stripe's, page by page, reading one page ahead.
//!
//! Stripe lists newest first. From an id on towards newer ones it gives the nearest page first, itself newest first:
//! such pages are reversed, so that a walk goes one way.

use std::mem;

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::answer::Answer;
use super::client::Calls;
use super::error::Error;
use super::params::Params;
use super::path::Path;
use super::request::Request;

/// The largest page that Stripe gives.
const PAGE: u32 = 100;
/// How many pages are read at most, unless the caller says otherwise.
const MAX_PAGES: u32 = 1_000;

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The objects as they were received, in the order of the walk.
    pub items: Vec<Box<RawValue>>,
    /// The id of the last of them: where a later walk in the same direction goes on.
    pub last_id: Option<String>,
    /// Whether the walk goes on after it.
    pub has_more: bool,
    /// The time of the answer by Stripe's clock.
    pub date: Option<OffsetDateTime>,
    /// How long the call took.
    pub took: std::time::Duration,
    /// The request's id at Stripe.
    pub request_id: Option<String>,
}

/// A walk through a list. Nothing is read before [`Self::next`] is called.
#[derive(Debug)]
pub struct Pages {
    walk: Walk,
    state: State,
}

#[derive(Clone, Debug)]
struct Walk {
    calls: Calls,
    path: Path,
    params: Params,
    direction: Direction,
    cursor: Option<String>,
    size: u32,
    pages_left: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Older,
    Newer,
}

#[derive(Debug)]
enum State {
    Start,
    Ahead(AbortOnDropHandle<Result<Page, Error>>),
    Stuck(&'static str),
    End,
}

impl Pages {
    pub(super) fn new(calls: &Calls, path: Path, params: Params) -> Self {
        let calls = calls.clone();
        let walk =
            Walk { calls, path, params, direction: Direction::Older, cursor: None, size: PAGE, pages_left: MAX_PAGES };
        Self { walk, state: State::Start }
    }

    /// From this object on towards older ones, itself left out. Without it, the walk begins with the newest.
    #[must_use]
    pub fn older_than(mut self, id: &str) -> Self {
        self.walk.cursor = Some(id.to_owned());
        self.walk.direction = Direction::Older;
        self
    }

    /// From this object on towards newer ones, itself left out; the oldest of them comes first.
    #[must_use]
    pub fn newer_than(mut self, id: &str) -> Self {
        self.walk.cursor = Some(id.to_owned());
        self.walk.direction = Direction::Newer;
        self
    }

    /// Reads so many objects per page instead of 100.
    #[must_use]
    pub fn page_size(mut self, size: u32) -> Self {
        self.walk.size = size.clamp(1, PAGE);
        self
    }

    /// Reads so many pages at most instead of 1,000. More are an error, so that no caller takes a part for the whole.
    #[must_use]
    pub fn at_most(mut self, pages: u32) -> Self {
        self.walk.pages_left = pages;
        self
    }

    /// The next page; none after the last, and after an error.
    ///
    /// # Errors
    /// Those of a call; [`Error::Malformed`] when the answer is no list, its cursor does not advance, or there are more
    /// pages than allowed.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        let page = match mem::replace(&mut self.state, State::End) {
            State::End => return Ok(None),
            State::Stuck(problem) => return Err(self.walk.malformed(problem)),
            State::Start if self.walk.pages_left == 0 => return Err(self.walk.malformed(TOO_MANY)),
            State::Start => self.walk.read().await?,
            State::Ahead(reading) => reading.await.unwrap_or_else(resume)?,
        };
        if page.has_more {
            self.state = self.walk.advance(page.last_id.clone());
        }
        Ok(Some(page))
    }

    /// All objects of all pages.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn all(mut self) -> Result<Vec<Box<RawValue>>, Error> {
        let mut items = Vec::new();
        while let Some(page) = self.next().await? {
            items.extend(page.items);
        }
        Ok(items)
    }
}

const TOO_MANY: &str = "the list has more pages than are read at most";
const NO_LIST: &str = "the answer is not a list of objects with ids";
const STANDSTILL: &str = "the list does not advance: a page ends where the one before it ended, or is empty";

impl Walk {
    /// Moves the cursor, and begins to read the page behind it.
    fn advance(&mut self, last_id: Option<String>) -> State {
        if last_id.is_none() || last_id == self.cursor {
            return State::Stuck(STANDSTILL);
        }
        self.cursor = last_id;
        self.pages_left -= 1;
        if self.pages_left == 0 {
            return State::Stuck(TOO_MANY);
        }
        let walk = self.clone();
        State::Ahead(AbortOnDropHandle::new(tokio::spawn(async move { walk.read().await })))
    }

    async fn read(&self) -> Result<Page, Error> {
        let cursor = match self.direction {
            Direction::Older => "starting_after",
            Direction::Newer => "ending_before",
        };
        let params = self.params.clone().set("limit", self.size).set_some(cursor, self.cursor.as_ref());
        let answer = self.calls.send(&Request::get(self.path.clone(), params)).await?;
        self.page(answer).ok_or_else(|| self.malformed(NO_LIST))
    }

    fn page(&self, answer: Answer) -> Option<Page> {
        let List { data: mut items, has_more } = serde_json::from_str(answer.json()).ok()?;
        if self.direction == Direction::Newer {
            items.reverse();
        }
        let last_id = match items.last() {
            Some(item) => Some(serde_json::from_str::<Id>(item.get()).ok()?.id),
            None => None,
        };
        let Answer { date, took, request_id, .. } = answer;
        Some(Page { items, last_id, has_more, date, took, request_id })
    }

    fn malformed(&self, problem: &'static str) -> Error {
        Error::malformed(format!("GET {}", self.path), problem)
    }
}

/// A task is aborted only with its handle, so that it can only have panicked.
fn resume(error: JoinError) -> Result<Page, Error> {
    std::panic::resume_unwind(error.into_panic())
}

#[derive(Deserialize)]
struct List {
    data: Vec<Box<RawValue>>,
    has_more: bool,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}
