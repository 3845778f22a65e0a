//! Hostile requests: rightly signed bodies that are broken, odd, deep or at the ends of what can be stored.
//!
//! Whoever has the secret can send these, and so can a new version of Stripe's API. An odd event is stored and must not
//! hold up others.

use serde_json::{Value, json};

use crate::bodies;
use crate::harness::SECRET;
use crate::hostile::{Answer, Case, MARKER, Stored, event, post};
use clawback::stripe::signature::{Secret, sign};

use crate::harness::unix_now;

const OK: &[u16] = &[200];
const BAD: &[u16] = &[400];

/// In bytes: the default of `CLAWBACK_MAX_BODY`.
const MAX_BODY: usize = 1 << 20;

pub fn bodies() -> Vec<Case> {
    [not_json(), broken_values(), envelopes(), sizes(), odd_json(), numbers(), required_fields()]
        .into_iter()
        .flatten()
        .collect()
}

pub fn signed(body: impl AsRef<[u8]>) -> Vec<u8> {
    let signature = sign(&Secret::from_key(SECRET), unix_now(), body.as_ref());
    post(&format!("Stripe-Signature: {signature}\r\n"), body)
}

fn refused(name: &str, body: impl AsRef<[u8]>) -> Case {
    Case::refused(name, signed(body), BAD)
}

/// Stored, and in this state once it was processed.
fn stored(name: impl Into<String>, body: &str, state: &'static str) -> Case {
    let stores = Some(Stored { body: body.to_owned(), state });
    Case { answers: vec![Answer { statuses: OK, stores }], ..Case::refused(name, signed(body), OK) }
}

/// Bodies that are no JSON object.
fn not_json() -> Vec<Case> {
    let whole = event("evt_not_json");
    let half = &whole[..whole.len() / 2];
    let texts = [
        "",
        " ",
        "\n",
        "null",
        "true",
        "0",
        "\"evt_1\"",
        "[]",
        "[{}]",
        "{",
        "}",
        "{}",
        "{]",
        "[}",
        "{{}}",
        "{\"id\"}",
        "{\"id\":}",
        "{:1}",
        "{,}",
        "{\"id\":\"evt_1\",}",
        "{\"id\":\"evt_1\"",
        "{'id':'evt_1','type':'t'}",
        "{id:\"evt_1\",type:\"t\"}",
        "<event/>",
        "id=evt_1&type=t",
        "%7B%7D",
        "{\"id\" \"evt_1\"}",
        "{\"id\"=\"evt_1\"}",
        "{\"id\":\"evt_1\" \"type\":\"t\"}",
    ];
    let mut cases: Vec<Case> = texts.iter().map(|text| refused(&format!("body {text:?}"), text)).collect();
    let bytes: [(&str, Vec<u8>); 14] = [
        ("half an event", half.into()),
        ("two events", format!("{whole}{whole}").into()),
        ("two events on two lines", format!("{whole}\n{whole}").into()),
        ("an event in a list", format!("[{whole}]").into()),
        ("an event as text", serde_json::to_string(&whole).expect("text").into()),
        ("an event behind a byte order mark", format!("\u{feff}{whole}").into()),
        ("an event and a NUL", format!("{whole}\0").into()),
        ("a NUL and an event", format!("\0{whole}").into()),
        ("an event and a letter", format!("{whole}x").into()),
        ("an event in a comment", format!("/**/{whole}").into()),
        ("UTF-16", whole.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("half a million open lists", "[".repeat(500_000).into()),
        ("half a million open objects", "{\"a\":".repeat(200_000).into()),
        ("a megabyte of quotes", "\"".repeat(MAX_BODY).into()),
    ];
    cases.extend(bytes.iter().map(|(name, body)| refused(&format!("body of {name}"), body)));
    cases
}

/// A broken value in a field that nothing reads makes the whole body broken.
fn broken_values() -> Vec<Case> {
    let broken: [&[u8]; 30] = [
        b"",
        b"undefined",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"-",
        b"+1",
        b"01",
        b"1.",
        b".5",
        b"1e",
        b"1e+",
        b"0x10",
        b"1_000",
        b"tru",
        b"TRUE",
        b"'x'",
        b"\"x",
        b"\"\\x\"",
        b"\"\\u12\"",
        b"\"\\u{61}\"",
        b"\"\n\"",
        b"\"\0\"",
        b"\"\x1f\"",
        b"\"\xff\"",
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe2\x82\"",
        b"[1,]",
    ];
    let cases = broken.iter().map(|value| {
        let body = [&br#"{"id":"evt_broken_value","type":"t","x":"#[..], value, b"}"].concat();
        refused(&format!("value {}", value.escape_ascii()), body)
    });
    cases.collect()
}

/// Every odd value in every field of the envelope.
fn envelopes() -> Vec<Case> {
    let long = format!("{:?}", "x".repeat(256));
    let odd = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "-0",
        "1.5",
        "1e400",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551616",
        "253402300800",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "[]",
        "{}",
        "[[[]]]",
        &long,
    ];
    let mut cases = Vec::new();
    for field in ["id", "type"] {
        for value in odd.iter().filter(|value| field == "id" || **value != long) {
            let body = format!(r#"{{"id":"evt_1","type":"t","{field}":{value}}}"#);
            cases.push(refused(&format!("{field} = {}", &value[..value.len().min(30)]), body));
        }
    }
    for field in
        ["api_version", "account", "livemode", "created", "context", "request", "pending_webhooks", "object", "data"]
    {
        for (number, value) in odd.iter().enumerate() {
            let rest = if field == "data" { "" } else { r#","data":{"object":{"id":"thing_1","object":"thing"}}"# };
            let body = format!(r#"{{"id":"evt_{field}_{number}","type":"t","{field}":{value}{rest}}}"#);
            // Of events that no handler reads, only these two are looked at.
            let is_text = *value == "null" || *value == "\"\"" || **value == long;
            let state = if field == "data" || (field == "object" && !is_text) { "failed" } else { "ignored" };
            cases.push(stored(format!("{field} = {}", &value[..value.len().min(30)]), &body, state));
        }
    }
    cases
}

/// Both ends of every length.
fn sizes() -> Vec<Case> {
    let padded = |id: &str, length: usize| {
        let frame = event(id);
        let blanks = " ".repeat(length - frame.len());
        format!("{frame}{blanks}")
    };
    let of_id = |length: usize| event(&format!("evt_{}", "i".repeat(length - 4)));
    let full = padded("evt_full", MAX_BODY);
    let above = padded("evt_above", MAX_BODY + 1);
    let wide = event(&format!("evt_{}", "\u{1f600}".repeat(62)));
    let noise: String = (0..100_000_u64).map(|n| char::from(b'a' + (n * n * 31 % 1013 % 26) as u8)).collect();
    let of_type = |id: &str, event_type: &str| event(id).replace("thing.made", event_type);
    let of_object = |id: &str, object: &str| event(id).replace("thing_1", object);
    vec![
        stored("a body as long as allowed", &full, "ignored"),
        Case::refused("a body longer than allowed by a byte", signed(above), &[413]),
        stored("an id of one byte", &event("e"), "ignored"),
        stored("an id of 255 bytes", &of_id(255), "ignored"),
        refused("an id of 256 bytes", of_id(256)),
        stored("an id of 252 bytes in four-byte characters", &wide, "ignored"),
        refused("an id of a megabyte", event(&"i".repeat(MAX_BODY - 1000))),
        stored("an id of blanks", &event("   "), "ignored"),
        stored("an id of control characters", &event("\u{1}\r\n\u{7f}"), "ignored"),
        stored("an id that is SQL", &event("'; drop table clawback.events; --"), "ignored"),
        stored("an id from right to left", &event("\u{202e}tve"), "ignored"),
        stored("a type of 100,000 bytes", &of_type("evt_long_type", &noise), "ignored"),
        stored("a type of control characters", &of_type("evt_type_control", r"\u0001\r\n\u001b[31m"), "ignored"),
        stored("an object's id of 100,000 bytes", &of_object("evt_long_object", &noise), "ignored"),
        stored("an object's id with a NUL", &of_object("evt_object_nul", r"a\u0000b"), "ignored"),
    ]
}

/// JSON that is right and that a parser may trip over.
fn odd_json() -> Vec<Case> {
    let thing = |id: &str, field: &str| {
        format!(r#"{{"id":"{id}","type":"t",{field},"data":{{"object":{{"id":"thing_1","object":"thing"}}}}}}"#)
    };
    let lists = |depth: usize| format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!(r#""x":{}1{}"#, r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let fields: [(&str, String); 22] = [
        ("127 lists deep", lists(127)),
        ("128 lists deep", lists(128)),
        ("10,000 lists deep", lists(10_000)),
        ("400,000 lists deep", lists(400_000)),
        ("127 objects deep", objects(127)),
        ("128 objects deep", objects(128)),
        ("100,000 objects deep", objects(100_000)),
        ("50,000 fields", (0..50_000).map(|n| format!(r#""f{n}":{n}"#)).collect::<Vec<_>>().join(",")),
        ("10,000 equal fields", vec![r#""x":1"#; 10_000].join(",")),
        ("a field of 100,000 bytes' name", format!(r#""{}":1"#, "n".repeat(100_000))),
        ("a number of 100,000 digits", format!(r#""x":{}"#, "9".repeat(100_000))),
        ("an exponent of 1,000 digits", format!(r#""x":1e{}"#, "9".repeat(1_000))),
        ("NUL in text", r#""x":"\u0000""#.to_owned()),
        ("NUL in a name", r#""\u0000":1"#.to_owned()),
        ("half a surrogate pair in text", r#""x":"\ud83d""#.to_owned()),
        ("half a surrogate pair in a name", r#""\udc00":1"#.to_owned()),
        ("a surrogate pair the wrong way round", r#""x":"\udc00\ud800""#.to_owned()),
        ("a noncharacter", "\"x\":\"\u{ffff}\"".to_owned()),
        ("every escape", r#""x":"\"\\\/\b\f\n\r\t\u2028""#.to_owned()),
        ("an empty name", r#""":1"#.to_owned()),
        ("`__proto__`", r#""__proto__":{"livemode":true}"#.to_owned()),
        ("line breaks and tabs between", "\n\t\r \"x\"\n:\r\n1\t".to_owned()),
    ];
    let mut cases: Vec<Case> = fields
        .iter()
        .enumerate()
        .map(|(number, (name, field))| stored(*name, &thing(&format!("evt_json_{number}"), field), "ignored"))
        .collect();
    cases.push(stored("an id twice, the last right", &thing("evt_first", r#""id":"evt_last""#), "ignored"));
    cases.push(refused("an id twice, the last wrong", thing("evt_first", r#""id":7"#)));
    cases.push(stored("an id under an escaped name", &thing("evt_plain", r#""\u0069d":"evt_escaped""#), "ignored"));
    cases.push(refused("an id in upper case only", r#"{"ID":"evt_1","Type":"t"}"#));
    cases.push(stored("data twice", &thing("evt_data_twice", r#""data":7"#), "ignored"));
    cases
}

/// A charge with a number at the ends of what a column holds, in each of its amounts and its time.
fn numbers() -> Vec<Case> {
    let numbers = [
        "0",
        "1",
        "9223372036854775807",
        "9223372036854775808",
        "-1",
        "-0",
        "-9223372036854775808",
        "1e3",
        "1e308",
        "1e309",
        "0.5",
        "100000000000000000000000",
        "\"5\"",
        "true",
        "[]",
        "{}",
    ];
    let mut cases = Vec::new();
    for field in ["amount", "amount_captured", "amount_refunded", "created"] {
        for (number, value) in numbers.iter().enumerate() {
            let id = format!("{field}_{number}");
            let charge = bodies::charge(&format!("ch_{id}"), json!({ field: "HERE", "description": MARKER }));
            let body = bodies::event(&format!("evt_charge_{id}"), 1, &charge).replace("\"HERE\"", value);
            let is_amount = value.parse::<i64>().is_ok_and(|amount| amount >= 0) && *value != "-0";
            let state = if is_amount || field == "created" { "processed" } else { "failed" };
            cases.push(stored(format!("a charge with {field} {value}"), &body, state));
        }
    }
    cases.extend(sums());
    cases
}

/// Amounts that fit alone and whose sum does not: of the charges of an order, and of the refunds of a charge.
fn sums() -> Vec<Case> {
    let most = json!(i64::MAX);
    let of_order = |id: &str| {
        let amounts = json!({ "amount": most, "amount_captured": most, "metadata": { "order_id": "o_most" } });
        bodies::charge(id, amounts)
    };
    let refund = |id: &str| bodies::refund(id, json!({ "amount": most, "charge": "ch_most_1" }));
    let dispute = |id: &str| bodies::dispute(id, json!({ "amount": most, "charge": "ch_most_1" }));
    let objects = [
        ("charge", of_order("ch_most_1")),
        ("charge", of_order("ch_most_2")),
        ("refund", refund("re_most_1")),
        ("refund", refund("re_most_2")),
        ("dispute", dispute("dp_most_1")),
        ("dispute", dispute("dp_most_2")),
    ];
    let case = |(number, (kind, object)): (usize, (&str, Value))| {
        let body = bodies::event(&format!("evt_most_{number}"), 1, &object);
        stored(format!("the largest amount, {kind} {number}"), &body, "processed")
    };
    objects.into_iter().enumerate().map(case).collect()
}

/// Each object with a field that it needs missing or of the wrong type: the event fails, alone.
fn required_fields() -> Vec<Case> {
    let objects = [
        (bodies::charge("ch_needs", json!({})), &["id", "amount", "currency"][..]),
        (bodies::intent("pi_needs", json!({})), &["id", "amount", "currency", "status"]),
        (bodies::refund("re_needs", json!({})), &["id", "amount", "currency"]),
        (bodies::dispute("dp_needs", json!({})), &["id", "amount", "currency", "status"]),
    ];
    let mut cases = Vec::new();
    for (object, fields) in objects {
        for field in fields {
            for (name, wrong) in [("null", Value::Null), ("a list", json!([])), ("NUL", json!("\0"))] {
                let id = format!("evt_{}_{field}_{name}", object["object"].as_str().unwrap_or_default());
                let body = bodies::event(&id, 1, &bodies::with(object.clone(), json!({ *field: wrong })));
                cases.push(stored(format!("{} with {name} as {field}", &id[4..]), &body, "failed"));
            }
        }
    }
    cases
}
