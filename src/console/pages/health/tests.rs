//! Snapshots of the health page.

use super::super::samples::{HOSTILE, NOW, lines};
use super::*;
use crate::store::api_calls::Waiting;
use crate::store::gauges::{Due, FollowUps};
use crate::store::overview::Overview;

fn quiet() -> Numbers {
    let due = |livemode| Due { livemode, evidence_seconds: None, drafts: 0 };
    let gauges = Gauges {
        pending: 0,
        oldest_pending_seconds: 0.0,
        failed: 0,
        due: vec![due(true), due(false)],
        evidence_overdue: 0,
        unlinked: 0,
        newest_event_seconds: 0.0,
        waiting: Waiting { calls: 0, oldest: 0.0, problems: 0 },
        sync_age_seconds: 0.0,
        prune_age_seconds: 0.0,
        follow_ups: Vec::new(),
    };
    Numbers { at: NOW, gauges, overview: Overview::default() }
}

fn troubled() -> Numbers {
    let mut numbers = quiet();
    let gauges = &mut numbers.gauges;
    (gauges.pending, gauges.oldest_pending_seconds, gauges.failed, gauges.unlinked) = (12, 301.0, 3, 1);
    gauges.due[0] = Due { livemode: true, evidence_seconds: Some(3_600.0), drafts: 2 };
    let follow_ups = |state: &str, oldest_seconds| FollowUps {
        kind: "notify_refund".to_owned(),
        state: state.to_owned(),
        count: 4,
        oldest_seconds,
    };
    gauges.follow_ups = vec![follow_ups("dead", 0.0), follow_ups("ready", 3_700.0)];
    (gauges.waiting, gauges.sync_age_seconds) = (Waiting { calls: 1, oldest: 4_000.0, problems: 1 }, 7_300.0);
    let account = Account {
        account: Some("acct_1".to_owned()),
        livemode: true,
        caught_up_at: None,
        problem: Some(HOSTILE.to_owned()),
        last_error: None,
        disconnected: true,
    };
    numbers.overview = Overview {
        newest_event_at: Some(NOW - Duration::DAY),
        keys: vec![true],
        accounts: vec![account],
        processors: vec![2, 3],
        schema_version: Some(18),
    };
    numbers
}

fn shown(reading: Reading, is_available: Option<bool>) -> String {
    lines(&View { reading, is_available, now: NOW + Duration::minutes(2) }.content())
}

#[test]
fn none_is_not_the_same_as_not_known() {
    let quiet = shown(Reading::Fresh(Arc::new(quiet())), None);
    assert!(quiet.contains("Nothing needs attention."), "{quiet}");
    insta::assert_snapshot!(quiet);
}

#[test]
fn what_needs_attention_is_marked_by_a_word() {
    insta::assert_snapshot!(shown(Reading::Fresh(Arc::new(troubled())), Some(false)));
}

#[test]
fn the_last_good_numbers_stay_and_say_how_old_they_are() {
    let old = shown(Reading::Old(Arc::new(troubled())), Some(true));
    assert!(old.contains("the last numbers that could be read") && old.contains("2 min ago"), "{old}");
    let unread = shown(Reading::Unread, Some(true));
    assert!(unread.contains("The numbers could not be read") && unread.contains("available"), "{unread}");
}
