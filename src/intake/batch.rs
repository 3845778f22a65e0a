//! Which waiting events go into one statement, and which answer each request gets. Pure.

use std::collections::HashSet;
use std::iter;

use super::{Recorded, Reply, Unavailable, Waiting};
use crate::store::inbox::NewEvent;

/// Bytes of bodies in one statement, unless a single body is larger.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Events for one statement: unique and sorted by id and whether the mode matches, each with the requests that wait for
/// it, in the order they came.
#[derive(Debug)]
pub(super) struct Batch {
    events: Vec<NewEvent>,
    replies: Vec<Vec<Reply>>,
}

impl Batch {
    /// Takes as many of the waiting events as fit, from the front, at least one.
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
        // Stable: of several deliveries of one event the first stays first.
        taken.sort_by(|a, b| key(&a.event).cmp(&key(&b.event)));

        let mut batch = Self { events: Vec::with_capacity(count), replies: Vec::with_capacity(count) };
        for Waiting { event, reply, .. } in taken {
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

    /// Answers everyone after a commit. The first delivery of a new event is `New`, the others are `Duplicate`.
    pub(super) fn answer(self, new: &[String], count: impl Fn(&str, Recorded)) {
        let new: HashSet<&str> = new.iter().map(String::as_str).collect();
        for (event, replies) in self.events.iter().zip(self.replies) {
            let (first, repeat) = match event.mode_matches {
                false => (Recorded::WrongMode, Recorded::WrongMode),
                true if new.contains(event.envelope.id.as_str()) => (Recorded::New, Recorded::Duplicate),
                true => (Recorded::Duplicate, Recorded::Duplicate),
            };
            for (reply, recorded) in replies.into_iter().zip(iter::once(first).chain(iter::repeat(repeat))) {
                count(&event.envelope.event_type, recorded);
                reply.send(Ok(recorded));
            }
        }
    }

    /// Answers everyone that the event was not stored, or that this is unknown.
    pub(super) fn refuse(self, reason: Unavailable) {
        for reply in self.replies.into_iter().flatten() {
            reply.send(Err(reason));
        }
    }
}

fn key(event: &NewEvent) -> (&str, bool) {
    (&event.envelope.id, event.mode_matches)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;
    use crate::intake::memory::BodyMemory;
    use crate::stripe::envelope::Envelope;

    type Answer = oneshot::Receiver<Result<Recorded, Unavailable>>;

    fn waiting(events: &[(&str, &str)]) -> (Vec<Waiting>, Vec<Answer>) {
        events
            .iter()
            .map(|(id, payload)| {
                let (sender, answer) = oneshot::channel();
                let envelope = Envelope::read(&format!(r#"{{"id":"{id}","type":"t"}}"#)).unwrap();
                let event = NewEvent { envelope, payload: (*payload).to_owned(), mode_matches: true };
                let reply = Reply { sender, _memory: BodyMemory::new(0).reservation() };
                (Waiting { event, since: Instant::now(), reply }, answer)
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
        let answered: Vec<_> = answers.iter_mut().map(|a| a.try_recv().unwrap().unwrap()).collect();
        use Recorded::{Duplicate, New};
        assert_eq!(answered, [New, Duplicate, Duplicate, New]);
        assert_eq!(counted.into_inner(), [New, New, Duplicate, Duplicate]);
    }

    #[test]
    fn an_event_of_the_wrong_mode_does_not_count_as_its_duplicate() {
        let (mut queue, mut answers) = waiting(&[("a", "1"), ("a", "2"), ("a", "3")]);
        queue[0].event.mode_matches = false;
        let batch = Batch::take(&mut queue);
        assert_eq!(bodies(&batch), ["1", "2"]);
        batch.answer(&["a".to_owned()], |_, _| ());
        let answered: Vec<_> = answers.iter_mut().map(|a| a.try_recv().unwrap().unwrap()).collect();
        assert_eq!(answered, [Recorded::WrongMode, Recorded::New, Recorded::Duplicate]);
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
