package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/lib/pq"
)

var (
	// errNotReady means that the documents are not there yet: try later, this is no failure.
	errNotReady = errors.New("no documents for this order yet")
	// errUnlinked means that a retry cannot help: a person must link the payment first.
	errUnlinked = errors.New("the disputed payment is linked to no order")
	// errLeaseLost means that the heartbeat ended the work.
	errLeaseLost = errors.New("the lease was lost, or the evidence is no longer wanted")
)

// invalid is the SQLSTATE of evidence that is refused however often it is offered: an unknown field, a file that is too large.
const invalid = "22023"

// evidence is what one order has: text and the content of files, by evidence field.
type evidence struct {
	text  map[string]string
	files map[string]file
}

type file struct {
	name    string
	content []byte
}

// draft is what is kept as the follow-up's result. Nothing of it is submitted.
type draft struct {
	Version   int64    `json:"version"`
	Documents int      `json:"documents"`
	Missing   []string `json:"missing"`
}

// readEvidence reads the documents of the disputed order. Each is named by its evidence field: receipt.pdf is a file, and
// uncategorized_text.txt is text.
func readEvidence(ctx context.Context, f followUp, documents string) (evidence, error) {
	found := evidence{text: map[string]string{}, files: map[string]file{}}
	if !f.orderID.Valid {
		return found, errUnlinked
	}
	// Base: an order reference comes from outside and must not lead out of the folder.
	paths, err := filepath.Glob(filepath.Join(documents, filepath.Base(f.orderID.String), "*"))
	if err != nil {
		return found, err
	}
	if len(paths) == 0 {
		return found, errNotReady
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return found, err
		}
		if ctx.Err() != nil {
			return found, errLeaseLost
		}
		name := filepath.Base(path)
		field := strings.TrimSuffix(name, filepath.Ext(name))
		if filepath.Ext(name) == ".txt" {
			found.text[field] = string(content)
		} else {
			found.files[field] = file{name: name, content: content}
		}
	}
	return found, nil
}

// fillDraft puts all of it into the draft of the response, in one transaction. It submits nothing. Doing it twice leaves the
// same draft. When somebody else changes the draft meanwhile, nothing is changed, and the error has SQLSTATE CB409.
func (q *queue) fillDraft(ctx context.Context, f followUp, found evidence) (draft, error) {
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return draft{}, err
	}
	defer tx.Rollback()
	// Null while there is no draft.
	var version sql.NullInt64
	row := tx.QueryRowContext(ctx, `
		select max(version) from clawback_v1.dispute_responses where dispute_id = $1 and phase = $2`, f.disputeID, f.phase)
	if err := row.Scan(&version); err != nil {
		return draft{}, err
	}
	if len(found.text) > 0 {
		fields, err := json.Marshal(found.text)
		if err != nil {
			return draft{}, err
		}
		row := tx.QueryRowContext(ctx, "select clawback_v1.stage_evidence($1, $2, $3)", f.disputeID, string(fields), version)
		if err := row.Scan(&version); err != nil {
			return draft{}, err
		}
	}
	for field, file := range found.files {
		row := tx.QueryRowContext(ctx, "select clawback_v1.attach_evidence_file($1, $2, $3, null, $4, $5)",
			f.disputeID, field, file.name, file.content, version)
		if err := row.Scan(&version); err != nil {
			return draft{}, err
		}
	}
	filled := draft{Version: version.Int64, Documents: len(found.text) + len(found.files)}
	row = tx.QueryRowContext(ctx, `
		select missing from clawback_v1.dispute_responses where dispute_id = $1 and phase = $2`, f.disputeID, f.phase)
	if err := row.Scan(pq.Array(&filled.Missing)); err != nil {
		return draft{}, err
	}
	return filled, tx.Commit()
}

// isInvalid reports whether the documents themselves are refused, so that a person must correct them.
func isInvalid(err error) bool {
	var refused *pq.Error
	return errors.As(err, &refused) && refused.Code == invalid
}
