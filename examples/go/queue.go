package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// followUp is what this consumer reads of a claimed follow-up.
type followUp struct {
	id         int64
	leaseToken string
	key        string
	disputeID  string
	phase      string
	orderID    sql.NullString
	dueAt      sql.NullTime
}

// queue wraps the functions of schema clawback_v1.
type queue struct {
	db       *sql.DB
	consumer string
	lease    time.Duration
	livemode bool
}

// claim leases up to limit follow-ups. It is committed when it returns.
func (q *queue) claim(ctx context.Context, kind string, limit int) ([]followUp, error) {
	rows, err := q.db.QueryContext(ctx, `
		select id, lease_token, key, subject, round, order_id, due_at
		from clawback_v1.claim_follow_ups($1, $2, max_count => $3, lease => $4, livemode => $5)`,
		q.consumer, pq.Array([]string{kind}), limit, interval(q.lease), q.livemode)
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w", kind, err)
	}
	defer rows.Close()
	var claimed []followUp
	for rows.Next() {
		var f followUp
		if err := rows.Scan(&f.id, &f.leaseToken, &f.key, &f.disputeID, &f.phase, &f.orderID, &f.dueAt); err != nil {
			return nil, fmt.Errorf("claim %s: %w", kind, err)
		}
		claimed = append(claimed, f)
	}
	return claimed, rows.Err()
}

// complete reports false when the lease was lost.
func (q *queue) complete(ctx context.Context, f followUp, result any) (ok bool, err error) {
	document, err := json.Marshal(result)
	if err != nil {
		return false, err
	}
	err = q.call(ctx, &ok, "complete_follow_up", f.id, f.leaseToken, string(document))
	return ok, err
}

// extend reports false when the lease was lost or the work is no longer wanted.
func (q *queue) extend(ctx context.Context, f followUp) (ok bool, err error) {
	err = q.call(ctx, &ok, "extend_follow_up", f.id, f.leaseToken, interval(q.lease))
	return ok, err
}

// snooze hands the follow-up back until then. No attempt is counted.
func (q *queue) snooze(ctx context.Context, f followUp, until time.Time) error {
	return q.call(ctx, new(bool), "snooze_follow_up", f.id, f.leaseToken, until)
}

// fail hands the follow-up back to be retried with back-off.
func (q *queue) fail(ctx context.Context, f followUp, cause error) error {
	return q.call(ctx, new(sql.NullString), "fail_follow_up", f.id, f.leaseToken, cause.Error())
}

// giveUp marks the follow-up dead, so that a person looks at it.
func (q *queue) giveUp(ctx context.Context, f followUp, cause error) error {
	return q.call(ctx, new(sql.NullString), "give_up_follow_up", f.id, f.leaseToken, cause.Error())
}

// call runs a function that takes three arguments and returns one value.
func (q *queue) call(ctx context.Context, result any, function string, arguments ...any) error {
	row := q.db.QueryRowContext(ctx, "select clawback_v1."+function+"($1, $2, $3)", arguments...)
	if err := row.Scan(result); err != nil {
		return fmt.Errorf("%s: %w", function, err)
	}
	return nil
}

// interval is d as Postgres reads it.
func interval(d time.Duration) string {
	return fmt.Sprintf("%d milliseconds", d.Milliseconds())
}
