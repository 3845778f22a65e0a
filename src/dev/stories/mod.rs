//! The life stories of payments: what Stripe does, as the events it would send.
//!
//! They stand behind `clawback simulate`, `clawback demo` and the tests, and use none of the
//! core's derivations: a story that was told with the rules it is meant to test would agree with
//! every mistake in them. Nothing here signs, sends, looks at a clock or draws at random: the
//! same story with the same cast is the same bytes.
//!
//! | file | its job |
//! |---|---|
//! | `cast` | the inputs of a telling |
//! | `catalogue` | which stories there are |
//! | `scenarios`, `long_scenarios` | each story as verbs |
//! | `life`, `payments`, `refunds`, `disputes`, `warnings` | the verbs: one Stripe account's objects as they change |
//! | `objects`, `people` | those objects, and who pays with what |
//! | `render` | objects and events as Stripe's JSON |
//! | `ids` | Stripe-like ids |
//! | [`delivery`] | in which order, and how often, events arrive |
//!
//! A new story is one function in `scenarios` and one entry in `catalogue`.

mod cast;
mod catalogue;
pub mod delivery;
mod disputes;
mod ids;
mod life;
mod long_scenarios;
mod objects;
mod payments;
mod people;
mod refunds;
mod render;
mod scenarios;
#[cfg(test)]
mod tests;
mod warnings;

pub use cast::{Amount, AmountOutOfRange, Cast};
use life::Life;

/// One life of a payment, ready to be told.
#[derive(Debug)]
pub struct Story {
    /// The name on the command line, such as `chargeback-won`.
    pub name: &'static str,
    /// One line for people: what happens.
    pub about: &'static str,
    build: fn(&mut Life),
}

/// One event of a telling, ready to be signed and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryEvent {
    /// Stripe's event id, `evt_…`.
    pub id: String,
    /// Stripe's event type, such as `charge.refunded`.
    pub r#type: String,
    /// When it happened, in unix seconds: the `created` of the body.
    pub created: i64,
    /// The JSON to send, byte for byte.
    pub body: String,
}

/// The catalogue of stories.
#[must_use]
pub fn all() -> &'static [Story] {
    catalogue::CATALOGUE
}

/// The story of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Story> {
    all().iter().find(|story| story.name == name)
}

impl Story {
    /// The events of this story in the order in which they happened.
    #[must_use]
    pub fn tell(&self, cast: &Cast) -> Vec<StoryEvent> {
        let mut life = Life::new(cast, self.name);
        (self.build)(&mut life);
        life.into_events()
    }

    /// Seconds from the first event to the last. A telling that starts that much before a moment
    /// ends at it, so that open disputes are still open there.
    #[must_use]
    pub fn span(&self, cast: &Cast) -> i64 {
        let last = self.tell(cast).last().map(|event| event.created);
        last.map_or(0, |created| created - cast.start)
    }
}
