//! What is an event and what is not, and which values survive in its envelope.

use super::*;

/// An event with this in its envelope besides id and type.
fn with(rest: &str) -> Envelope {
    let body = format!(r#"{{"id":"evt_1","type":"charge.refunded",{rest}}}"#);
    Envelope::read(&body).unwrap_or_else(|error| panic!("{body}: {error}"))
}

#[test]
fn a_snapshot_event_is_read_whole() {
    let body = r#"{
        "id": "evt_1", "object": "event", "api_version": "2026-09-30.endive", "account": "acct_1",
        "created": 1700000000, "data": {"object": {"object": "charge", "id": "ch_1", "paid": true}},
        "livemode": false, "pending_webhooks": 1, "request": null, "type": "charge.refunded"
    }"#;
    assert_eq!(
        Envelope::read(body).unwrap(),
        Envelope {
            id: "evt_1".into(),
            event_type: "charge.refunded".into(),
            api_version: Some("2026-09-30.endive".into()),
            account: Some("acct_1".into()),
            livemode: Some(false),
            object_id: Some("ch_1".into()),
            created: Some(1_700_000_000),
        }
    );
}

#[test]
fn a_thin_event_is_read_too() {
    let thin = with(
        r#""object":"v2.core.event","livemode":true,"created":"2023-11-14T22:13:20.123Z",
           "related_object":{"id":"ch_1","type":"charge","url":"/v1/charges/ch_1"},"reason":null"#,
    );
    assert_eq!(thin.created, Some(1_700_000_000));
    assert_eq!((thin.livemode, thin.object_id.as_deref()), (Some(true), Some("ch_1")));
}

#[test]
fn id_and_type_are_enough() {
    let envelope = Envelope::read(r#"{"id":"e","type":"t"}"#).unwrap();
    assert_eq!(envelope.created.or(envelope.livemode.map(i64::from)), None);
    assert_eq!(envelope.account.or(envelope.api_version).or(envelope.object_id), None);
}

#[test]
fn what_is_no_json_object_is_no_event() {
    for body in [
        "",
        " ",
        "null",
        "[]",
        "\"evt_1\"",
        "[{\"id\":\"evt_1\",\"type\":\"t\"}]",
        "{\"id\":\"evt_1\",\"type\":\"t\"",
        "{\"id\":\"evt_1\",\"type\":\"t\"} x",
        "{\"id\":\"evt_1\",\"type\":\"t\"}{}",
        "{\"id\":\"evt_1\",\"type\":\"t\",}",
        "{\"id\":\"evt_1\",\"type\":\"t\",\"data\":{\"object\":nul}}",
        "{\"id\":\"evt_1\",\"type\":\"t\",\"x\":\"\u{0}\"}",
        "\u{feff}{\"id\":\"evt_1\",\"type\":\"t\"}",
    ] {
        assert_eq!(Envelope::read(body), Err(NotAnEvent::NotAnObject), "{body:?}");
    }
}

#[test]
fn without_a_usable_id_and_type_it_is_no_event() {
    let longest = "x".repeat(255);
    let envelope = Envelope::read(&format!(r#"{{"id":"{longest}","type":"t"}}"#)).unwrap();
    assert_eq!(envelope.id, longest);

    for (id, event_type, error) in [
        ("null", r#""t""#, NotAnEvent::Id),
        ("1", r#""t""#, NotAnEvent::Id),
        (r#""""#, r#""t""#, NotAnEvent::Id),
        (r#""a\u0000""#, r#""t""#, NotAnEvent::Id),
        (r#""\ud800""#, r#""t""#, NotAnEvent::Id),
        (&format!(r#""{longest}x""#), r#""t""#, NotAnEvent::Id),
        (&format!(r#""{}""#, "é".repeat(128)), r#""t""#, NotAnEvent::Id),
        (r#""e""#, "{}", NotAnEvent::Type),
        (r#""e""#, r#""""#, NotAnEvent::Type),
        (r#""e""#, r#""\u0000""#, NotAnEvent::Type),
    ] {
        let body = format!(r#"{{"id":{id},"type":{event_type}}}"#);
        assert_eq!(Envelope::read(&body), Err(error), "{body}");
    }
    assert_eq!(Envelope::read(r#"{"type":"t"}"#), Err(NotAnEvent::Id));
    assert_eq!(Envelope::read(r#"{"id":"e"}"#), Err(NotAnEvent::Type));
}

#[test]
fn values_that_cannot_be_stored_are_none() {
    let too_long = format!("\"{}\"", "x".repeat(256));
    for value in ["null", "1.5", "[]", "{}", r#""a\u0000b""#, r#""\udc00""#, "\"\"", &too_long] {
        let envelope = with(&format!(
            r#""api_version":{value},"account":{value},"livemode":{value},"created":{value},
               "object":{value},"data":{{"object":{{"id":{value}}}}}"#
        ));
        assert_eq!(envelope.api_version, None, "{value}");
        assert_eq!(envelope.account, None, "{value}");
        assert_eq!(envelope.livemode, None, "{value}");
        assert_eq!(envelope.created, None, "{value}");
        assert_eq!(envelope.object_id, None, "{value}");
    }
    for data in ["null", "[]", "\"x\"", "{}", r#"{"object":null}"#, r#"{"object":[]}"#] {
        assert_eq!(with(&format!(r#""data":{data}"#)).object_id, None, "{data}");
    }
}

#[test]
fn a_time_that_no_column_holds_is_none() {
    let created = |value: &str| with(&format!(r#""created":{value}"#)).created;
    assert_eq!(created("0"), Some(0));
    assert_eq!(created("-1"), Some(-1));
    assert_eq!(created("253402300799"), Some(253_402_300_799));
    assert_eq!(created("\"1970-01-01T01:00:00+01:00\""), Some(0));
    for value in ["253402300800", "-62135596801", "9223372036854775808", "1e9", "\"tomorrow\""] {
        assert_eq!(created(value), None, "{value}");
    }
}

#[test]
fn odd_escapes_in_the_object_do_not_matter() {
    let envelope =
        with(r#""data":{"object":{"description":"\ud800 \u0000","\udfff":1,"metadata":{"\ud800":""},"id":"ch_1"}}"#);
    assert_eq!(envelope.id, "evt_1");
    assert_eq!(with(r#""data":{"object":{"description":"\ud800 \u0000","id":"ch_1"}}"#).object_id, Some("ch_1".into()));
}

#[test]
fn depth_does_not_matter() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let envelope = with(&format!(r#""x":{deep},"data":{{"object":{{"deep":{deep},"id":"ch_1"}}}}"#));
    assert_eq!(envelope.object_id, Some("ch_1".into()));
}

#[test]
fn of_a_key_that_comes_twice_the_last_counts() {
    let envelope = with(r#""id":"evt_2","created":1,"created":2,"data":1,"data":{"object":{"id":"x"}}"#);
    assert_eq!((envelope.id.as_str(), envelope.created), ("evt_2", Some(2)));
    assert_eq!(envelope.object_id, Some("x".into()));
    assert_eq!(Envelope::read(r#"{"id":"evt_1","type":"t","id":7}"#), Err(NotAnEvent::Id));
}

#[test]
fn of_a_key_that_comes_twice_inside_the_last_counts_too() {
    let twice = with(r#""data":{"object":7,"object":{"id":"ch_1","id":"ch_2"}}"#);
    assert_eq!(twice.object_id.as_deref(), Some("ch_2"));
}

#[test]
fn a_name_that_is_not_text_affects_no_other_field() {
    let odd = with(r#""\udc00":1,"livemode":true,"data":{"\ud800":1,"object":{"\udfff":1,"id":"ch_1"}}"#);
    assert_eq!((odd.livemode, odd.object_id.as_deref()), (Some(true), Some("ch_1")));
}
