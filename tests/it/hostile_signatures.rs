//! Hostile requests: signature headers of every broken kind, odd ones that are right, altered bodies, and replays.

use clawback::stripe::signature::{Secret, sign};

use crate::harness::{SECRET, unix_now};
use crate::hostile::{Answer, Case, Stored, event, post};

const OK: &[u16] = &[200];
const BAD: &[u16] = &[400];

/// The parts of a right header: the time, and the signature in hex.
struct Parts {
    t: String,
    mac: String,
}

/// Writes the value of a header.
type Write = fn(&Parts) -> String;

/// Makes another body of one.
type Alter = fn(&str) -> Vec<u8>;

fn signed_at(secret: &str, t: i64, body: &[u8]) -> Parts {
    let header = sign(&Secret::from_key(secret), t, body);
    let (t, mac) = header.split_once(",v1=").expect("one signature");
    Parts { t: t.trim_start_matches("t=").to_owned(), mac: mac.to_owned() }
}

fn signed(body: &str) -> Parts {
    signed_at(SECRET, unix_now(), body.as_bytes())
}

fn with_header(value: &str, body: &str) -> Vec<u8> {
    post(&format!("Stripe-Signature: {value}\r\n"), body)
}

pub fn signatures() -> Vec<Case> {
    [orders(), odd_but_right(), broken(), several_lines(), ages(), altered(), replays()].into_iter().flatten().collect()
}

/// Every order of the time, the signature and one of another scheme, with each separator.
fn orders() -> Vec<Case> {
    let mut cases = Vec::new();
    for [a, b, c] in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for (number, separator) in [",", ", ", ",\t", ",,", " ,", ";", " "].into_iter().enumerate() {
            let body = event(&format!("evt_order_{a}{b}{c}_{number}"));
            let Parts { t, mac } = signed(&body);
            let items = [format!("t={t}"), format!("v1={mac}"), format!("v0={}", "0".repeat(64))];
            let value = [&items[a], &items[b], &items[c]].map(String::as_str).join(separator);
            let name = format!("signature parts in the order {a}{b}{c}, separated by {separator:?}");
            cases.push(match number {
                0..=3 => Case::delivery(name, with_header(&value, &body), OK, &body),
                // Only the last item has no space behind it.
                4 if [a, b, c] == [2, 0, 1] || [a, b, c] == [2, 1, 0] => {
                    Case::refused(name, with_header(&value, &body), BAD)
                }
                _ => Case::refused(name, with_header(&value, &body), BAD),
            });
        }
    }
    cases
}

/// What Stripe's SDKs accept too.
fn odd_but_right() -> Vec<Case> {
    let odd: [(&str, Write); 12] = [
        ("upper-case hex", |p| format!("t={},v1={}", p.t, p.mac.to_uppercase())),
        ("spaces around", |p| format!("  t={},v1={} \t", p.t, p.mac)),
        ("a comma at the end", |p| format!("t={},v1={},", p.t, p.mac)),
        ("a comma at the start", |p| format!(",t={},v1={}", p.t, p.mac)),
        ("another time behind", |p| format!("t={},v1={},t=1", p.t, p.mac)),
        ("an empty signature beside", |p| format!("t={},v1=,v1={}", p.t, p.mac)),
        ("a cut signature beside", |p| format!("t={},v1={},v1={}", p.t, &p.mac[..62], p.mac)),
        ("a wrong signature beside", |p| format!("t={},v1={},v1={}", p.t, "0".repeat(64), p.mac)),
        ("the sixteenth signature", |p| {
            format!("t={}{},v1={}", p.t, format!(",v1={}", "0".repeat(64)).repeat(15), p.mac)
        }),
        ("items without a value", |p| format!("x,t={},y,v1={},z", p.t, p.mac)),
        ("items without a name", |p| format!("=1,t={},=2,v1={}", p.t, p.mac)),
        ("a hundred unknown schemes", |p| format!("t={}{},v1={}", p.t, ",v9=00".repeat(100), p.mac)),
    ];
    let cases = odd.into_iter().enumerate().map(|(number, (name, value))| {
        let body = event(&format!("evt_odd_header_{number}"));
        Case::delivery(format!("signature with {name}"), with_header(&value(&signed(&body)), &body), OK, &body)
    });
    cases.collect()
}

fn broken() -> Vec<Case> {
    let broken: [(&str, Write); 48] = [
        ("nothing", |_| String::new()),
        ("blanks", |_| " \t ".to_owned()),
        ("a comma", |_| ",".to_owned()),
        ("an equals sign", |_| "=".to_owned()),
        ("words", |_| "let me in".to_owned()),
        ("the time alone", |p| format!("t={}", p.t)),
        ("the signature alone", |p| format!("v1={}", p.mac)),
        ("no names", |p| format!("{},{}", p.t, p.mac)),
        ("an empty time", |p| format!("t=,v1={}", p.mac)),
        ("a time in words", |p| format!("t=now,v1={}", p.mac)),
        ("a negative time", |p| format!("t=-{},v1={}", p.t, p.mac)),
        ("a plus sign", |p| format!("t=+{},v1={}", p.t, p.mac)),
        ("a blank before the time", |p| format!("t= {},v1={}", p.t, p.mac)),
        ("a blank behind the time", |p| format!("t={} ,v1={}", p.t, p.mac)),
        ("a time in hex", |p| format!("t=0x65,v1={}", p.mac)),
        ("a time with an exponent", |p| format!("t=1e9,v1={}", p.mac)),
        ("a fraction", |p| format!("t={}.0,v1={}", p.t, p.mac)),
        ("a separator in the time", |p| format!("t=1_700_000_000,v1={}", p.mac)),
        ("a zero before the time", |p| format!("t=0{},v1={}", p.t, p.mac)),
        ("milliseconds", |p| format!("t={}000,v1={}", p.t, p.mac)),
        ("the time 0", |p| format!("t=0,v1={}", p.mac)),
        ("the last 64-bit time", |p| format!("t={},v1={}", i64::MAX, p.mac)),
        ("a time beyond 64 bits", |p| format!("t=9223372036854775808,v1={}", p.mac)),
        ("a time of 5,000 digits", |p| format!("t={},v1={}", "9".repeat(5000), p.mac)),
        ("the first of two times wrong", |p| format!("t=1,t={},v1={}", p.t, p.mac)),
        ("an upper-case T", |p| format!("T={},v1={}", p.t, p.mac)),
        ("an upper-case V", |p| format!("t={},V1={}", p.t, p.mac)),
        ("a blank behind a name", |p| format!("t={},v1 ={}", p.t, p.mac)),
        ("a blank before the signature", |p| format!("t={},v1= {}", p.t, p.mac)),
        ("colons", |p| format!("t:{},v1:{}", p.t, p.mac)),
        ("quotes", |p| format!("t=\"{}\",v1=\"{}\"", p.t, p.mac)),
        ("percent signs", |p| format!("t%3D{}%2Cv1%3D{}", p.t, p.mac)),
        ("JSON", |p| format!("{{\"t\":{},\"v1\":\"{}\"}}", p.t, p.mac)),
        ("an empty signature", |p| format!("t={},v1=", p.t)),
        ("half a byte less", |p| format!("t={},v1={}", p.t, &p.mac[1..])),
        ("a byte less", |p| format!("t={},v1={}", p.t, &p.mac[2..])),
        ("half a byte more", |p| format!("t={},v1={}0", p.t, p.mac)),
        ("a byte more", |p| format!("t={},v1={}00", p.t, p.mac)),
        ("0x before it", |p| format!("t={},v1=0x{}", p.t, p.mac)),
        ("a letter beyond f", |p| format!("t={},v1=g{}", p.t, &p.mac[1..])),
        ("zeros", |p| format!("t={},v1={}", p.t, "0".repeat(64))),
        ("its bytes reversed", |p| format!("t={},v1={}", p.t, p.mac.chars().rev().collect::<String>())),
        ("only the scheme v0", |p| format!("t={},v0={}", p.t, p.mac)),
        ("only the scheme v2", |p| format!("t={},v2={}", p.t, p.mac)),
        ("the scheme v01", |p| format!("t={},v01={}", p.t, p.mac)),
        ("a seventeenth signature", |p| {
            format!("t={}{},v1={}", p.t, format!(",v1={}", "0".repeat(64)).repeat(16), p.mac)
        }),
        ("the secret as signature", |p| format!("t={},v1={}", p.t, SECRET)),
        ("8,000 commas", |_| ",".repeat(8000)),
    ];
    let cases = broken.into_iter().enumerate().map(|(number, (name, value))| {
        let body = event(&format!("evt_broken_header_{number}"));
        Case::refused(format!("signature: {name}"), with_header(&value(&signed(&body)), &body), BAD)
    });
    cases.chain(of_other_bytes()).collect()
}

/// Bytes that no header of text has.
fn of_other_bytes() -> Vec<Case> {
    let bytes: [(&str, &[u8]); 6] = [
        ("NUL", b"\0"),
        ("DEL", b"\x7f"),
        ("Latin-1", b"\xe9"),
        ("UTF-8", "é".as_bytes()),
        ("0xff", b"\xff"),
        ("bare CR", b"\r"),
    ];
    let cases = bytes.into_iter().map(|(name, byte)| {
        let body = event("evt_other_bytes");
        let Parts { t, mac } = signed(&body);
        let value = [b"Stripe-Signature: t=", t.as_bytes(), b",x=", byte, b",v1=", mac.as_bytes(), b"\r\n"].concat();
        let rest = post("", &body);
        let (start, rest) = rest.split_at(b"POST /webhooks/stripe HTTP/1.1\r\n".len());
        Case::refused(format!("signature with {name} in it"), [start, &value, rest].concat(), BAD)
    });
    cases.collect()
}

fn several_lines() -> Vec<Case> {
    let body = event("evt_several_lines");
    let Parts { t, mac } = signed(&body);
    let lines: [(&str, Vec<String>); 6] = [
        ("no header", vec![]),
        ("the same header twice", vec![format!("t={t},v1={mac}"); 2]),
        ("a wrong header before", vec!["t=1,v1=00".to_owned(), format!("t={t},v1={mac}")]),
        ("a wrong header behind", vec![format!("t={t},v1={mac}"), "t=1,v1=00".to_owned()]),
        ("time and signature in two headers", vec![format!("t={t}"), format!("v1={mac}")]),
        ("an empty header before", vec![String::new(), format!("t={t},v1={mac}")]),
    ];
    let mut cases: Vec<Case> = lines
        .into_iter()
        .map(|(name, lines)| {
            let headers: String = lines.iter().map(|line| format!("Stripe-Signature: {line}\r\n")).collect();
            Case::refused(format!("signature: {name}"), post(&headers, &body), BAD)
        })
        .collect();
    for name in ["Stripe_Signature", "X-Stripe-Signature", "Stripe-Signature-2", "Signature", "Authorization"] {
        let bytes = post(&format!("{name}: t={t},v1={mac}\r\n"), &body);
        cases.push(Case::refused(format!("signature under the name {name}"), bytes, BAD));
    }
    for name in ["stripe-signature", "STRIPE-SIGNATURE", "sTRIPE-sIGNATURE"] {
        let body = event(&format!("evt_{name}"));
        let Parts { t, mac } = signed(&body);
        let bytes = post(&format!("{name}: t={t},v1={mac}\r\n"), &body);
        cases.push(Case::delivery(format!("signature under the name {name}"), bytes, OK, &body));
    }
    cases
}

/// Both ends of the tolerance of 300 s, with room for the time that the corpus takes. The exact ends are tested where
/// the time is an argument, in `src/stripe/signature/tests.rs`.
fn ages() -> Vec<Case> {
    let cases =
        [240, -240, 301, -420, 86_400, -86_400, 2_000_000_000, 40 * 365 * 86_400].into_iter().map(|age: i64| {
            let body = event(&format!("evt_age_{age}"));
            let at = (unix_now() - age).max(0);
            let Parts { t, mac } = signed_at(SECRET, at, body.as_bytes());
            let bytes = with_header(&format!("t={t},v1={mac}"), &body);
            let name = format!("signature made {age} s ago");
            if age.abs() < 300 { Case::delivery(name, bytes, OK, &body) } else { Case::refused(name, bytes, BAD) }
        });
    let mut cases: Vec<Case> = cases.collect();
    for secret in ["whsec_another", "whsec_", "", "of_the_tests", "whsec_of_the_tests "] {
        let body = event("evt_another_secret");
        let Parts { t, mac } = signed_at(secret, unix_now(), body.as_bytes());
        let bytes = with_header(&format!("t={t},v1={mac}"), &body);
        cases.push(Case::refused(format!("signature of the secret {secret:?}"), bytes, BAD));
    }
    cases
}

/// The signature of a body, and another body.
fn altered() -> Vec<Case> {
    let altered: [(&str, Alter); 14] = [
        ("no byte", |_| Vec::new()),
        ("the first byte missing", |body| body.as_bytes()[1..].to_vec()),
        ("the last byte missing", |body| body.as_bytes()[..body.len() - 1].to_vec()),
        ("a line break at the end", |body| format!("{body}\n").into()),
        ("a blank at the start", |body| format!(" {body}").into()),
        ("a byte order mark", |body| format!("\u{feff}{body}").into()),
        ("a NUL at the end", |body| format!("{body}\0").into()),
        ("itself twice", |body| format!("{body}{body}").into()),
        ("one bit changed", |body| body.bytes().enumerate().map(|(n, byte)| byte ^ u8::from(n == 10)).collect()),
        ("the amount changed", |body| body.replace("1700000000", "1700000001").into()),
        ("the id changed", |body| body.replace("evt_", "evt-").into()),
        ("blanks behind commas", |body| body.replace(',', ", ").into()),
        ("escapes for letters", |body| body.replace("evt", r"\u0065vt").into()),
        ("upper case", |body| body.to_uppercase().into()),
    ];
    let body = event("evt_altered");
    let Parts { t, mac } = signed(&body);
    let mut cases: Vec<Case> = altered
        .into_iter()
        .map(|(name, alter)| {
            let bytes = post(&format!("Stripe-Signature: t={t},v1={mac}\r\n"), alter(&body));
            Case::refused(format!("body altered: {name}"), bytes, BAD)
        })
        .collect();
    // The signature covers `t.body`: the dot may not move.
    let moved = signed_at(SECRET, unix_now(), format!("1.{body}").as_bytes());
    cases.push(Case::refused(
        "signature over another dot",
        with_header(&format!("t={}.1,v1={}", moved.t, moved.mac), &body),
        BAD,
    ));
    cases
}

fn replays() -> Vec<Case> {
    let body = event("evt_replayed");
    let Parts { t, mac } = signed(&body);
    let bytes = with_header(&format!("t={t},v1={mac}"), &body);
    let answer = || Answer { statuses: OK, stores: Some(Stored { body: body.clone(), state: "ignored" }) };
    let twice = Case {
        name: "a delivery, five times on one connection".to_owned(),
        bytes: bytes.repeat(5),
        ends: false,
        answers: std::iter::repeat_with(answer).take(5).collect(),
    };
    let again = Case::delivery("the same delivery on another connection", bytes, OK, &body);
    // The first body of an id stays.
    let other = body.replace("thing.made", "thing.sold");
    let Parts { t, mac } = signed(&other);
    let same_id = Case::refused("another body of the same id", with_header(&format!("t={t},v1={mac}"), &other), OK);
    vec![twice, again, same_id]
}
