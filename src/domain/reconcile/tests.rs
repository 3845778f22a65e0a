use serde_json::json;

use super::*;
use crate::domain::derive;

const NOBODY_MOVED: Option<&Payment> = None;

fn payment() -> Payment {
    Payment { order_id: Some("o".to_owned()), ..derive("pi_1", &Facts::default()).payment }
}

fn desired(kind: &'static str) -> Desired {
    Desired {
        kind,
        subject: "pi_1".to_owned(),
        round: String::new(),
        payload: json!({ "amount": 5 }),
        run_at: RunAt::Now,
        due_at: None,
        until: None,
        cause: None,
        news_until: None,
    }
}

fn stored(id: i64, state: FollowUpState, wanted: bool) -> FollowUp {
    FollowUp {
        id,
        content: Content { state, wanted, attempts: 3, ..Content::new(&payment(), &desired("cancel_fulfilment")) },
        run_at: 100,
        rescheduled: false,
    }
}

#[test]
fn what_is_missing_is_inserted_and_what_is_there_is_left_alone() {
    let desired = desired("cancel_fulfilment");
    let first = reconcile(vec![], &[(&payment(), &desired)], |_| NOBODY_MOVED);
    assert_eq!((first.insert.len(), first.update.len()), (1, 0));
    for state in [FollowUpState::Ready, FollowUpState::Leased, FollowUpState::Done, FollowUpState::Dead] {
        let again = reconcile(vec![stored(1, state, true)], &[(&payment(), &desired)], |_| NOBODY_MOVED);
        assert_eq!(again, QueueChanges::default(), "{state:?}");
    }
}

#[test]
fn what_is_wanted_no_longer_is_withdrawn_unless_somebody_is_at_it_or_it_ended() {
    let after = |state| {
        let update = reconcile(vec![stored(1, state, true)], &[], |_| NOBODY_MOVED).update;
        (update[0].content.wanted, update[0].content.state)
    };
    assert_eq!(after(FollowUpState::Ready), (false, FollowUpState::Cancelled));
    assert_eq!(after(FollowUpState::Dead), (false, FollowUpState::Cancelled));
    for kept in [FollowUpState::Leased, FollowUpState::Done, FollowUpState::Discarded] {
        assert_eq!(after(kept), (false, kept));
    }
}

#[test]
fn what_is_wanted_again_is_ready_with_fresh_attempts() {
    let desired = desired("cancel_fulfilment");
    let changes =
        reconcile(vec![stored(1, FollowUpState::Cancelled, false)], &[(&payment(), &desired)], |_| NOBODY_MOVED);
    let Row { id, content: row, .. } = &changes.update[0];
    assert_eq!((*id, row.state, row.wanted, row.attempts), (Some(1), FollowUpState::Ready, true, 0));
    assert_eq!(changes.made_ready(), BTreeSet::from(["cancel_fulfilment"]));
}

#[test]
fn what_is_done_or_discarded_stays_when_it_is_wanted_again() {
    let desired = desired("cancel_fulfilment");
    for state in [FollowUpState::Done, FollowUpState::Discarded] {
        let changes = reconcile(vec![stored(1, state, false)], &[(&payment(), &desired)], |_| NOBODY_MOVED);
        assert_eq!((changes.update[0].content.state, changes.update[0].content.wanted), (state, true));
        assert!(changes.made_ready().is_empty());
    }
}

#[test]
fn a_ready_one_learns_what_changed() {
    let desired = Desired { payload: json!({ "amount": 7 }), due_at: Some(9), ..desired("cancel_fulfilment") };
    let changes = reconcile(vec![stored(1, FollowUpState::Ready, true)], &[(&payment(), &desired)], |_| NOBODY_MOVED);
    let row = &changes.update[0].content;
    assert_eq!((row.payload["amount"].as_i64(), row.due_at, row.attempts), (Some(7), Some(9), 3));
    assert!(changes.made_ready().is_empty());
}

#[test]
fn what_was_never_claimed_follows_its_moment_unless_somebody_said_when() {
    let desired = Desired { run_at: RunAt::At(500), ..desired("cancel_fulfilment") };
    for (attempts, rescheduled, run_at) in [(0, false, Some(500)), (0, true, None), (1, false, None)] {
        let mut row = FollowUp { rescheduled, ..stored(1, FollowUpState::Ready, true) };
        row.content.attempts = attempts;
        let updated = reconcile(vec![row], &[(&payment(), &desired)], |_| NOBODY_MOVED).update;
        assert_eq!(updated.first().and_then(|row| row.run_at), run_at, "{attempts} {rescheduled}");
    }
}

#[test]
fn of_two_equal_ones_of_a_merged_payment_the_further_stays() {
    let mut of_charge = stored(1, FollowUpState::Done, true);
    of_charge.content.subject = "ch_1".to_owned();
    of_charge.content.payment_id = "ch_1".to_owned();
    let of_intent = stored(2, FollowUpState::Ready, true);
    let desired = desired("cancel_fulfilment");
    let payment = payment();
    let changes = reconcile(vec![of_intent, of_charge], &[(&payment, &desired)], |_| Some(&payment));
    assert_eq!((changes.delete, changes.insert.len()), (vec![2], 0));
    assert_eq!((changes.update[0].id, changes.update[0].content.subject.as_str()), (Some(1), "pi_1"));
}
