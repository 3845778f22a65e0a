//! Every field that the handlers read, and what an absent or invalid one means. `tolerance.rs` tests the handlers by it.

/// The value used for a field that is missing or invalid.
pub enum Field {
    /// None: the event fails, and names the field.
    Needed,
    /// Fails when invalid. When missing, this value.
    Money(&'static str),
    /// This value, whether it is missing or invalid.
    Stand(&'static str),
}
use Field::{Money, Needed, Stand};

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    /// Text or an integer.
    Reference,
    Flag,
    /// Not negative.
    Amount,
    Integer,
    Rate,
    Time,
    /// An id, or a whole object that is read.
    Link,
    /// An id, or an object whose id is read.
    Name,
    Object,
    List,
}
use Kind::{Amount, Flag, Integer, Link, List, Name, Object, Rate, Reference, Text, Time};

pub type Fields = &'static [(&'static str, Kind, Field)];

/// Every field read of each object, its type, and its substitute.
pub const FIELDS: &[(&str, Fields)] = &[
    (
        "event",
        &[
            ("created", Time, Needed),
            ("livemode", Flag, Money("a test event")),
            ("account", Text, Stand("the platform's own")),
            ("type", Text, Stand("one that says nothing")),
            ("api_version", Text, Stand("one before 2025-03-31.basil")),
        ],
    ),
    (
        "charge",
        &[
            ("id", Text, Needed),
            ("amount", Amount, Needed),
            ("currency", Text, Needed),
            ("status", Text, Money("before 2014: `paid` and `captured`")),
            ("amount_captured", Amount, Money("`amount`, if captured")),
            ("amount_refunded", Amount, Money("0")),
            ("captured", Flag, Stand("false; true for a paid charge without a status")),
            ("paid", Flag, Stand("`captured`")),
            ("refunded", Flag, Stand("false")),
            ("created", Time, Stand("the event's")),
            ("payment_intent", Link, Stand("no intent, or the one named before")),
            ("metadata", Object, Stand("no reference to an order")),
            ("metadata.order_id", Reference, Stand("no reference to an order")),
            ("refunds", List, Stand("none")),
            ("disputed", Flag, Stand("whether it names a dispute")),
            ("dispute", Link, Stand("none")),
            ("payment_method_details", Object, Stand("not known")),
            ("payment_method_details.type", Text, Stand("not known")),
            ("payment_method_details.card", Object, Stand("not known")),
            ("payment_method_details.card.network", Text, Stand("`brand`")),
            ("payment_method_details.card.brand", Text, Stand("not known")),
            ("failure_code", Text, Stand("not known")),
            ("balance_transaction", Link, Stand("the charge's own amounts tell what a capture released")),
            ("customer", Name, Stand("not known")),
            ("billing_details", Object, Stand("not known")),
            ("billing_details.email", Text, Stand("`receipt_email`")),
            ("billing_details.name", Text, Stand("not known")),
            ("receipt_email", Text, Stand("not known")),
        ],
    ),
    (
        "payment_intent",
        &[
            ("id", Text, Needed),
            ("amount", Amount, Needed),
            ("currency", Text, Needed),
            ("status", Text, Needed),
            ("amount_received", Amount, Money("0")),
            ("last_payment_error", Object, Stand("no failed attempt")),
            ("latest_charge", Link, Stand("none")),
            ("charges", List, Stand("none")),
            ("metadata", Object, Stand("no reference to an order")),
            ("metadata.order_id", Reference, Stand("no reference to an order")),
            ("cancellation_reason", Text, Stand("not known")),
            ("customer", Name, Stand("not known")),
            ("receipt_email", Text, Stand("not known")),
        ],
    ),
    (
        "refund",
        &[
            ("id", Text, Needed),
            ("amount", Amount, Needed),
            ("currency", Text, Needed),
            ("status", Text, Money("succeeded in a charge, else a word not known yet")),
            ("reason", Text, Stand("none")),
            ("failure_reason", Text, Stand("none")),
            ("pending_reason", Text, Stand("none")),
            ("destination_details", Object, Stand("not known")),
            ("destination_details.type", Text, Stand("not known")),
            ("destination_details.card", Object, Stand("not known")),
            ("destination_details.card.reference", Text, Stand("not known")),
            ("destination_details.card.reference_status", Text, Stand("not known")),
            ("metadata", Object, Stand("none")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    (
        "dispute",
        &[
            ("id", Text, Needed),
            ("amount", Amount, Needed),
            ("currency", Text, Needed),
            ("status", Text, Needed),
            ("reason", Text, Stand("not known")),
            ("network_reason_code", Text, Stand("not known")),
            ("evidence_details", Object, Stand("fields of the dispute itself, as before 2014")),
            ("evidence_details.due_by", Time, Stand("`evidence_due_by`")),
            ("evidence_details.has_evidence", Flag, Stand("false")),
            ("evidence_details.past_due", Flag, Stand("false")),
            ("evidence_details.submission_count", Amount, Stand("what is known of the phase")),
            ("evidence_details.submission_method", Text, Stand("not known")),
            ("evidence_details.enhanced_eligibility", Object, Stand("not known")),
            ("evidence_due_by", Time, Stand("the deadline is not known")),
            ("payment_method_details", Object, Stand("the charge's, if known")),
            ("payment_method_details.type", Text, Stand("the charge's, if known")),
            ("payment_method_details.card", Object, Stand("not known")),
            ("payment_method_details.card.network_reason_code", Text, Stand("`network_reason_code`")),
            ("payment_method_details.card.case_type", Text, Stand("the phase is told by the status")),
            ("payment_method_details.card.network", Text, Stand("`brand`")),
            ("payment_method_details.card.brand", Text, Stand("not known")),
            ("intended_submission_method", Text, Stand("not known")),
            ("is_charge_refundable", Flag, Stand("not known")),
            ("balance_transactions", List, Stand("none: nothing moved yet")),
            ("balance_transactions[0].id", Text, Stand("the entry is skipped")),
            ("balance_transactions[0].amount", Integer, Stand("the entry is skipped")),
            ("balance_transactions[0].currency", Text, Stand("the entry is skipped")),
            ("balance_transactions[0].fee", Integer, Stand("0")),
            ("balance_transactions[0].created", Time, Stand("not known: the same entry with a time wins")),
            ("balance_transactions[0].exchange_rate", Rate, Stand("not known: the share that stayed away counts")),
            ("balance_transaction", Link, Stand("none")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    (
        "checkout.session",
        &[
            ("id", Text, Needed),
            ("currency", Text, Stand("not known")),
            ("client_reference_id", Reference, Stand("no reference to an order")),
            ("payment_link", Name, Stand("none: the reference is the merchant's")),
            ("customer", Name, Stand("not known")),
            ("customer_details", Object, Stand("not known")),
            ("customer_details.email", Text, Stand("not known")),
            ("customer_details.name", Text, Stand("not known")),
            ("receipt_email", Text, Stand("not known, as ever yet")),
            ("metadata", Object, Stand("no reference to an order")),
            ("metadata.order_id", Reference, Stand("no reference to an order")),
            ("payment_intent", Link, Stand("none, or the one named before")),
            ("charge", Link, Stand("none, as ever yet")),
        ],
    ),
    (
        "radar.early_fraud_warning",
        &[
            ("id", Text, Needed),
            ("actionable", Flag, Stand("shown: it holds and asks for nothing")),
            ("fraud_type", Text, Stand("not known")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    (
        "issuer_fraud_record",
        &[
            ("id", Text, Needed),
            ("actionable", Flag, Stand("shown: it holds and asks for nothing")),
            ("fraud_type", Text, Stand("not known")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    (
        "review",
        &[
            ("id", Text, Needed),
            ("open", Flag, Needed),
            ("reason", Text, Stand("none")),
            ("opened_reason", Text, Stand("`reason` while it is open")),
            ("closed_reason", Text, Stand("`reason` once it is closed")),
            ("created", Time, Stand("the event's")),
            ("charge", Link, Stand("none, or the one named before")),
            ("payment_intent", Link, Stand("none, or the one named before")),
        ],
    ),
    ("clawback.link", &[("id", Text, Needed), ("order_id", Reference, Needed), ("microsecond", Amount, Needed)]),
    ("clawback.dismissal", &[("id", Text, Needed)]),
];
