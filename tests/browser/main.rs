//! Promise: the console works in a real browser.
//!
//! `session` starts a Chromium with a fresh profile for each test and ends it. `script` tests the script of the console
//! on a page of its own (`bench`), whose answers the test decides. The others walk through the console of a service that
//! `world` seeds.
//!
//! Runs where Chromium and chromedriver are found; elsewhere says so. In CI a missing browser fails. Not here: what can
//! be asked by HTTP alone, which `tests/it` does in milliseconds.

#![expect(unreachable_pub, reason = "in a test binary, `pub` says: for the other files")]

mod bench;
#[expect(dead_code, reason = "of the events of other tests a few are used here")]
#[path = "../it/bodies.rs"]
mod bodies;
mod disputes;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/double_world.rs"]
mod double_world;
mod entry;
mod every_page;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/harness.rs"]
mod harness;
mod money;
mod refresh;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/refund_shop.rs"]
mod refund_shop;
mod screenshots;
mod script;
mod script_forms;
mod session;
mod work;
mod world;

/// What `refund_shop` expects of other tests.
mod evidence {
    /// Refusals of evidence, which are sentences on pages here.
    pub const EVIDENCE_ERRORS: &[&str] = &["somebody changed it", "confirm the amount", "cannot be submitted"];
}
