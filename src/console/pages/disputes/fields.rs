//! The evidence fields for people: their names, what they take, and whether they hold personal data.
//!
//! Not here: what a reason calls for, and the refusal of what a field cannot hold, which are in SQL.

use crate::evidence::ce3;

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line or two: at most 5,000 characters.
    Short,
    /// A text: at most 20,000 characters.
    Long,
    /// A file.
    File,
}

impl Kind {
    /// Most characters.
    pub(super) fn longest(self) -> usize {
        match self {
            Self::Short => 5_000,
            Self::Long => 20_000,
            Self::File => 0,
        }
    }
}

/// Whether a field holds what only those with the right `payloads` may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// What says nothing of the customer, such as a policy.
    Nothing,
    /// Names, addresses, mail, IP addresses, or text in which they may stand.
    Personal,
}

/// An evidence field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// By Stripe's name.
    pub name: &'static str,
    /// For people.
    pub label: &'static str,
    pub kind: Kind,
    pub holds: Holds,
}

/// What was sold: ours, never sent.
pub(super) const PRODUCT: &str = "product_kind";
/// The text of an appeal.
pub(super) const APPEAL_REASON: &str = "appeal.card.reason_for_filing";
/// The files of an appeal, without the place.
const APPEAL_FILES: &str = "appeal.card.supporting_files";
/// The fee of a compliance dispute is accepted.
pub(super) const VISA_FEE: &str = "enhanced_evidence.visa_compliance.fee_acknowledged";
/// See [`VISA_FEE`].
pub(super) const MASTERCARD_FEE: &str = "enhanced_evidence.mastercard_compliance.fee_acknowledged";

/// The fields of every response but an appeal, in the order in which they are shown.
const FIELDS: [Field; 27] = {
    use Holds::{Nothing, Personal};
    use Kind::{File, Long, Short};
    [
        of("product_description", "What was sold", Long, Nothing),
        of("customer_name", "Customer's name", Short, Personal),
        of("customer_email_address", "Customer's e-mail address", Short, Personal),
        of("customer_purchase_ip", "Customer's IP address at the purchase", Short, Personal),
        of("billing_address", "Billing address", Short, Personal),
        of("access_activity_log", "Log of access or use", Long, Personal),
        of("service_date", "Date of the service", Short, Nothing),
        of("shipping_address", "Shipping address", Short, Personal),
        of("shipping_carrier", "Carrier", Short, Nothing),
        of("shipping_date", "Date of shipping", Short, Nothing),
        of("shipping_tracking_number", "Tracking number", Short, Personal),
        of("refund_policy_disclosure", "How the refund policy was shown", Long, Nothing),
        of("refund_refusal_explanation", "Why no refund is due", Long, Personal),
        of("cancellation_policy_disclosure", "How the cancellation policy was shown", Long, Nothing),
        of("cancellation_rebuttal", "Why the cancellation does not count", Long, Personal),
        of("duplicate_charge_id", "The charge said to be the same", Short, Nothing),
        of("duplicate_charge_explanation", "Why they are two charges", Long, Personal),
        of("uncategorized_text", "Cover letter, and everything else", Long, Personal),
        of("receipt", "Receipt", File, Personal),
        of("customer_communication", "Messages with the customer", File, Personal),
        of("customer_signature", "Customer's signature", File, Personal),
        of("shipping_documentation", "Proof of shipping", File, Personal),
        of("service_documentation", "Proof of the service", File, Personal),
        of("refund_policy", "Refund policy", File, Personal),
        of("cancellation_policy", "Cancellation policy", File, Personal),
        of("duplicate_charge_documentation", "Proof of two purchases", File, Personal),
        of("uncategorized_file", "Any other document", File, Personal),
    ]
};

const fn of(name: &'static str, label: &'static str, kind: Kind, holds: Holds) -> Field {
    Field { name, label, kind, holds }
}

/// Every field of a response but an appeal.
pub(super) fn all() -> &'static [Field] {
    &FIELDS
}

fn known(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

/// The field's name for people.
pub(super) fn label(name: &str) -> String {
    if let Some(field) = known(name) {
        return field.label.to_owned();
    }
    match name {
        PRODUCT => "What was sold".to_owned(),
        APPEAL_REASON => "Reason for the appeal".to_owned(),
        VISA_FEE | MASTERCARD_FEE => "The network's fee is accepted".to_owned(),
        _ => match (name.strip_prefix(APPEAL_FILES), name.strip_prefix(ce3::PREFIX)) {
            (Some(place), _) => format!("Document {}", number(place)),
            (None, Some(part)) => format!("Compelling Evidence: {}", part.trim_start_matches('.')),
            (None, None) => name.to_owned(),
        },
    }
}

/// The place `[0]` counts as 1.
fn number(place: &str) -> String {
    let place = place.trim_matches(['[', ']']);
    place.parse::<usize>().map_or_else(|_| place.to_owned(), |place| (place + 1).to_string())
}

/// What keeps a response from being submitted, in the words of the pages.
pub(super) fn problem(text: &str) -> String {
    match text.split_once(": ") {
        Some((what, rest)) if rest.ends_with("fee_acknowledged") => {
            format!("{what}: tick “I accept the fee” on the page of evidence")
        }
        Some((field, _)) if known(field).is_some() => named(field, text),
        Some(_) | None => text.to_owned(),
    }
}

/// A sentence about a field that begins with its name, with the name for people instead.
pub(super) fn named(field: &str, sentence: &str) -> String {
    match sentence.strip_prefix(field).filter(|rest| rest.starts_with([':', ' '])) {
        Some(rest) => format!("{}{rest}", label(field)),
        None => sentence.to_owned(),
    }
}

/// What the field takes.
pub(super) fn kind(name: &str) -> Kind {
    match known(name) {
        Some(field) => field.kind,
        None if name == APPEAL_REASON => Kind::Long,
        None if name.starts_with(APPEAL_FILES) => Kind::File,
        None => Kind::Short,
    }
}

/// Whether the field holds personal data. One that is not known does.
pub(super) fn holds(name: &str) -> Holds {
    match known(name) {
        Some(field) => field.holds,
        None if matches!(name, PRODUCT | VISA_FEE | MASTERCARD_FEE) => Holds::Nothing,
        None => Holds::Personal,
    }
}

/// The place of a document of an appeal.
pub(super) fn appeal_file(place: usize) -> String {
    format!("{APPEAL_FILES}[{place}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_about_a_field_names_it_for_people() {
        for (sentence, named_) in [
            ("receipt: choose a file", "Receipt: choose a file"),
            ("receipt may have", "Receipt may have"),
            ("receipts are", "receipts are"),
        ] {
            assert_eq!(named("receipt", sentence), named_);
        }
        assert_eq!(problem("receipt: its pages are not counted yet"), "Receipt: its pages are not counted yet");
        assert_eq!(label("appeal.card.supporting_files[0]"), "Document 1");
        let fee = format!("the network charges a fee: stage {VISA_FEE}");
        assert_eq!(problem(&fee), "the network charges a fee: tick “I accept the fee” on the page of evidence");
    }

    #[test]
    fn the_fields_and_their_limits_are_those_of_the_database() {
        let migration = include_str!("../../../../migrations/0013_evidence.sql");
        let (_, known) = migration.split_once("    from (values\n").expect("the fields");
        let (known, _) = known.split_once(") as f (name, kind, longest)").expect("their end");
        let mut rows: Vec<String> = known
            .split("('")
            .skip(1)
            .map(|row| row.split(')').next().unwrap_or_default().replace('\'', ""))
            .filter(|row| !row.contains('.') && !row.starts_with(PRODUCT))
            .collect();
        let mut ours: Vec<_> = FIELDS
            .iter()
            .map(|field| match field.kind {
                Kind::File => format!("{}, file, null", field.name),
                kind if field.name == "duplicate_charge_id" => format!("{}, charge, {}", field.name, kind.longest()),
                kind => format!("{}, text, {}", field.name, kind.longest()),
            })
            .collect();
        rows.sort();
        ours.sort();
        assert_eq!(rows, ours);
    }
}
