// Command evidence fills the drafts of responses to disputes with the documents of their orders, for each follow-up of kind
// collect_evidence. It submits nothing: a person looks at the draft and submits it.
//
// Reading documents may take longer than a lease, so the lease is extended while it goes on. Documents that are not there yet
// are waited for by snoozing. A dispute without an order, or with documents that are refused, is given up, so that a person
// looks.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lib/pq"
)

const (
	kind      = "collect_evidence"
	channel   = "clawback_follow_ups"
	batch     = 1 // long work: claim only what is begun at once
	snoozeFor = 15 * time.Minute
)

type consumer struct {
	queue
	documents string
	poll      time.Duration
}

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
	log.Print("stopped")
}

func run(ctx context.Context) error {
	poll, err := time.ParseDuration(env("POLL", "10s"))
	if err != nil {
		return fmt.Errorf("POLL: %w", err)
	}
	lease, err := time.ParseDuration(env("LEASE", "1m"))
	if err != nil {
		return fmt.Errorf("LEASE: %w", err)
	}
	// Of live mode, unless test mode is asked for: nobody answers simulated disputes by mistake.
	livemode, err := strconv.ParseBool(env("LIVEMODE", "true"))
	if err != nil {
		return fmt.Errorf("LIVEMODE: %w", err)
	}
	url := env("DATABASE_URL", "")
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	defer db.Close()
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	c := consumer{
		queue:     queue{db: db, consumer: "evidence@" + host, lease: lease, livemode: livemode},
		documents: env("DOCUMENTS_DIR", "documents"),
		poll:      poll,
	}
	// Reconnects by itself, and says so with a nil notification.
	listener := pq.NewListener(url, time.Second, time.Minute, nil)
	defer listener.Close()
	// LISTEN before the first claim: what becomes ready in between is notified.
	if err := listener.Listen(channel); err != nil {
		return err
	}
	log.Printf("waiting for %s", kind)
	c.consume(ctx, listener.Notify)
	return nil
}

// consume works whenever there is something, until ctx is done.
func (c *consumer) consume(ctx context.Context, notices <-chan *pq.Notification) {
	for ctx.Err() == nil {
		if err := c.workUntilEmpty(ctx); err != nil && ctx.Err() == nil {
			// Leases that were not ended run out, and their follow-ups are handed out again.
			log.Printf("database error, retrying in %v: %v", c.poll, err)
		}
		c.wait(ctx, notices)
	}
}

// wait returns when our kind is notified, when the next poll is due, or when ctx is done. A notification is a hint and
// can be missed, and retries are not notified: polling is what counts.
func (c *consumer) wait(ctx context.Context, notices <-chan *pq.Notification) {
	next := time.NewTimer(c.poll)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			return
		case notice := <-notices:
			if notice == nil || strings.Contains(","+notice.Extra+",", ","+kind+",") {
				return
			}
		}
	}
}

func (c *consumer) workUntilEmpty(ctx context.Context) error {
	for ctx.Err() == nil {
		claimed, err := c.claim(ctx, kind, batch)
		if err != nil || len(claimed) == 0 {
			return err
		}
		for _, f := range claimed {
			// Not ctx: what was claimed is finished, also on a stop.
			if err := c.workOn(context.Background(), f); err != nil {
				return err
			}
		}
	}
	return nil
}

// workOn fills the draft of one dispute and ends its lease. Errors are those of the database.
func (c *consumer) workOn(ctx context.Context, f followUp) error {
	work, stop := c.heartbeat(ctx, f)
	result, err := c.collect(work, f)
	stop()
	switch {
	case err == nil:
		// The collecting is done, not the response: warn_evidence_due reminds a person until the draft is submitted.
		completed, err := c.complete(ctx, f, result)
		log.Printf("%s: %d documents in version %d of the draft, missing %v, completed: %t",
			f.key, result.Documents, result.Version, result.Missing, completed)
		return err
	case errors.Is(err, errNotReady):
		log.Printf("%s: %v, due %v", f.key, err, f.dueAt.Time)
		return c.snooze(ctx, f, time.Now().Add(snoozeFor))
	case errors.Is(err, errUnlinked), isInvalid(err):
		log.Printf("%s: %v", f.key, err)
		return c.giveUp(ctx, f, err)
	default:
		log.Printf("%s: %v", f.key, err)
		return c.fail(ctx, f, err)
	}
}

func (c *consumer) collect(ctx context.Context, f followUp) (draft, error) {
	found, err := readEvidence(ctx, f, c.documents)
	if err != nil {
		return draft{}, err
	}
	return c.fillDraft(ctx, f, found)
}

// heartbeat extends the lease while the work goes on, and cancels the work when that fails. stop ends it.
func (c *consumer) heartbeat(ctx context.Context, f followUp) (work context.Context, stop context.CancelFunc) {
	work, cancel := context.WithCancel(ctx)
	go func() {
		ticker := time.NewTicker(c.lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-work.Done():
				return
			case <-ticker.C:
				// Not work: an extension under way is not cut off when the work ends.
				if ok, err := c.extend(ctx, f); err != nil || !ok {
					cancel()
				}
			}
		}
	}()
	return work, cancel
}

func env(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
