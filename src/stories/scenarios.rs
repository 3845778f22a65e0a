//! The catalogue: each story as the verbs of [`Life`]. What the events of a verb are is not said
//! here, nor what Clawback should conclude of them.

use super::Story;
use super::disputes::{FRAUDULENT, NOT_RECEIVED, UNACCEPTABLE, UNRECOGNIZED};
use super::life::{DisputeNo, Life, days, hours, minutes};
use super::payments::DECLINED;
use super::people::{AMEX, CARTES_BANCAIRES, MASTERCARD};

pub(super) const CATALOGUE: &[Story] = &[
    Story { name: "paid", about: "paid by card at checkout", build: paid },
    Story { name: "partial-refund", about: "paid, then part of it refunded", build: partial_refund },
    Story {
        name: "full-refund",
        about: "paid, then refunded in two parts, the bank's reference following",
        build: full_refund,
    },
    Story {
        name: "refund-pending",
        about: "a refund that waits for balance and goes through days later",
        build: refund_pending,
    },
    Story {
        name: "refund-fails-later",
        about: "a refund that succeeded and is sent back by the bank five days later",
        build: refund_fails_later,
    },
    Story { name: "refund-canceled", about: "a pending refund that the merchant cancels", build: refund_canceled },
    Story {
        name: "chargeback-won",
        about: "a chargeback, answered and won: the money comes back, the fee does not",
        build: chargeback_won,
    },
    Story { name: "chargeback-lost", about: "a chargeback, answered and lost", build: chargeback_lost },
    Story { name: "late-win", about: "a lost chargeback that the bank decides anew, weeks later", build: late_win },
    Story {
        name: "lost-part-back",
        about: "partly refunded, disputed in full and lost: the refunded part comes back",
        build: lost_part_back,
    },
    Story {
        name: "inquiry-closed",
        about: "a bank's inquiry, answered and closed without a chargeback",
        build: inquiry_closed,
    },
    Story { name: "inquiry-open", about: "a bank's inquiry that waits for an answer", build: inquiry_open },
    Story {
        name: "inquiry-escalated",
        about: "an answered inquiry that becomes a chargeback and waits for evidence again",
        build: inquiry_escalated,
    },
    Story {
        name: "prevented",
        about: "a case that a prevention product settles before it is a chargeback",
        build: prevented,
    },
    Story {
        name: "unchallengeable",
        about: "a chargeback that allows no answer: opened and lost at once",
        build: unchallengeable,
    },
    Story {
        name: "two-disputes",
        about: "two disputes over parts of one payment: one accepted, one open",
        build: two_disputes,
    },
    Story {
        name: "fraud-warning",
        about: "the issuer reports fraud; a refund could still prevent a dispute",
        build: fraud_warning,
    },
    Story {
        name: "fraud-warning-refunded",
        about: "the issuer reports fraud, and the merchant refunds at once",
        build: fraud_warning_refunded,
    },
    Story { name: "review-open", about: "a payment that a Radar rule holds for review", build: review_open },
    Story { name: "review-approved", about: "a review that found the payment good", build: review_approved },
    Story { name: "authorized", about: "a hold on the card that nobody captured yet", build: authorized },
    Story { name: "void", about: "a hold that the merchant gives up", build: void },
    Story {
        name: "partial-capture",
        about: "a hold of which part is captured; Stripe shows the rest as refunded",
        build: partial_capture,
    },
    Story { name: "payment-failed", about: "a declined card", build: payment_failed },
    Story { name: "payment-pending", about: "a bank debit on its way", build: payment_pending },
    Story { name: "chargeback-open", about: "a chargeback that waits for evidence", build: chargeback_open },
    Story {
        name: "dispute-under-review",
        about: "a chargeback, answered, that the bank is looking at",
        build: dispute_under_review,
    },
    Story {
        name: "paid-second-try",
        about: "a declined card, then a payment that succeeds: two charges of one intent",
        build: paid_second_try,
    },
    Story {
        name: "authorization-expired",
        about: "a hold that runs out after seven days",
        build: authorization_expired,
    },
    Story { name: "debit-settled", about: "a bank debit that arrives days later", build: debit_settled },
    Story { name: "debit-returned", about: "a bank debit that the bank refuses days later", build: debit_returned },
    Story {
        name: "refund-overtaken",
        about: "a pending refund that fails because the buyer's bank disputed the payment",
        build: refund_overtaken,
    },
];

fn paid(life: &mut Life) {
    life.checkout();
    life.pay();
}

fn partial_refund(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(2));
    life.refund(charge, life.share(40));
}

fn full_refund(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(1));
    let first = life.refund(charge, life.share(30));
    life.later(hours(6));
    life.refund(charge, life.amount() - life.share(30));
    life.later(days(3));
    life.reference_arrives(first);
}

fn refund_pending(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(4));
    let refund = life.refund_pending(charge, life.amount(), "insufficient_funds");
    life.later(days(2));
    life.settle_refund(refund);
}

fn refund_fails_later(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(1));
    let refund = life.refund(charge, life.amount());
    life.later(days(5));
    life.fail_refund(refund, "expired_or_canceled_card");
}

fn refund_canceled(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(3));
    let refund = life.refund_pending(charge, life.share(50), "insufficient_funds");
    life.later(hours(5));
    life.cancel_refund(refund);
}

fn chargeback_won(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(20));
    let dispute = life.open_dispute(charge, life.amount(), NOT_RECEIVED);
    life.later(days(2));
    life.submit_evidence(dispute);
    life.later(days(61));
    life.win(dispute);
}

fn chargeback_lost(life: &mut Life) {
    lost_chargeback(life);
}

fn late_win(life: &mut Life) {
    let dispute = lost_chargeback(life);
    life.later(days(24));
    life.win_late(dispute);
}

fn lost_chargeback(life: &mut Life) -> DisputeNo {
    life.checkout();
    let charge = life.pay();
    life.later(days(15));
    let dispute = life.open_dispute(charge, life.amount(), FRAUDULENT);
    life.later(days(5));
    life.submit_evidence(dispute);
    life.later(days(66));
    life.lose(dispute);
    dispute
}

fn lost_part_back(life: &mut Life) {
    life.pays_with(MASTERCARD);
    life.checkout();
    let charge = life.pay();
    life.later(days(6));
    life.refund(charge, life.share(40));
    life.later(days(11));
    let dispute = life.open_dispute(charge, life.amount(), UNACCEPTABLE);
    life.later(days(3));
    life.submit_evidence(dispute);
    life.later(days(63));
    life.lose(dispute);
    life.reinstate(dispute, life.share(40));
}

fn inquiry_closed(life: &mut Life) {
    life.pays_with(AMEX);
    life.checkout();
    let charge = life.pay();
    life.later(days(12));
    let inquiry = life.open_inquiry(charge, life.amount(), UNRECOGNIZED);
    life.later(days(2));
    life.submit_evidence(inquiry);
    life.later(days(118));
    life.close_warning(inquiry);
}

fn inquiry_open(life: &mut Life) {
    life.pays_with(AMEX);
    life.checkout();
    let charge = life.pay();
    life.later(days(15));
    life.open_inquiry(charge, life.amount(), UNRECOGNIZED);
}

fn inquiry_escalated(life: &mut Life) {
    life.pays_with(AMEX);
    life.checkout();
    let charge = life.pay();
    life.later(days(10));
    let inquiry = life.open_inquiry(charge, life.amount(), NOT_RECEIVED);
    life.later(days(4));
    life.submit_evidence(inquiry);
    life.later(days(17));
    life.escalate(inquiry);
}

fn prevented(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(8));
    life.prevent(charge, life.amount(), FRAUDULENT);
}

fn unchallengeable(life: &mut Life) {
    life.pays_with(CARTES_BANCAIRES);
    life.checkout();
    let charge = life.pay();
    life.later(days(25));
    life.open_unchallengeable(charge, life.amount(), FRAUDULENT);
}

fn two_disputes(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(18));
    let first = life.open_dispute(charge, life.share(25), UNACCEPTABLE);
    life.later(days(1));
    life.open_dispute(charge, life.share(30), NOT_RECEIVED);
    life.later(hours(4));
    life.accept(first);
}

fn fraud_warning(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(6));
    life.warn(charge);
}

fn fraud_warning_refunded(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(6));
    let warning = life.warn(charge);
    life.later(hours(3));
    life.refund(charge, life.amount());
    life.settle(warning);
}

fn review_open(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.open_review(charge);
}

fn review_approved(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    let review = life.open_review(charge);
    life.later(hours(5));
    life.approve(review);
}

fn authorized(life: &mut Life) {
    life.authorize();
}

fn void(life: &mut Life) {
    let charge = life.authorize();
    life.later(days(1));
    life.void(charge);
}

fn partial_capture(life: &mut Life) {
    let charge = life.authorize();
    life.later(days(2));
    life.capture(charge, life.share(75));
}

fn payment_failed(life: &mut Life) {
    life.checkout();
    life.decline(DECLINED);
}

fn payment_pending(life: &mut Life) {
    life.checkout();
    life.pay_by_debit();
}

fn chargeback_open(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(13));
    life.open_dispute(charge, life.amount(), FRAUDULENT);
}

fn dispute_under_review(life: &mut Life) {
    life.pays_with(MASTERCARD);
    life.checkout();
    let charge = life.pay();
    life.later(days(16));
    let dispute = life.open_dispute(charge, life.share(60), NOT_RECEIVED);
    life.later(days(3));
    life.submit_evidence(dispute);
}

fn paid_second_try(life: &mut Life) {
    life.checkout();
    life.decline(DECLINED);
    life.later(minutes(4));
    life.pay();
}

fn authorization_expired(life: &mut Life) {
    let charge = life.authorize();
    life.later(days(7));
    life.expire_authorization(charge);
}

fn debit_settled(life: &mut Life) {
    life.checkout();
    let charge = life.pay_by_debit();
    life.later(days(5));
    life.settle_debit(charge);
}

fn debit_returned(life: &mut Life) {
    life.checkout();
    let charge = life.pay_by_debit();
    life.later(days(4));
    life.return_debit(charge);
}

fn refund_overtaken(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(9));
    let refund = life.refund_pending(charge, life.amount(), "insufficient_funds");
    life.later(days(1));
    life.open_dispute(charge, life.amount(), NOT_RECEIVED);
    life.later(1);
    life.fail_refund(refund, "charge_for_pending_refund_disputed");
}
