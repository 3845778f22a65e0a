//! The traffic: the events of generated lives, whose right end state is known, and those of the double's webhooks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::chance::{Dice, rng};
use crate::double_world::World;
use crate::harness::SECRET;
use crate::life::Life;
use crate::life::strategy::plans;
use crate::post::{Event, Post};

/// How many lives begin in a second.
const LIVES_PER_SECOND: u64 = 5;
/// The events of a life arrive within this time at most, in any order.
const SPREAD: usize = 5_000;

/// Lives that go on beginning until it is ended.
pub struct Traffic {
    lives: Arc<Mutex<Vec<Life>>>,
    feeding: JoinHandle<()>,
}

impl Traffic {
    pub fn start(post: Post, seed: u64) -> Self {
        let lives = Arc::<Mutex<Vec<Life>>>::default();
        let begun = Arc::clone(&lives);
        let feeding = tokio::spawn(async move {
            let mut dice = Dice(seed);
            let mut ticks = interval(Duration::from_millis(1_000 / LIVES_PER_SECOND));
            for number in 0.. {
                ticks.tick().await;
                let life = tokio::task::spawn_blocking(move || draw(seed * 100_000 + number)).await.expect("a life");
                send(&post, &life, &mut dice);
                begun.lock().unwrap_or_else(PoisonError::into_inner).push(life);
            }
        });
        Self { lives, feeding }
    }

    /// No life begins any more; all that did. Their events may still be on their way.
    pub async fn end(&mut self) -> Vec<Life> {
        self.feeding.abort();
        drop((&mut self.feeding).await);
        std::mem::take(&mut self.lives.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A life in live mode, which the double of Stripe is not asked about, of which an endpoint receives at least one event.
fn draw(seed: u64) -> Life {
    let mut runner = TestRunner::new_with_rng(Config::default(), rng(seed));
    loop {
        let mut plan = plans().new_tree(&mut runner).expect("a plan").current();
        (plan.shape.livemode, plan.shape.two_scopes) = (true, false);
        let life = Life::of(&plan);
        if life.visible().next().is_some() {
            return life;
        }
    }
}

fn send(post: &Post, life: &Life, dice: &mut Dice) {
    let spread = 1 + dice.roll(SPREAD);
    for event in life.visible_events() {
        for _ in 0..1 + usize::from(dice.roll(3) == 0) + usize::from(dice.roll(9) == 0) {
            let after = Duration::from_millis(dice.roll(spread) as u64);
            post.send(Event { id: event.id.clone(), body: event.body.clone() }, after, fork(dice));
        }
    }
}

fn fork(dice: &mut Dice) -> Dice {
    Dice(dice.roll(1 << 30) as u64)
}

/// Takes the double's webhooks and sends them on.
pub async fn forward(world: &World, post: Post) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let router = Router::new().route("/", axum::routing::post(take)).with_state(post);
    tokio::spawn(async { axum::serve(listener, router).await });
    let endpoint = json!({ "url": url, "secrets": [SECRET], "enabled_events": ["*"] });
    world.control("webhooks", endpoint).await;
    world.control("webhooks/behaviour", json!({ "copies": 2 })).await;
}

async fn take(State(post): State<Post>, body: String) -> StatusCode {
    let event: Value = serde_json::from_str(&body).expect("JSON");
    let id = event["id"].as_str().expect("an id").to_owned();
    let dice = Dice(body.len() as u64);
    post.send(Event { id, body }, Duration::ZERO, dice);
    StatusCode::OK
}
