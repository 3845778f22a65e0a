"""Books the outcome of disputes, in one transaction with the completion of the follow-up.

The entries live in the same database as Clawback. So the entry and `complete_follow_up` are committed
together or not at all, and no dispute is booked twice, wherever the process dies.
"""

import logging
import os
import signal
import socket
import threading
import time

import psycopg
from psycopg.rows import namedtuple_row

KINDS = ["record_dispute_won", "record_dispute_lost"]
CHANNEL = "clawback_follow_ups"
LEASE = "60 seconds"
BATCH = 10
RECONNECT_AFTER = 5.0

log = logging.getLogger("bookkeeping")
stopping = threading.Event()


class LeaseLost(Exception):
    """The lease ended before the work did; another consumer may have the follow-up."""


def entry_for(follow_up):
    """The account and the amount, in minor units, that a finished dispute is booked with."""
    payload = follow_up.payload
    if follow_up.kind == "record_dispute_lost":
        return "dispute_losses", payload["amount_lost"], payload["currency"]
    return "dispute_recoveries", payload["amount"], payload["currency"]


def book(db, follow_up):
    """Writes the entry and completes the follow-up in one transaction."""
    account, amount, currency = entry_for(follow_up)
    with db.transaction():
        db.execute(
            """
            insert into bookkeeping.entries (key, order_id, dispute_id, livemode, account, amount, currency)
            values (%s, %s, %s, %s, %s, %s, %s)
            """,
            (
                follow_up.key,
                follow_up.order_id,
                follow_up.payload["dispute_id"],
                follow_up.livemode,
                account,
                amount,
                currency,
            ),
        )
        completed = db.execute(
            "select clawback_v1.complete_follow_up(%s, %s) as ok", (follow_up.id, follow_up.lease_token)
        ).fetchone()
        if not completed.ok:
            raise LeaseLost(follow_up.key)  # rolls the entry back


def work_on(db, follow_up):
    """Books one follow-up; on an error, hands it back to be retried with back-off."""
    try:
        book(db, follow_up)
        log.info("booked %s for order %s", follow_up.key, follow_up.order_id)
    except LeaseLost:
        log.warning("lost the lease on %s, nothing booked", follow_up.key)
    except psycopg.OperationalError:
        raise  # The connection is gone: the lease expires, and the follow-up is handed out again.
    except Exception as error:
        state = db.execute(
            "select clawback_v1.fail_follow_up(%s, %s, %s) as state",
            (follow_up.id, follow_up.lease_token, repr(error)),
        ).fetchone().state
        log.exception("%s failed, now %s", follow_up.key, state or "with another consumer")


def work_until_empty(db, consumer, livemode):
    """Claims and books until no follow-up is ready."""
    while not stopping.is_set():
        claimed = db.execute(
            "select * from clawback_v1.claim_follow_ups(%s, %s, max_count => %s, lease => %s, livemode => %s)",
            (consumer, KINDS, BATCH, LEASE, livemode),
        ).fetchall()
        if not claimed:
            return
        for follow_up in claimed:
            work_on(db, follow_up)


def wait_for_work(db, seconds):
    """Returns when one of our kinds is notified, on a stop, or after `seconds` at the latest."""
    deadline = time.monotonic() + seconds
    while not stopping.is_set() and time.monotonic() < deadline:
        for notice in db.notifies(timeout=0.5, stop_after=1):
            if set(notice.payload.split(",")) & set(KINDS):
                return


def consume(url, consumer, livemode, poll_seconds):
    # autocommit: a claim is committed before the work begins, so that it holds no locks meanwhile.
    with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as db:
        # LISTEN before the first claim: what becomes ready in between is notified.
        db.execute(f"listen {CHANNEL}")
        log.info("waiting for %s", ", ".join(KINDS))
        while not stopping.is_set():
            work_until_empty(db, consumer, livemode)
            # A notification is a hint and can be missed, and retries are not notified: polling is what counts.
            wait_for_work(db, poll_seconds)


def main():
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    consumer = f"bookkeeping@{socket.gethostname()}"
    # Of live mode, unless test mode is asked for: simulated payments are not booked by mistake.
    livemode = {"true": True, "false": False}[os.environ.get("LIVEMODE", "true")]
    poll_seconds = float(os.environ.get("POLL_SECONDS", "10"))
    while not stopping.is_set():
        try:
            consume(os.environ["DATABASE_URL"], consumer, livemode, poll_seconds)
        except psycopg.OperationalError as error:
            log.error("no connection, retrying: %s", error)
            stopping.wait(RECONNECT_AFTER)
    log.info("stopped")


if __name__ == "__main__":
    main()
