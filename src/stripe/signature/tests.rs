//! The signature rules: recorded and computed vectors, and properties over any body.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const NOW: i64 = 1_700_000_000;

fn secret() -> Secret {
    Secret::from_key("whsec_test")
}

/// `verify` with one secret, at the moment of signing unless told.
fn check(header: &str, body: &[u8], now: i64) -> Result<Verified, SignatureError> {
    verify(header, body, &secret().into(), now, 300)
}

#[test]
fn the_recorded_and_computed_vectors_hold() {
    let vectors: Value = serde_json::from_str(include_str!("../../../tests/data/signature_vectors.json")).unwrap();
    for vector in vectors["webhook_vectors"].as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let keys = match &vector["secret"] {
            Value::String(key) => vec![key.as_str()],
            _ => vector["secrets"].as_array().unwrap().iter().map(|k| k.as_str().unwrap()).collect(),
        };
        // `parse` insists on `whsec_`, and some vectors have a single key without it.
        let secrets = Secrets::parse(&keys.join(",")).unwrap_or_else(|_| Secret::from_key(keys[0]).into());
        let outcome = verify(
            vector["header"].as_str().unwrap(),
            vector["payload"].as_str().unwrap().as_bytes(),
            &secrets,
            vector["now"].as_i64().unwrap(),
            300,
        );
        let accepted = match vector["expect"].as_str().unwrap() {
            "accept" => true,
            "reject" => false,
            _ => our_policy(name),
        };
        assert_eq!(outcome.is_ok(), accepted, "{name}: {outcome:?}");
    }
}

/// Where Stripe's own SDKs differ from one another.
fn our_policy(vector: &str) -> bool {
    match vector {
        "space after comma" | "upper-case hex" | "duplicate t, first good" => true,
        "10 minutes in the future" => false,
        other => panic!("no policy for {other}"),
    }
}

#[test]
fn each_reason_is_told_apart() {
    let good = sign(&secret(), NOW, b"{}");
    let v1 = good.split_once(',').unwrap().1;
    for (header, now, reason) in [
        ("", NOW, SignatureError::Missing),
        ("  ", NOW, SignatureError::Missing),
        ("garbage", NOW, SignatureError::Malformed),
        (v1, NOW, SignatureError::Malformed),
        (&format!("t=,{v1}"), NOW, SignatureError::Malformed),
        (&format!("t=+{NOW},{v1}"), NOW, SignatureError::Malformed),
        (&format!("t=-{NOW},{v1}"), NOW, SignatureError::Malformed),
        (&format!("t={NOW}0000000000,{v1}"), NOW, SignatureError::Malformed),
        (&format!("t={NOW}"), NOW, SignatureError::NoV1),
        (&good.replace("v1", "v0"), NOW, SignatureError::NoV1),
        (&format!("t={NOW},v1="), NOW, SignatureError::NoV1),
        (&good.replace("t=17", "t=16"), NOW, SignatureError::NoMatch),
        (&good, NOW + 301, SignatureError::Stale),
        (&good, NOW - 301, SignatureError::Future),
        (&good, i64::MAX, SignatureError::Stale),
        (&good, i64::MIN, SignatureError::Future),
    ] {
        assert_eq!(check(header, b"{}", now), Err(reason), "{header} at {now}");
    }
}

#[test]
fn items_that_mean_nothing_to_us_are_ignored() {
    let good = sign(&secret(), NOW, b"{}");
    let v1 = good.split_once(',').unwrap().1;
    for header in [
        format!("{good},"),
        format!(",{good}"),
        format!("x,{good},v2=1,v1=a=b,v1=potato"),
        format!("{v1}, t={NOW}"),
        format!("t={NOW}, {v1}"),
    ] {
        assert!(check(&header, b"{}", NOW).is_ok(), "{header}");
    }
}

#[test]
fn only_so_many_signatures_are_looked_at() {
    let good = sign(&secret(), NOW, b"{}");
    let (t, v1) = good.split_once(',').unwrap();
    let decoy = format!("v1={}", "0".repeat(64));
    let header = |decoys: usize| format!("{t},{}{v1}", format!("{decoy},").repeat(decoys));
    assert!(check(&header(MAX_CANDIDATES - 1), b"{}", NOW).is_ok());
    assert_eq!(check(&header(MAX_CANDIDATES), b"{}", NOW), Err(SignatureError::NoMatch));
}

#[test]
fn secrets_are_separated_by_commas_or_white_space() {
    let secrets = Secrets::parse(" whsec_a,whsec_b\n\t,, live:whsec_c test:whsec_d ,").unwrap();
    let read: Vec<_> = secrets.iter().map(|secret| (secret.position(), secret.modes())).collect();
    assert_eq!(read, [(1, Modes::Both), (2, Modes::Both), (3, Modes::Live), (4, Modes::Test)]);
}

#[test]
fn what_is_no_endpoint_secret_is_refused_by_its_position() {
    for (text, error) in [
        ("", SecretsError::None),
        (" ,\n", SecretsError::None),
        ("whsec_", SecretsError::Empty { position: 1 }),
        ("whsec_a live:whsec_", SecretsError::Empty { position: 2 }),
        ("whsec_a,,sk_live_hidden", SecretsError::NoPrefix { position: 2 }),
        ("\"whsec_a\"", SecretsError::NoPrefix { position: 1 }),
        ("prod:whsec_a", SecretsError::NoPrefix { position: 1 }),
        ("whsec_a whsec_…", SecretsError::Placeholder { position: 2 }),
        ("whsec_...", SecretsError::Placeholder { position: 1 }),
        ("whsec_xxxxxxxx", SecretsError::Placeholder { position: 1 }),
        ("test:whsec_your_secret", SecretsError::Placeholder { position: 1 }),
    ] {
        assert_eq!(Secrets::parse(text).unwrap_err(), error, "{text:?}");
    }
}

#[test]
fn no_key_is_shown() {
    let secrets = Secrets::parse("live:whsec_hidden").unwrap();
    let error = Secrets::parse("whsec_a hidden").unwrap_err();
    assert!(!format!("{secrets:?}").contains("hidden"));
    assert!(!format!("{error:?} {error}").contains("hidden"));
}

#[test]
fn a_labelled_secret_vouches_for_its_mode_only() {
    let secrets = Secrets::parse("whsec_any live:whsec_live test:whsec_test").unwrap();
    let modes = |key: &str| {
        let header = sign(&Secret::from_key(key), NOW, b"{}");
        verify(&header, b"{}", &secrets, NOW, 300).unwrap()
    };
    assert_eq!(modes("whsec_any"), Verified { modes: Modes::Both, secret: 1 });
    assert_eq!(modes("whsec_live"), Verified { modes: Modes::Live, secret: 2 });
    assert_eq!(modes("whsec_test"), Verified { modes: Modes::Test, secret: 3 });

    assert!(Modes::Live.allow(Some(true)) && !Modes::Live.allow(Some(false)));
    assert!(Modes::Test.allow(Some(false)) && !Modes::Test.allow(Some(true)));
    assert!(Modes::Live.allow(None) && Modes::Test.allow(None) && Modes::Both.allow(Some(true)));
}

#[test]
fn one_unlabelled_match_is_enough_for_both_modes() {
    let secrets = Secrets::parse("live:whsec_a whsec_a").unwrap();
    let header = sign(&Secret::from_key("whsec_a"), NOW, b"{}");
    assert_eq!(verify(&header, b"{}", &secrets, NOW, 300), Ok(Verified { modes: Modes::Both, secret: 1 }));
}

proptest! {
    #[test]
    fn what_was_signed_is_accepted(key in ".{0,80}", body: Vec<u8>, t in 0..i64::MAX / 2, age in -300..=300_i64) {
        let secret = Secret::from_key(&key);
        let header = sign(&secret, t, &body);
        prop_assert!(verify(&header, &body, &secret.into(), t.saturating_add(age), 300).is_ok());
    }

    #[test]
    fn any_changed_byte_of_the_body_is_refused(mut body in proptest::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, flip in 1..=255_u8) {
        let header = sign(&secret(), NOW, &body);
        let at = at.index(body.len());
        body[at] ^= flip;
        prop_assert_eq!(check(&header, &body, NOW), Err(SignatureError::NoMatch));
    }

    #[test]
    fn any_changed_byte_of_the_signature_is_refused(body: Vec<u8>, at in 0..32_usize, flip in 1..=255_u8) {
        let mut mac = secret().mac(&NOW.to_string(), &body).finalize().into_bytes();
        mac[at] ^= flip;
        let header = format!("t={NOW},v1={}", hex::encode(mac));
        prop_assert_eq!(check(&header, &body, NOW), Err(SignatureError::NoMatch));
    }

    #[test]
    fn a_shortened_or_lengthened_signature_is_refused(body: Vec<u8>, length in 0..64_usize, more in "[0-9a-f]{1,64}") {
        let header = sign(&secret(), NOW, &body);
        let start = header.len() - 64;
        prop_assert_eq!(check(&header[..start + length], &body, NOW), Err(SignatureError::NoV1));
        prop_assert_eq!(check(&format!("{header}{more}"), &body, NOW), Err(SignatureError::NoV1));
    }

    #[test]
    fn beyond_the_tolerance_is_refused_on_both_sides(body: Vec<u8>, beyond in 301..i64::MAX / 2) {
        let header = sign(&secret(), NOW, &body);
        prop_assert_eq!(check(&header, &body, NOW + beyond), Err(SignatureError::Stale));
        prop_assert_eq!(check(&header, &body, NOW - beyond), Err(SignatureError::Future));
    }

    #[test]
    fn no_header_makes_it_panic(header in "(t=|v1=|,|=| |[0-9]{1,25}|[0-9a-f]{64}|\\PC){0,12}") {
        let _ = check(&header, b"{}", NOW);
    }
}
