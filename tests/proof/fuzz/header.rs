//! The signature header is judged as a plain reading of Stripe's documentation judges it.

use clawback::stripe::signature::{Modes, Secret, Secrets, SignatureError, Verified, verify};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use proptest::sample::select;
use sha2::Sha256;

use super::{fuzz, runs, try_kept};

const KEY: &str = "whsec_fuzz";
const BODY: &[u8] = b"{\"id\":\"evt_1\"}";
const NOW: i64 = 1_700_000_000;
const TOLERANCE: i64 = 300;
/// Further signatures in one header are not tried.
const MOST: usize = 16;

#[test]
fn any_header_is_judged_as_a_plain_reading_judges_it() {
    let secrets = Secrets::from(Secret::from_key(KEY));
    let check = |header: &str| {
        let (judged, plain) = (verify(header, BODY, &secrets, NOW, TOLERANCE), plainly(header));
        if judged == plain { Ok(()) } else { Err(format!("{judged:?} is not {plain:?}")) }
    };
    // Kept headers name the times and their signatures by words.
    try_kept("headers", |line| check(&spelled_out(line)));
    fuzz("header", runs(50_000), &headers(), |header| check(header));
}

/// Headers of the right parts and of all that may be mistaken for them.
fn headers() -> impl Strategy<Value = String> {
    let times = [NOW, NOW - 300, NOW - 301, NOW + 300, NOW + 301, 0];
    let right: Vec<String> =
        times.iter().flat_map(|at| [format!("t={at}"), format!("v1={}", mac(&at.to_string()))]).collect();
    let whole: Vec<String> = times.iter().map(|at| format!("t={at},v1={}", mac(&at.to_string()))).collect();
    let odd = [
        "t=", "v1=", "v0=", "T=", "=", ",", ",,", " ", ", ", "\t", "\u{a0}", "0", "-", "+", "g", "é", "0x", "\"", "t",
        "v1", "v11=",
    ];
    let more = ["9223372036854775807", "9223372036854775808", "00", "99999999999999999999999"].map(str::to_owned);
    let zeros = ["0".repeat(64), format!(",v1={}", "0".repeat(64)), format!(",v1={}", "0".repeat(64)).repeat(15)];
    let upper = mac(&NOW.to_string()).to_uppercase();
    let one = prop_oneof![
        4 => select(right),
        4 => select(whole),
        4 => select(odd.map(str::to_owned).to_vec()),
        4 => Just(",".to_owned()),
        1 => select(more.to_vec()),
        1 => select(zeros.to_vec()),
        1 => Just(format!("v1={upper}")),
        1 => "[0-9a-fA-F]{62,66}",
        1 => "\\PC{0,3}",
    ];
    prop::collection::vec(one, 0..9).prop_map(|parts| parts.concat())
}

fn spelled_out(line: &str) -> String {
    let now = NOW.to_string();
    line.replace("NOW", &now).replace("MAC", &mac(&now)).replace("ZEROS", &"0".repeat(64))
}

fn mac(t: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("a key");
    mac.update(format!("{t}.").as_bytes());
    mac.update(BODY);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Items are separated by commas, each has a name and a value: the first `t` is the time, each `v1` of 64 hexadecimal
/// digits may be the signature of the time's digits, a dot and the body.
fn plainly(header: &str) -> Result<Verified, SignatureError> {
    if header.chars().all(char::is_whitespace) {
        return Err(SignatureError::Missing);
    }
    let (mut time, mut macs) = (None, Vec::new());
    for item in header.split(',') {
        let item = item.trim_start_matches(char::is_whitespace);
        let Some(equals) = item.find('=') else { continue };
        let value = &item[equals + 1..];
        match &item[..equals] {
            "t" if time.is_none() => time = Some(value),
            "v1" if value.len() == 64 && value.chars().all(|c| c.is_ascii_hexdigit()) => {
                macs.push(value.to_ascii_lowercase())
            }
            _ => {}
        }
    }
    let time = time.filter(|time| !time.is_empty() && time.chars().all(|c| c.is_ascii_digit()));
    let time = time.ok_or(SignatureError::Malformed)?;
    let at: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    if macs.is_empty() {
        return Err(SignatureError::NoV1);
    }
    if !macs.iter().take(MOST).any(|found| *found == mac(time)) {
        return Err(SignatureError::NoMatch);
    }
    match i128::from(NOW) - i128::from(at) {
        age if age > i128::from(TOLERANCE) => Err(SignatureError::Stale),
        age if age < -i128::from(TOLERANCE) => Err(SignatureError::Future),
        _ => Ok(Verified { modes: Modes::Both, secret: 1 }),
    }
}
