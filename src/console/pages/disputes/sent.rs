//! The form of evidence as it was sent, compared with what is stored now: pure.
//!
//! The form names for each field what it showed, as a digest: so a field counts as changed by whoever sent it, or by
//! somebody else meanwhile, whatever the version.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::case::{Case, is_withheld};
use crate::console::who::Who;

/// The digest of a field that was not shown to whoever lacks the right.
pub(super) const WITHHELD: &str = "withheld";

/// A form of evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The version of the draft that it showed.
    pub version: i64,
    fields: BTreeMap<String, One>,
}

/// A field of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct One {
    text: String,
    /// The digest of what the form showed.
    was: String,
    choice: Choice,
}

/// What is kept after a conflict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Choice {
    #[default]
    Mine,
    Stored,
}

/// What a form changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// By field, as it is staged: null removes a field.
    pub staged: Map<String, Value>,
    /// Fields that somebody else changed meanwhile, to something else.
    pub conflicts: Vec<String>,
}

impl Sent {
    /// Reads an encoded form: `version`, and for each field `was.NAME`, `text.NAME` and `take.NAME`. Line breaks become
    /// line feeds, as they are stored.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut sent = Self { version: -1, fields: BTreeMap::new() };
        for (name, value) in form_urlencoded::parse(body) {
            match name.split_once('.') {
                // No field has such a name, and it cannot be stored.
                _ if name.contains('\0') => {}
                None if name == "version" => sent.version = value.parse().unwrap_or(-1),
                Some(("text", field)) => sent.field(field).text = lines(&value),
                Some(("was", field)) => sent.field(field).was = value.into_owned(),
                Some(("take", field)) if value == "stored" => sent.field(field).choice = Choice::Stored,
                Some(_) | None => {}
            }
        }
        sent
    }

    fn field(&mut self, name: &str) -> &mut One {
        self.fields.entry(name.to_owned()).or_default()
    }

    /// The text that was sent for a field, where it was changed.
    pub(super) fn changed(&self, field: &str) -> Option<&str> {
        self.fields.get(field).filter(|one| one.is_changed()).map(|one| one.text.as_str())
    }

    /// What was changed, by field.
    pub(super) fn all_changed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter(|(_, one)| one.is_changed()).map(|(field, one)| (field.as_str(), one.text.as_str()))
    }

    /// What it changes in the draft as it is stored now.
    pub(super) fn changes(&self, case: &Case, who: &Who) -> Changes {
        let mut changes = Changes::default();
        for (field, one) in self.fields.iter().filter(|(_, one)| one.is_changed()) {
            let stored = case.text(field).unwrap_or_default();
            // Never compared with what this person may not see: the answer would tell whether a guess is right.
            let is_hidden = one.was == WITHHELD || is_withheld(who, field) && !stored.is_empty();
            let is_there = !is_hidden && (lines(stored) == one.text || stored.is_empty() && one.text.trim().is_empty());
            if is_there {
                continue;
            }
            if if is_hidden { self.is_outdated(case, who) } else { one.was != digest(stored) } {
                changes.conflicts.push(field.clone());
            }
            let text = Some(one.text.as_str()).filter(|text| !text.trim().is_empty());
            changes.staged.insert(field.clone(), text.map_or(Value::Null, Value::from));
        }
        changes
    }
}

impl Sent {
    /// Whether somebody else changed the draft meanwhile, by its version alone.
    fn is_outdated(&self, case: &Case, who: &Who) -> bool {
        let by = case.response.as_ref().and_then(|response| response.staged_by.as_deref());
        // The same form was sent before.
        let is_sent_again = self.version + 1 == case.version() && by == Some(who.name.as_str());
        self.version != case.version() && !is_sent_again
    }
}

impl One {
    fn is_changed(&self) -> bool {
        let is_other = match self.was.as_str() {
            WITHHELD => !self.text.trim().is_empty(),
            was => was != digest(&self.text),
        };
        self.choice == Choice::Mine && is_other
    }
}

/// What stands for a text in the form.
pub(super) fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(lines(text))[..8])
}

/// With line feeds alone, as a text area holds it.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::console::pages::disputes::samples;
    use crate::console::users::Right;

    fn form(pairs: &[(&str, &str)]) -> Sent {
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(pairs);
        Sent::read(encoded.finish().as_bytes())
    }

    /// The stored draft is version 4 with the carrier `DHL`.
    fn stored() -> Case {
        samples::case(&[("shipping_carrier", "DHL"), ("uncategorized_text", "one\ntwo")])
    }

    #[test]
    fn only_what_was_changed_is_staged_and_an_emptied_field_is_removed() {
        let sent = form(&[
            ("version", "4"),
            ("was.shipping_carrier", &digest("DHL")),
            ("text.shipping_carrier", " "),
            ("was.uncategorized_text", &digest("one\ntwo")),
            ("text.uncategorized_text", "one\r\ntwo"),
            ("was.shipping_date", &digest("")),
            ("text.shipping_date", "2026-11-01"),
        ]);
        let changes = sent.changes(&stored(), &samples::anna());
        assert_eq!(Value::Object(changes.staged), json!({ "shipping_carrier": null, "shipping_date": "2026-11-01" }));
        assert_eq!(changes.conflicts, Vec::<String>::new());
    }

    #[test]
    fn a_field_that_somebody_else_changed_meanwhile_conflicts_and_others_do_not() {
        let sent = form(&[
            ("version", "2"),
            ("was.shipping_carrier", &digest("UPS")),
            ("text.shipping_carrier", "FedEx"),
            ("was.shipping_date", &digest("")),
            ("text.shipping_date", "2026-11-01"),
        ]);
        assert_eq!(sent.changes(&stored(), &samples::anna()).conflicts, ["shipping_carrier"]);
    }

    #[test]
    fn the_same_form_sent_twice_changes_nothing_more() {
        let sent =
            form(&[("version", "3"), ("was.shipping_carrier", &digest("UPS")), ("text.shipping_carrier", "DHL")]);
        assert_eq!(sent.changes(&stored(), &samples::anna()), Changes::default());
    }

    #[test]
    fn a_choice_for_the_stored_text_drops_what_was_typed() {
        let sent = form(&[
            ("version", "4"),
            ("was.shipping_carrier", &digest("DHL")),
            ("text.shipping_carrier", "FedEx"),
            ("take.shipping_carrier", "stored"),
        ]);
        assert_eq!(sent.changes(&stored(), &samples::anna()), Changes::default());
    }

    #[test]
    fn the_answer_to_a_guess_at_a_withheld_text_is_that_to_any_other() {
        let reader = samples::who(&[Right::Read, Right::Respond]);
        for (version, is_conflict) in [("3", true), ("4", false)] {
            for guess in ["one\ntwo", "wrong"] {
                let sent =
                    form(&[("version", version), ("was.uncategorized_text", "0"), ("text.uncategorized_text", guess)]);
                let changes = sent.changes(&stored(), &reader);
                assert_eq!((changes.staged.len(), changes.conflicts.len()), (1, usize::from(is_conflict)), "{guess}");
            }
        }
    }

    #[test]
    fn a_name_that_cannot_be_stored_is_no_field() {
        assert_eq!(form(&[("version", "4"), ("was.a\0", &digest("")), ("text.a\0", "b")]).all_changed().count(), 0);
    }

    #[test]
    fn a_withheld_field_that_is_left_empty_is_kept() {
        let sent = form(&[("version", "4"), ("was.uncategorized_text", WITHHELD), ("text.uncategorized_text", "")]);
        assert_eq!(sent.changes(&stored(), &samples::anna()), Changes::default());
    }
}
