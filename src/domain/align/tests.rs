use serde_json::json;

use super::*;

const NOBODY_MOVED: Option<Place> = None;

fn wanted(kind: &'static str) -> Wanted {
    Wanted {
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
        kind: "cancel_fulfilment".to_owned(),
        subject: "pi_1".to_owned(),
        round: String::new(),
        order_id: Some("o".to_owned()),
        payment_id: "pi_1".to_owned(),
        payload: json!({ "amount": 5 }),
        state,
        wanted,
        run_at: 100,
        due_at: None,
        attempts: 3,
        rescheduled: false,
    }
}

fn asked(wanted: &Wanted) -> Asked<'_> {
    Asked { place: Place { payment_id: "pi_1", order_id: Some("o") }, wanted }
}

#[test]
fn what_is_missing_is_inserted_and_what_is_there_is_left_alone() {
    let wanted = wanted("cancel_fulfilment");
    let first = align(vec![], &[asked(&wanted)], |_| NOBODY_MOVED);
    assert_eq!((first.insert.len(), first.update.len()), (1, 0));
    for state in [FollowUpState::Ready, FollowUpState::Leased, FollowUpState::Done, FollowUpState::Dead] {
        let again = align(vec![stored(1, state, true)], &[asked(&wanted)], |_| NOBODY_MOVED);
        assert_eq!(again, Alignment::default(), "{state:?}");
    }
}

#[test]
fn what_is_wanted_no_longer_is_withdrawn_unless_somebody_is_at_it_or_it_ended() {
    let after = |state| {
        let update = align(vec![stored(1, state, true)], &[], |_| NOBODY_MOVED).update;
        (update[0].wanted, update[0].state)
    };
    assert_eq!(after(FollowUpState::Ready), (false, FollowUpState::Cancelled));
    assert_eq!(after(FollowUpState::Dead), (false, FollowUpState::Cancelled));
    for kept in [FollowUpState::Leased, FollowUpState::Done, FollowUpState::Discarded] {
        assert_eq!(after(kept), (false, kept));
    }
}

#[test]
fn what_is_wanted_again_is_ready_with_fresh_attempts() {
    let wanted = wanted("cancel_fulfilment");
    let alignment = align(vec![stored(1, FollowUpState::Cancelled, false)], &[asked(&wanted)], |_| NOBODY_MOVED);
    let row = &alignment.update[0];
    assert_eq!((row.id, row.state, row.wanted, row.attempts), (Some(1), FollowUpState::Ready, true, 0));
    assert_eq!(alignment.made_ready(), BTreeSet::from(["cancel_fulfilment"]));
}

#[test]
fn what_is_done_or_discarded_stays_when_it_is_wanted_again() {
    let wanted = wanted("cancel_fulfilment");
    for state in [FollowUpState::Done, FollowUpState::Discarded] {
        let alignment = align(vec![stored(1, state, false)], &[asked(&wanted)], |_| NOBODY_MOVED);
        assert_eq!((alignment.update[0].state, alignment.update[0].wanted), (state, true));
        assert!(alignment.made_ready().is_empty());
    }
}

#[test]
fn a_ready_one_learns_what_changed() {
    let wanted = Wanted { payload: json!({ "amount": 7 }), due_at: Some(9), ..wanted("cancel_fulfilment") };
    let alignment = align(vec![stored(1, FollowUpState::Ready, true)], &[asked(&wanted)], |_| NOBODY_MOVED);
    let row = &alignment.update[0];
    assert_eq!((row.payload["amount"].as_i64(), row.due_at, row.attempts), (Some(7), Some(9), 3));
    assert!(alignment.made_ready().is_empty());
}

#[test]
fn what_was_never_claimed_follows_its_moment_unless_somebody_said_when() {
    let wanted = Wanted { run_at: RunAt::At(500), ..wanted("cancel_fulfilment") };
    for (attempts, rescheduled, run_at) in [(0, false, Some(500)), (0, true, None), (1, false, None)] {
        let row = FollowUp { attempts, rescheduled, ..stored(1, FollowUpState::Ready, true) };
        let updated = align(vec![row], &[asked(&wanted)], |_| NOBODY_MOVED).update;
        assert_eq!(updated.first().and_then(|row| row.run_at), run_at, "{attempts} {rescheduled}");
    }
}

#[test]
fn of_two_equal_ones_of_a_merged_payment_the_further_stays() {
    let of_charge =
        FollowUp { subject: "ch_1".to_owned(), payment_id: "ch_1".to_owned(), ..stored(1, FollowUpState::Done, true) };
    let of_intent = stored(2, FollowUpState::Ready, true);
    let wanted = wanted("cancel_fulfilment");
    let moved = |_: &str| Some(Place { payment_id: "pi_1", order_id: Some("o") });
    let alignment = align(vec![of_intent, of_charge], &[asked(&wanted)], moved);
    assert_eq!((alignment.delete, alignment.insert.len()), (vec![2], 0));
    assert_eq!((alignment.update[0].id, alignment.update[0].subject.as_str()), (Some(1), "pi_1"));
}
