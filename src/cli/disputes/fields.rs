//! The names of evidence fields, for suggestions. What each field takes is in `clawback.evidence_fields()`.

use super::super::list;

/// Without those of Visa Compelling Evidence 3.0.
const NAMES: [&str; 32] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
    "product_kind",
    "appeal.card.reason_for_filing",
    "appeal.card.supporting_files[0]",
    "enhanced_evidence.visa_compliance.fee_acknowledged",
    "enhanced_evidence.mastercard_compliance.fee_acknowledged",
];

/// The field that was probably meant.
pub(crate) fn nearest(given: &str) -> Option<String> {
    list::nearest(given, &NAMES.map(str::to_owned)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::NAMES;

    #[test]
    fn the_names_are_those_of_the_database() {
        let migration = include_str!("../../../migrations/0013_evidence.sql");
        let (_, known) = migration.split_once("    from (values\n").expect("the fields");
        let (known, _) = known.split_once(") as f (name, kind, longest)").expect("their end");
        let known: Vec<_> = known.split("('").skip(1).filter_map(|row| row.split('\'').next()).collect();
        assert_eq!(
            known,
            NAMES.map(|name| if name.ends_with("[0]") { "appeal.card.supporting_files[n]" } else { name })
        );
    }
}
