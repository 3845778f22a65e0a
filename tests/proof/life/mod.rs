//! Lives of payments: what happens at Stripe, step by step, and the events that a webhook endpoint receives.
//!
//! A [`Plan`] is a list of abstract steps; [`Life::of`] runs it and skips every step that is impossible at
//! that point, so that a failing plan stays valid while it is shrunk. Nothing here uses the service under test: the
//! events are as Stripe would send them, each with what was true at that moment. The expected end state is in
//! `truth`.

pub mod objects;
pub mod plan;
mod render;
pub mod strategy;
pub mod view;
mod world;

pub use world::tag;

use objects::Sight;
use plan::Plan;
use view::Endpoint;
use world::World;

/// One event as Stripe would deliver it.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub created: i64,
    pub body: String,
}

/// An event, and the true state that it showed.
#[derive(Clone, Debug)]
pub struct Moment {
    pub event: Event,
    pub shows: Vec<Sight>,
}

/// A plan that was run.
#[derive(Clone, Debug)]
pub struct Life {
    pub plan: Plan,
    pub moments: Vec<Moment>,
}

impl Life {
    /// Runs a plan from its first step to its last.
    pub fn of(plan: &Plan) -> Self {
        let plan = Plan { shape: view::knowable(&plan.shape, plan.endpoint), ..plan.clone() };
        let mut world = World::new(plan.shape.clone(), plan.seed);
        for planned in &plan.steps {
            world.wait(planned.gap);
            world.step(usize::from(planned.payment) % plan.shape.payments, &planned.step);
        }
        Self { moments: world.moments, plan }
    }

    /// The moments that the endpoint receives, in the order they happened.
    pub fn visible(&self) -> impl Iterator<Item = &Moment> {
        self.moments.iter().filter(|moment| self.endpoint().sees(&moment.event.kind))
    }

    /// The events that the endpoint is sent, in the order they happened.
    pub fn visible_events(&self) -> Vec<Event> {
        self.visible().map(|moment| moment.event.clone()).collect()
    }

    /// What the endpoint is subscribed to.
    pub fn endpoint(&self) -> Endpoint {
        self.plan.endpoint
    }

    /// The life as readable lines.
    pub fn story(&self) -> String {
        let mut lines = vec![format!("{:?}", self.plan.shape), format!("endpoint: {:?}", self.plan.endpoint)];
        lines.extend(self.plan.steps.iter().map(|s| format!("step: payment {}, {:?}, {:?}", s.payment, s.gap, s.step)));
        lines.extend(self.moments.iter().map(|moment| {
            let sees = if self.endpoint().sees(&moment.event.kind) { "event:" } else { "(unseen)" };
            let what: Vec<String> = moment.shows.iter().map(|sight| sight.what.brief()).collect();
            format!("{sees} {} {} {} {}", moment.event.created, moment.event.id, moment.event.kind, what.join("; "))
        }));
        lines.join("\n")
    }
}
