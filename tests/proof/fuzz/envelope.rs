//! The envelope agrees with a slow reading of the whole body.

use clawback::stripe::envelope::{Envelope, NotAnEvent};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::changes::{bodies, seeds};
use super::json::Json;
use super::{fuzz, runs, try_kept};

#[test]
fn the_envelope_of_any_body_is_what_a_slow_reading_says() {
    try_kept("bodies", check);
    fuzz("envelope", runs(20_000), &bodies(seeds()), |body| check(body));
}

fn check(body: &str) -> Result<(), String> {
    let (read, slow) = (Envelope::read(body), slowly(body));
    if read == slow { Ok(()) } else { Err(format!("{read:?} is not {slow:?}")) }
}

fn slowly(body: &str) -> Result<Envelope, NotAnEvent> {
    let event = Json::parse(body).filter(|json| matches!(json, Json::Object(_))).ok_or(NotAnEvent::NotAnObject)?;
    let text = |name: &str| usable(event.get(name)).map(str::to_owned);
    let short = |name: &str| text(name).filter(|text| text.len() <= 255);
    let object_id = event.get("data").and_then(|data| data.get("object")?.get("id"));
    let id = object_id.or_else(|| event.get("related_object")?.get("id"));
    Ok(Envelope {
        id: short("id").ok_or(NotAnEvent::Id)?,
        event_type: text("type").ok_or(NotAnEvent::Type)?,
        api_version: short("api_version"),
        account: short("account"),
        livemode: event.get("livemode").and_then(|json| if let Json::Flag(flag) = json { Some(*flag) } else { None }),
        object_id: usable(id).filter(|id| id.len() <= 255).map(str::to_owned),
        created: event.get("created").and_then(moment),
    })
}

/// Text that Postgres can store.
fn usable(json: Option<&Json>) -> Option<&str> {
    json?.text().filter(|text| !text.is_empty() && !text.contains('\0'))
}

/// Of the years 1 to 9999.
fn moment(json: &Json) -> Option<i64> {
    let from_text = || Some(OffsetDateTime::parse(json.text()?, &Rfc3339).ok()?.unix_timestamp());
    json.integer().or_else(from_text).filter(|at| (-62_135_596_800..253_402_300_800).contains(at))
}
