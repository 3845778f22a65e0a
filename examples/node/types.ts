// How the types are used, checked by `npm run typecheck`: `kind` tells which payload a follow-up has.

import type { ClaimedFollowUp, Dispute } from './clawback.js';

/** One line about a follow-up, for a log. */
export function summary(followUp: ClaimedFollowUp): string {
  switch (followUp.kind) {
    case 'notify_refund':
      // About a refund, or about a charge that shows more refunded than its known refunds.
      return 'refund_id' in followUp.payload
        ? `refund ${followUp.payload.refund_id}: ${followUp.payload.amount}`
        : `charge ${followUp.payload.charge_id}: ${followUp.payload.amount_refunded} in total`;
    case 'collect_evidence':
      return `dispute ${followUp.payload.dispute_id} (${followUp.payload.phase}), due ${followUp.due_at?.toISOString()}`;
    default:
      return followUp.key;
  }
}

/** A `bigint` column is a string: computing with it needs `BigInt`. */
export function netOf(dispute: Dispute): bigint {
  return BigInt(dispute.amount_reinstated) - BigInt(dispute.amount_withdrawn);
}
