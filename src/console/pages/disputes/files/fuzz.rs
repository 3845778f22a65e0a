//! Forms with files, as a browser encodes them and as nobody should: read back, or refused with a sentence.
//!
//! `RUNS` is the number of random forms, as in `tests/proof/fuzz.rs`.

use std::convert::Infallible;
use std::time::Instant;

use axum::body::Body;
use axum::extract::FromRequest;
use axum::http::Request;
use futures_util::stream;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::{Builder, Runtime};

use super::*;

const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxk";

#[derive(Clone, Debug)]
struct Part {
    name: &'static str,
    file_name: Option<String>,
    content: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    Remove(Index),
    Insert(Index, &'static str),
}

/// As a browser encodes it.
fn encoded(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for Part { name, file_name, content } in parts {
        let file = file_name.as_ref().map(|name| format!("; filename=\"{name}\"\r\nContent-Type: application/pdf"));
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{}\r\n\r\n",
            file.unwrap_or_default()
        );
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(format!("--{BOUNDARY}--").into_bytes());
    body
}

/// Reads a body that arrives in pieces of this many bytes.
fn sent(runtime: &Runtime, body: &[u8], piece: usize) -> Result<Sending, String> {
    let pieces: Vec<Result<Vec<u8>, Infallible>> = body.chunks(piece.max(1)).map(|piece| Ok(piece.to_vec())).collect();
    let request = Request::post("/").header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"));
    let request = request.body(Body::from_stream(stream::iter(pieces))).expect("a request");
    runtime.block_on(async {
        let form = Multipart::from_request(request, &()).await.expect("a boundary");
        read(form, "receipt").await
    })
}

/// What the form says: the last `was`, and every file that was chosen.
fn expected(parts: &[Part]) -> (String, Vec<(String, Vec<u8>)>) {
    let was = parts.iter().rev().find(|part| part.name == "was");
    let files = parts.iter().filter(|part| part.name == "file");
    let files = files.filter_map(|part| Some((part.file_name.clone()?, part.content.clone())));
    let is_chosen = |(name, content): &(String, Vec<u8>)| !name.is_empty() || !content.is_empty();
    let text = |part: &Part| String::from_utf8_lossy(&part.content).into_owned();
    (was.map(text).unwrap_or_default(), files.filter(is_chosen).collect())
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let pieces = ["\r\n", "--", "\r\n--", "\r\n------WebKitFormBoundary", "\r\n\r\n", "\0", "a"];
    let tricky = prop::collection::vec(select(pieces.to_vec()), 0..8).prop_map(|pieces| pieces.concat().into_bytes());
    let content = prop_oneof![tricky, prop::collection::vec(any::<u8>(), 0..300)];
    let part = (select(vec!["file", "was", "other"]), prop::option::of("[a-zA-Z0-9é ._-]{0,20}"), content);
    let part = part.prop_map(|(name, file_name, content)| {
        // A name of blanks alone becomes another.
        let file_name = file_name.filter(|name| name.is_empty() || !name.trim().is_empty());
        Part { name, file_name, content }
    });
    prop::collection::vec(part, 0..5)
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let pieces = [
        "--",
        "\r\n",
        BOUNDARY,
        "\"",
        ";",
        "=",
        "filename=",
        "Content-Disposition:",
        "name*=UTF-8''%",
        "\0",
        "\u{feff}",
    ];
    let change = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        any::<Index>().prop_map(Change::Remove),
        (any::<Index>(), select(pieces.to_vec())).prop_map(|(at, piece)| Change::Insert(at, piece)),
    ];
    prop::collection::vec(change, 1..6)
}

fn apply(mut body: Vec<u8>, change: &Change) -> Vec<u8> {
    let length = body.len();
    match change {
        _ if body.is_empty() => {}
        Change::Byte(at, byte) => body[at.index(length)] = *byte,
        Change::Remove(at) => drop(body.remove(at.index(length))),
        Change::Insert(at, piece) => drop(body.splice(at.index(length)..at.index(length), piece.bytes())),
    }
    body
}

fn fuzz<S: Strategy>(target: &str, input: &S, check: impl Fn(&Runtime, S::Value) -> Result<(), String>) {
    let runs = std::env::var("RUNS").map_or(2_000, |runs| runs.parse().expect("RUNS is a number"));
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let config = Config { failure_persistence: None, ..Config::with_cases(runs) };
    let began = Instant::now();
    let result = TestRunner::new(config).run(input, |input| check(&runtime, input).map_err(TestCaseError::fail));
    println!("fuzz {target}: {runs} runs in {:.1} s", began.elapsed().as_secs_f64());
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_form_is_read_as_it_was_encoded_however_it_arrives() {
    fuzz("multipart", &(parts(), 1..400_usize), |runtime, (parts, piece)| {
        let Sending { was, files } = sent(runtime, &encoded(&parts), piece)?;
        let expected = expected(&parts);
        if (&was, &files) == (&expected.0, &expected.1) { Ok(()) } else { Err(format!("{was:?} {files:?}")) }
    });
}

#[test]
fn a_form_that_ends_early_is_refused() {
    fuzz("cut multipart", &(parts(), any::<Index>(), 1..400_usize), |runtime, (parts, at, piece)| {
        let whole = encoded(&parts);
        match sent(runtime, &whole[..at.index(whole.len())], piece) {
            Ok(sending) => Err(format!("{sending:?}")),
            Err(sentence) if sentence == "receipt: the file did not arrive whole. Try again." => Ok(()),
            Err(sentence) => Err(sentence),
        }
    });
}

#[test]
fn a_garbled_form_is_refused_or_holds_no_more_than_was_sent() {
    fuzz("garbled multipart", &(parts(), changes(), 1..400_usize), |runtime, (parts, changes, piece)| {
        let body = changes.iter().fold(encoded(&parts), apply);
        let Ok(Sending { was, files }) = sent(runtime, &body, piece) else { return Ok(()) };
        // A byte that is no UTF-8 becomes a character of three.
        let held = was.len() / 3 + files.iter().map(|(_, content)| content.len()).sum::<usize>();
        let is_named = files.iter().all(|(name, _)| name.len() <= LONGEST_NAME && !name.contains(['/', '\\', '\0']));
        if held <= body.len() && is_named { Ok(()) } else { Err(format!("{was:?} {files:?}")) }
    });
}
