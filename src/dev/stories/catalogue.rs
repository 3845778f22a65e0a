//! The catalogue: each story's name, what it is about, and its script.

use super::{Story, dispute_scenarios, long_scenarios, scenarios};

pub(super) const CATALOGUE: &[Story] = &[
    Story { name: "paid", about: "paid by card at checkout", script: scenarios::paid },
    Story { name: "partial-refund", about: "paid, then part of it refunded", script: scenarios::partial_refund },
    Story {
        name: "full-refund",
        about: "paid, then refunded in two parts; the bank's reference follows",
        script: scenarios::full_refund,
    },
    Story {
        name: "refund-pending",
        about: "a refund that waits for balance and succeeds days later",
        script: scenarios::refund_pending,
    },
    Story {
        name: "refund-fails-later",
        about: "a refund that succeeded and is returned by the bank five days later",
        script: scenarios::refund_fails_later,
    },
    Story {
        name: "refund-canceled",
        about: "a pending refund that the merchant cancels",
        script: scenarios::refund_canceled,
    },
    Story {
        name: "chargeback-won",
        about: "a chargeback, answered and won: the money comes back, the fee does not",
        script: scenarios::chargeback_won,
    },
    Story { name: "chargeback-lost", about: "a chargeback, answered and lost", script: scenarios::chargeback_lost },
    Story {
        name: "late-win",
        about: "a lost chargeback that the bank reverses weeks later",
        script: scenarios::late_win,
    },
    Story {
        name: "lost-part-back",
        about: "partly refunded, disputed in full and lost: the refunded part comes back",
        script: scenarios::lost_part_back,
    },
    Story {
        name: "inquiry-closed",
        about: "an inquiry, answered and closed without a chargeback",
        script: scenarios::inquiry_closed,
    },
    Story { name: "inquiry-open", about: "an inquiry that waits for an answer", script: scenarios::inquiry_open },
    Story {
        name: "inquiry-escalated",
        about: "an answered inquiry that becomes a chargeback and waits for evidence again",
        script: scenarios::inquiry_escalated,
    },
    Story {
        name: "prevented",
        about: "a dispute that a prevention product settles before it becomes a chargeback",
        script: scenarios::prevented,
    },
    Story {
        name: "unchallengeable",
        about: "a chargeback that cannot be answered: opened and lost at once",
        script: scenarios::unchallengeable,
    },
    Story {
        name: "two-disputes",
        about: "two disputes over parts of one payment: one accepted, one open",
        script: scenarios::two_disputes,
    },
    Story {
        name: "fraud-warning",
        about: "the issuer reports fraud; a refund could still prevent a dispute",
        script: scenarios::fraud_warning,
    },
    Story {
        name: "fraud-warning-refunded",
        about: "the issuer reports fraud, and the merchant refunds at once",
        script: scenarios::fraud_warning_refunded,
    },
    Story {
        name: "review-open",
        about: "a payment that a Radar rule holds for review",
        script: scenarios::review_open,
    },
    Story {
        name: "review-approved",
        about: "a payment held for review and approved",
        script: scenarios::review_approved,
    },
    Story { name: "authorized", about: "an authorization that is not captured yet", script: scenarios::authorized },
    Story { name: "void", about: "an authorization that the merchant cancels", script: scenarios::void },
    Story {
        name: "void-before-2025",
        about: "the same in an API version before 2025-03-31: Stripe shows it as refunded",
        script: scenarios::void_before_2025,
    },
    Story {
        name: "partial-capture",
        about: "an authorization of which part is captured and the rest released",
        script: scenarios::partial_capture,
    },
    Story {
        name: "partial-capture-before-2025",
        about: "the same in an API version before 2025-03-31: Stripe shows the rest as refunded",
        script: scenarios::partial_capture_before_2025,
    },
    Story { name: "payment-failed", about: "a declined card", script: scenarios::payment_failed },
    Story {
        name: "payment-pending",
        about: "a bank debit that is still processing",
        script: scenarios::payment_pending,
    },
    Story {
        name: "chargeback-open",
        about: "a chargeback that waits for evidence",
        script: scenarios::chargeback_open,
    },
    Story {
        name: "dispute-under-review",
        about: "a chargeback, answered and under review by the bank",
        script: scenarios::dispute_under_review,
    },
    Story {
        name: "paid-second-try",
        about: "a declined card, then a payment that succeeds: two charges of one intent",
        script: scenarios::paid_second_try,
    },
    Story {
        name: "authorization-expired",
        about: "an authorization that expires after seven days",
        script: scenarios::authorization_expired,
    },
    Story {
        name: "authorization-expired-before-2025",
        about: "the same in an API version before 2025-03-31: Stripe shows it as refunded",
        script: scenarios::authorization_expired_before_2025,
    },
    Story { name: "debit-settled", about: "a bank debit that settles days later", script: scenarios::debit_settled },
    Story {
        name: "debit-returned",
        about: "a bank debit that the bank returns days later",
        script: scenarios::debit_returned,
    },
    Story {
        name: "refund-overtaken",
        about: "a pending refund that fails because the buyer's bank disputed the payment",
        script: scenarios::refund_overtaken,
    },
    Story {
        name: "refund-second-try",
        about: "declined twice, paid, partly refunded; the bank returns the refund, and it is made again",
        script: long_scenarios::refund_second_try,
    },
    Story {
        name: "inquiry-late-win",
        about: "an inquiry, answered, that becomes a chargeback, answered, lost and later reversed",
        script: long_scenarios::inquiry_late_win,
    },
    Story {
        name: "captured-part-lost-part",
        about: "part of an authorization captured, part of that refunded, the rest lost in a dispute over all of it",
        script: long_scenarios::captured_part_lost_part,
    },
    Story {
        name: "won-and-lost",
        about: "a dispute won, a refund, and a second dispute lost: all over parts of one payment",
        script: long_scenarios::won_and_lost,
    },
    Story {
        name: "fraud-warning-won",
        about: "under review, reported as fraud, disputed, and won in the end",
        script: long_scenarios::fraud_warning_won,
    },
    Story {
        name: "debit-disputed",
        about: "a bank debit that settles; its refund fails because the bank took the money back",
        script: long_scenarios::debit_disputed,
    },
    Story {
        name: "refund-asked-again",
        about: "a bank transfer whose refund needs the buyer's bank details, twice",
        script: long_scenarios::refund_asked_again,
    },
    Story {
        name: "prevented-reopened",
        about: "a prevented dispute that becomes a chargeback after all, answered and lost",
        script: long_scenarios::prevented_reopened,
    },
    Story {
        name: "partial-dispute",
        about: "a chargeback over part of a payment, answered and lost",
        script: dispute_scenarios::partial_dispute,
    },
    Story {
        name: "inquiry-answered-twice",
        about: "an inquiry, answered, that becomes a chargeback, answered again and won",
        script: dispute_scenarios::inquiry_answered_twice,
    },
    Story {
        name: "compliance-open",
        about: "a compliance dispute whose network fee nobody has acknowledged",
        script: dispute_scenarios::compliance_open,
    },
    Story {
        name: "compliance-lost",
        about: "a compliance dispute, answered with its fee acknowledged, and lost",
        script: dispute_scenarios::compliance_lost,
    },
    Story {
        name: "appeal-open",
        about: "a lost chargeback whose appeal waits for evidence",
        script: dispute_scenarios::appeal_open,
    },
    Story {
        name: "appeal-won",
        about: "a lost chargeback, appealed and won: the money comes back",
        script: dispute_scenarios::appeal_won,
    },
    Story {
        name: "appeal-lost",
        about: "a lost chargeback, appealed and lost again",
        script: dispute_scenarios::appeal_lost,
    },
    Story {
        name: "smart-dispute",
        about: "a chargeback that nobody answers: Smart Disputes do at the deadline, and it is won",
        script: dispute_scenarios::smart_dispute,
    },
    Story {
        name: "ach-disputed",
        about: "an ACH debit whose dispute cannot be answered: opened and lost at once",
        script: dispute_scenarios::ach_disputed,
    },
    Story {
        name: "klarna-inquiry",
        about: "an inquiry of Klarna over part of a payment: it takes no evidence, a refund would end it",
        script: dispute_scenarios::klarna_inquiry,
    },
    Story {
        name: "klarna-inquiry-refunded",
        about: "an inquiry of Klarna that a refund of the disputed amount ends",
        script: dispute_scenarios::klarna_inquiry_refunded,
    },
];
