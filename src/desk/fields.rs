//! The names of evidence fields. What each field takes is in `clawback.evidence_fields()`.

/// Evidence fields of text, without those of Visa Compelling Evidence 3.0.
pub const TEXTS: [&str; 22] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
    "product_kind",
    "appeal.card.reason_for_filing",
    "enhanced_evidence.visa_compliance.fee_acknowledged",
    "enhanced_evidence.mastercard_compliance.fee_acknowledged",
];

/// Evidence fields of files; of a list, its first place.
pub const FILES: [&str; 10] = [
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
    "appeal.card.supporting_files[0]",
];

/// Whether a field takes a file.
#[must_use]
pub fn takes_file(field: &str) -> bool {
    FILES.contains(&field)
}

#[cfg(test)]
mod tests {
    use super::{FILES, TEXTS};

    #[test]
    fn the_names_are_those_of_the_database() {
        let migration = include_str!("../../migrations/0013_evidence.sql");
        let (_, known) = migration.split_once("    from (values\n").expect("the fields");
        let (known, _) = known.split_once(") as f (name, kind, longest)").expect("their end");
        let rows = known.split("('").skip(1).filter_map(|row| row.split_once("', '"));
        let (files, texts): (Vec<_>, Vec<_>) = rows.partition(|(_, rest)| rest.starts_with("file'"));
        let names = |rows: Vec<(&'static str, _)>| rows.into_iter().map(|(name, _)| name.replace("[n]", "[0]"));
        assert_eq!(names(texts).collect::<Vec<_>>(), TEXTS);
        assert_eq!(names(files).collect::<Vec<_>>(), FILES);
    }
}
