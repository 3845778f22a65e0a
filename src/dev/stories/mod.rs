//! Stories of payments: scripts on the model of Stripe, told as the events it would send.
//!
//! They stand behind `clawback simulate`, `clawback demo` and the tests, and use none of the core's rules: a story
//! that was told with the rules it tests would agree with every mistake in them. Nothing here signs, sends, looks at
//! a clock or draws at random: the same story with the same cast is the same bytes.
//!
//! | file | its job |
//! |---|---|
//! | `cast` | the inputs of a story |
//! | `catalogue` | which stories there are |
//! | `scenarios`, `long_scenarios`, `dispute_scenarios` | each story as a script |
//! | `shop` | what scripts say: one shop, one order, on the model of Stripe |
//! | [`delivery`] | in which order, and how often, events arrive |
//!
//! A new story is one function in `scenarios` and one entry in `catalogue`.

mod cast;
mod catalogue;
pub mod delivery;
mod dispute_scenarios;
mod long_scenarios;
mod scenarios;
mod shop;
#[cfg(test)]
mod tests;

pub use super::model::Event as StoryEvent;
pub use cast::{Amount, AmountOutOfRange, Cast};
use shop::Shop;

/// A story of one payment, ready to be told.
#[derive(Debug)]
pub struct Story {
    /// The name on the command line, such as `chargeback-won`.
    pub name: &'static str,
    /// One line for people: what happens.
    pub about: &'static str,
    script: fn(&mut Shop),
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
        let mut shop = Shop::new(cast, self.name);
        (self.script)(&mut shop);
        shop.stripe.events().to_vec()
    }

    /// Seconds from the first event to the last. Started that much before a moment, the story ends at it, and
    /// disputes that it leaves open are still open then.
    #[must_use]
    pub fn span(&self, cast: &Cast) -> i64 {
        let last = self.tell(cast).last().map(|event| event.created);
        last.map_or(0, |created| created - cast.start)
    }
}
