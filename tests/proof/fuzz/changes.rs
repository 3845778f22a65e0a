//! Bodies to try: samples with a few changes, and texts that are JSON or nearly so.

use clawback::dev::stories::{self, Cast};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::string::string_regex;
use serde::de::IgnoredAny;

use crate::samples;

/// One change of a text. Positions are shares of its length.
#[derive(Clone, Debug)]
pub enum Change {
    Cut(Index),
    Remove(Index),
    Insert(Index, &'static str),
    /// The value behind the next colon becomes another one.
    Value(Index, &'static str),
    /// The value behind one colon becomes that behind another.
    Copy(Index, Index),
    /// A field comes twice, the second time with another value.
    Again(Index, &'static str),
}

/// Values, names and pieces of them that parsers trip over.
const PIECES: [&str; 40] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1",
    "1.5",
    "1e3",
    "1e400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "253402300799",
    "253402300800",
    "\"\"",
    "\"x\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"5\"",
    "\"2023-11-14T22:13:20.123Z\"",
    "[]",
    "{}",
    "[[]]",
    "{\"id\":\"x\"}",
    "{\"object\":\"charge\",\"id\":\"ch_x\"}",
    "{\"\\ud800\":1,\"id\":\"y\"}",
    "{\"data\":[]}",
    "[1,{}]",
    "\"id\":",
    "\"\\u0069d\":",
    "\"data\":{\"object\":",
    ",",
    ":",
    "{",
    "}",
    "\"",
    "\\",
    " ",
];

/// The bodies of the model's events, and of the samples where there are any.
pub fn seeds() -> Vec<String> {
    let told = stories::all().iter().flat_map(|story| story.tell(&Cast::new(story.name, 1_700_000_000)));
    let mut seeds: Vec<String> = told.map(|event| event.body).collect();
    if let Some(folder) = samples::folder() {
        seeds.extend(samples::samples(&folder).into_values());
    }
    seeds
}

/// Mostly a seed with a few changes; else pieces of JSON in any order, and small envelopes with repeated fields.
pub fn bodies(seeds: Vec<String>) -> impl Strategy<Value = String> {
    let changed = (select(seeds), prop::collection::vec(change(), 0..6))
        .prop_map(|(seed, changes)| changes.iter().fold(seed, |text, change| change.apply(text)));
    let pieces = prop::collection::vec(select(PIECES.to_vec()), 0..24).prop_map(|pieces| pieces.concat());
    let name = "\"(id|type|created|livemode|account|api_version|data|related_object)\"";
    let value = r#"("[a-z\\]{0,4}"|[0-9]{1,3}|\{"(id|object)":("x"|\{"id":"y"\})\}|null)"#;
    let envelope = format!(r#"\{{({name}:{value},){{0,6}}"id":"e","type":"t"\}}"#);
    let envelope = string_regex(&envelope).expect("a pattern");
    prop_oneof![8 => changed, 1 => pieces, 1 => envelope]
}

pub fn change() -> impl Strategy<Value = Change> {
    let (at, piece) = (any::<Index>, || select(PIECES.to_vec()));
    prop_oneof![
        1 => at().prop_map(Change::Cut),
        2 => at().prop_map(Change::Remove),
        2 => (at(), piece()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        8 => (at(), piece()).prop_map(|(at, piece)| Change::Value(at, piece)),
        4 => (at(), at()).prop_map(|(at, from)| Change::Copy(at, from)),
        4 => (at(), piece()).prop_map(|(at, piece)| Change::Again(at, piece)),
    ]
}

impl Change {
    pub fn apply(&self, mut text: String) -> String {
        if text.is_empty() {
            return text;
        }
        let place = |at: &Index| text.floor_char_boundary(at.index(text.len()));
        match self {
            Self::Cut(at) => text.truncate(place(at)),
            Self::Remove(at) => drop(text.remove(place(at))),
            Self::Insert(at, piece) => text.insert_str(place(at), piece),
            Self::Value(at, piece) => {
                if let Some((start, end)) = value_behind(&text, place(at)) {
                    text.replace_range(start..end, piece);
                }
            }
            Self::Copy(at, from) => {
                let (at, from) = (value_behind(&text, place(at)), value_behind(&text, place(from)));
                if let (Some((start, end)), Some((from, to))) = (at, from) {
                    let value = text[from..to].to_owned();
                    text.replace_range(start..end, &value);
                }
            }
            Self::Again(at, piece) => {
                if let Some((start, end)) = value_behind(&text, place(at)) {
                    let name = text[..start].rfind(['{', ',']).map_or(start, |at| at + 1);
                    let again = format!(",{}{piece}", &text[name..start]);
                    text.insert_str(end, &again);
                }
            }
        }
        text
    }
}

/// Where the value behind the next colon begins and ends.
fn value_behind(text: &str, at: usize) -> Option<(usize, usize)> {
    let start = at + text[at..].find(':')? + 1;
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some((start, start + values.byte_offset()))
}
