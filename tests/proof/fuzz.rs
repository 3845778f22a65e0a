//! Fuzzing on stable: random input for everything that reads what comes from outside, with properties to hold.
//!
//! `make fuzz RUNS=10000000` runs it long; the tests run it for seconds. Inputs that once went wrong, or nearly, are
//! kept in `tests/data/corpus`, one a line, and are always tried. The reader of forms with files is private to its page,
//! and is fuzzed there: `src/console/pages/disputes/files/fuzz.rs`.

mod changes;
mod documents;
mod envelope;
mod evidence;
mod fold;
mod header;
mod json;
mod readers;

use std::path::Path;
use std::time::Instant;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::chance::{number, rng};

/// Runs of a target where `RUNS` says nothing.
fn runs(usual: u64) -> u64 {
    number("RUNS", usual)
}

/// Tries this many random inputs. The first that fails is minimised.
fn fuzz<S: Strategy>(target: &str, runs: u64, input: &S, check: impl Fn(&S::Value) -> Result<(), String>)
where
    S::Value: std::fmt::Debug,
{
    let began = Instant::now();
    let config = Config {
        cases: u32::try_from(runs).expect("as many runs as fit"),
        failure_persistence: None,
        max_shrink_iters: 5_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng(number("SEED", 1)));
    let result = runner.run(input, |input| check(&input).map_err(TestCaseError::fail));
    println!("fuzz {target}: {runs} runs in {:.1} s", began.elapsed().as_secs_f64());
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => panic!("{target}: {reason}\nfor {input:?}"),
        Err(TestError::Abort(reason)) => panic!("{target}: {reason}"),
    }
}

/// The kept inputs of a target: the lines of its file.
fn kept(target: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/corpus/{target}"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(!lines.is_empty(), "{} is empty", file.display());
    lines
}

/// Tries all kept inputs of a target.
fn try_kept(target: &str, check: impl Fn(&str) -> Result<(), String>) {
    for line in kept(target) {
        check(&line).unwrap_or_else(|wrong| panic!("{target}: {wrong}\nfor {line}"));
    }
}
