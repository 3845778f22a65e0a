// Tells customers about refunds: one mail per follow-up of kind `notify_refund`.
//
// A mail leaves the database, so it can be sent twice: the process may die after it was sent and before the follow-up
// was completed. The follow-up's `key` never changes; the mail provider takes it as an idempotency key.

import { setTimeout as sleep } from 'node:timers/promises';
import { hostname } from 'node:os';
import pg from 'pg';
import { formatAmount } from './money.mjs';

/** @import { FollowUpOf, Order } from './clawback.js' */
/** @typedef {FollowUpOf<'notify_refund'>} Refund */

const KIND = 'notify_refund';
const CHANNEL = 'clawback_follow_ups';
const CONSUMER = `refund-mailer@${hostname()}`;
const LEASE = '60 seconds';
const BATCH = 10;
const MAIL_TIMEOUT_MS = 10_000;
const RECONNECT_AFTER_MS = 5_000;

const mailUrl = required('MAIL_URL');
const databaseUrl = required('DATABASE_URL');
// Of live mode, unless test mode is asked for: simulated refunds send no real mail by mistake.
const livemode = flag('LIVEMODE', 'true');
const pollMs = Number(process.env.POLL_SECONDS ?? '10') * 1000;

const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stopping.abort());

/** @param {string} name */
function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/**
 * @param {string} name
 * @param {string} fallback
 */
function flag(name, fallback) {
  const value = process.env[name] ?? fallback;
  if (value !== 'true' && value !== 'false') throw new Error(`${name} must be true or false`);
  return value === 'true';
}

/** The mail for one refund.
 * @param {pg.Client} db
 * @param {Refund} followUp
 */
async function mailFor(db, followUp) {
  const { payload } = followUp;
  // What the order's refunds add up to. `amount_refunded` is a `bigint`, so a string here.
  const { rows: [order] } = await /** @type {Promise<pg.QueryResult<Pick<Order, 'amount_refunded'>>>} */ (db.query(
    `select amount_refunded from clawback_v1.orders
     where order_id = $1 and livemode = $2 and currency = $3 and account is not distinct from $4`,
    [followUp.order_id, followUp.livemode, payload.currency, followUp.account],
  ));
  return {
    order_id: followUp.order_id,
    refunded: formatAmount(payload.amount, payload.currency),
    refunded_in_total: order ? formatAmount(order.amount_refunded, payload.currency) : null,
  };
}

/**
 * @param {string} key
 * @param {object} mail
 */
async function send(key, mail) {
  const answer = await fetch(mailUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(mail),
    signal: AbortSignal.timeout(MAIL_TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`the mail provider answered ${answer.status}`);
}

/** Sends one mail and completes its follow-up; on an error, hands it back to be retried with back-off.
 * @param {pg.Client} db
 * @param {Refund} followUp
 */
async function workOn(db, followUp) {
  // `id` is a `bigint` too. It is only ever handed back, so it stays the string that it is.
  const held = [followUp.id, followUp.lease_token];
  try {
    // Others of its batch came first: is it still ours, and still wanted?
    const { rows: [{ ours }] } = await db.query('select clawback_v1.extend_follow_up($1, $2, $3) as ours', [...held, LEASE]);
    if (!ours) throw new Error('the lease was lost, or the mail is no longer wanted');
    await send(followUp.key, await mailFor(db, followUp));
  } catch (error) {
    const { rows: [{ state }] } = await db.query(
      'select clawback_v1.fail_follow_up($1, $2, $3) as state',
      [...held, String(error)],
    );
    console.error(`${followUp.key} failed, now ${state ?? 'with another consumer'}: ${error}`);
    return;
  }
  const { rows: [{ ok }] } = await db.query('select clawback_v1.complete_follow_up($1, $2) as ok', held);
  console.log(ok ? `sent ${followUp.key}` : `sent ${followUp.key} after its lease had expired; it may be sent again`);
}

/** Claims and sends until no follow-up is ready.
 * @param {pg.Client} db
 */
async function workUntilEmpty(db) {
  while (!stopping.signal.aborted) {
    const { rows } = await /** @type {Promise<pg.QueryResult<Refund>>} */ (db.query(
      'select * from clawback_v1.claim_follow_ups($1, $2, max_count => $3, lease => $4, livemode => $5)',
      [CONSUMER, [KIND], BATCH, LEASE, livemode],
    ));
    if (rows.length === 0) return;
    for (const followUp of rows) await workOn(db, followUp);
  }
}

/** Consumes until a stop, or until the connection is lost. */
async function consume() {
  const db = new pg.Client({ connectionString: databaseUrl, keepAlive: true });
  let nap = new AbortController();
  let lost = /** @type {Error | undefined} */ (undefined);
  db.on('notification', ({ payload }) => {
    if (payload?.split(',').includes(KIND)) nap.abort();
  });
  db.on('error', (error) => {
    lost = error;
    nap.abort();
  });
  await db.connect();
  try {
    // LISTEN before the first claim: what becomes ready in between is notified.
    await db.query(`listen ${CHANNEL}`);
    console.log(`waiting for ${KIND}`);
    while (!stopping.signal.aborted) {
      // Made before the work: a notification that arrives meanwhile ends the nap at once.
      nap = new AbortController();
      await workUntilEmpty(db);
      // A notification is a hint and can be missed, and retries are not notified: polling is what counts.
      await nextPoll(nap.signal);
      if (lost) throw lost;
    }
  } finally {
    await db.end().catch(() => {});
  }
}

/** Waits for the next poll, a notification or a stop, whichever is first.
 * @param {AbortSignal} woken
 */
async function nextPoll(woken) {
  await sleep(pollMs, undefined, { signal: AbortSignal.any([woken, stopping.signal]) }).catch(() => {});
}

while (!stopping.signal.aborted) {
  try {
    await consume();
  } catch (error) {
    console.error(`connection lost, retrying: ${error}`);
    await sleep(RECONNECT_AFTER_MS, undefined, { signal: stopping.signal }).catch(() => {});
  }
}
console.log('stopped');
