//! Which of the waiting events go together, and who gets which answer. Pure.

use std::collections::HashSet;
use std::iter;

use super::{Recorded, Reply, Unavailable, Waiting};
use crate::store::inbox::NewEvent;

/// Bytes of bodies in one statement, unless a single body is larger.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Events for one statement: unique and sorted by id (one that is vouched for apart from one that is not), each with
/// the requests that wait for it, in the order they came.
#[derive(Debug)]
pub(super) struct Batch {
    events: Vec<NewEvent>,
    replies: Vec<Vec<Reply>>,
}

impl Batch {
    /// Takes the first of the waiting events, at least one, as many as fit.
    pub(super) fn take(waiting: &mut Vec<Waiting>) -> Self {
        let mut bytes = 0;
        let count = waiting
            .iter()
            .take_while(|waiting| {
                let before = bytes;
                bytes += waiting.event.payload.len();
                before == 0 || bytes <= MAX_BYTES
            })
            .count();
        let mut taken: Vec<_> = waiting.drain(..count).collect();
        // Stable: of one id that came several times, the first stays the first.
        taken.sort_by(|a, b| key(&a.event).cmp(&key(&b.event)));

        let mut batch = Self { events: Vec::with_capacity(count), replies: Vec::with_capacity(count) };
        for Waiting { event, reply } in taken {
            match (batch.events.last(), batch.replies.last_mut()) {
                (Some(last), Some(replies)) if key(last) == key(&event) => replies.push(reply),
                _ => {
                    batch.events.push(event);
                    batch.replies.push(vec![reply]);
                }
            }
        }
        batch
    }

    pub(super) fn events(&self) -> &[NewEvent] {
        &self.events
    }

    /// The same events, each in a batch of its own.
    pub(super) fn split(self) -> impl Iterator<Item = Self> {
        self.events
            .into_iter()
            .zip(self.replies)
            .map(|(event, replies)| Self { events: vec![event], replies: vec![replies] })
    }

    /// Answers everyone after a commit. Of an id that was new, the first who sent it is told so, and
    /// the others that it came before.
    pub(super) fn answer(self, new: &[String], count: impl Fn(&str, Recorded)) {
        let new: HashSet<&str> = new.iter().map(String::as_str).collect();
        for (event, replies) in self.events.iter().zip(self.replies) {
            let (first, repeat) = match event.vouched {
                false => (Recorded::Unvouched, Recorded::Unvouched),
                true if new.contains(event.event_id.as_str()) => (Recorded::New, Recorded::Duplicate),
                true => (Recorded::Duplicate, Recorded::Duplicate),
            };
            for (reply, recorded) in replies.into_iter().zip(iter::once(first).chain(iter::repeat(repeat))) {
                count(&event.event_type, recorded);
                reply.send(Ok(recorded));
            }
        }
    }

    /// Answers everyone that it was not stored, or that this is unknown.
    pub(super) fn refuse(self, reason: Unavailable) {
        for reply in self.replies.into_iter().flatten() {
            reply.send(Err(reason));
        }
    }
}

fn key(event: &NewEvent) -> (&str, bool) {
    (&event.event_id, event.vouched)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::intake::BodyBudget;

    type Answer = oneshot::Receiver<Result<Recorded, Unavailable>>;

    fn waiting(events: &[(&str, &str)]) -> (Vec<Waiting>, Vec<Answer>) {
        let budget = BodyBudget::new(0);
        events
            .iter()
            .map(|(id, payload)| {
                let (sender, answer) = oneshot::channel();
                let event = NewEvent {
                    event_id: (*id).to_owned(),
                    event_type: "t".to_owned(),
                    api_version: None,
                    account: None,
                    livemode: None,
                    object_id: None,
                    created: None,
                    vouched: true,
                    payload: (*payload).to_owned(),
                };
                (Waiting { event, reply: Reply { sender, _share: budget.share() } }, answer)
            })
            .unzip()
    }

    fn bodies(batch: &Batch) -> Vec<&str> {
        batch.events().iter().map(|event| event.payload.as_str()).collect()
    }

    #[test]
    fn a_batch_is_sorted_and_holds_each_id_once_with_its_first_body() {
        let (mut queue, mut answers) = waiting(&[("b", "1"), ("c", "2"), ("b", "3"), ("a", "4")]);
        let batch = Batch::take(&mut queue);
        assert_eq!(bodies(&batch), ["4", "1", "2"]);
        assert!(queue.is_empty());

        let counted = std::cell::RefCell::new(Vec::new());
        batch.answer(&["b".to_owned(), "a".to_owned()], |_, recorded| {
            counted.borrow_mut().push(recorded);
        });
        let told: Vec<_> = answers.iter_mut().map(|a| a.try_recv().unwrap().unwrap()).collect();
        use Recorded::{Duplicate, New};
        assert_eq!(told, [New, Duplicate, Duplicate, New]);
        assert_eq!(counted.into_inner(), [New, New, Duplicate, Duplicate]);
    }

    #[test]
    fn an_event_that_is_not_vouched_for_stands_for_no_other() {
        let (mut queue, mut answers) = waiting(&[("a", "1"), ("a", "2"), ("a", "3")]);
        queue[0].event.vouched = false;
        let batch = Batch::take(&mut queue);
        assert_eq!(bodies(&batch), ["1", "2"]);
        batch.answer(&["a".to_owned()], |_, _| ());
        let told: Vec<_> = answers.iter_mut().map(|a| a.try_recv().unwrap().unwrap()).collect();
        assert_eq!(told, [Recorded::Unvouched, Recorded::New, Recorded::Duplicate]);
    }

    #[test]
    fn a_refusal_reaches_the_repeats_too() {
        let (mut queue, mut answers) = waiting(&[("a", "1"), ("a", "2"), ("b", "3")]);
        let alone: Vec<_> = Batch::take(&mut queue).split().collect();
        assert_eq!(alone.len(), 2);
        alone.into_iter().for_each(|batch| batch.refuse(Unavailable::NotStored));
        for answer in &mut answers {
            assert_eq!(answer.try_recv().unwrap(), Err(Unavailable::NotStored));
        }
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_but_never_empty() {
        let half = "x".repeat(MAX_BYTES / 2);
        let huge = "x".repeat(MAX_BYTES + 1);
        let (mut queue, _answers) = waiting(&[("a", &half), ("b", &half), ("c", "x"), ("d", &huge), ("e", &huge)]);
        let sizes: Vec<_> = iter::from_fn(|| (!queue.is_empty()).then(|| Batch::take(&mut queue)))
            .map(|batch| batch.events().len())
            .collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
    }
}
