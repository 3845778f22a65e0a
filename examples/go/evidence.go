package main

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

var (
	// errNotReady means that the documents are not there yet: try later, this is no failure.
	errNotReady = errors.New("no documents for this order yet")
	// errUnlinked means that a retry cannot help: a person must link the payment first.
	errUnlinked = errors.New("the disputed payment is linked to no order")
	// errLeaseLost means that the heartbeat ended the work.
	errLeaseLost = errors.New("the lease was lost, or the evidence is no longer wanted")
)

// bundle is what is kept as the follow-up's result.
type bundle struct {
	File      string `json:"file"`
	Documents int    `json:"documents"`
}

// bundleEvidence packs the documents of the disputed order into one archive in `out`. The archive's name comes from the
// follow-up's key, and it appears only when it is complete: doing this twice leaves one archive.
func bundleEvidence(ctx context.Context, f followUp, documents, out string) (bundle, error) {
	if !f.orderID.Valid {
		return bundle{}, errUnlinked
	}
	// Base: an order reference comes from outside and must not lead out of the folder.
	files, err := filepath.Glob(filepath.Join(documents, filepath.Base(f.orderID.String), "*"))
	if err != nil {
		return bundle{}, err
	}
	if len(files) == 0 {
		return bundle{}, errNotReady
	}
	name := strings.ReplaceAll(f.key, "/", "-") + ".zip"
	draft, err := os.CreateTemp(out, name+".*")
	if err != nil {
		return bundle{}, err
	}
	defer os.Remove(draft.Name())
	defer draft.Close()
	if err := pack(ctx, draft, files); err != nil {
		return bundle{}, err
	}
	if err := draft.Close(); err != nil {
		return bundle{}, err
	}
	return bundle{File: name, Documents: len(files)}, os.Rename(draft.Name(), filepath.Join(out, name))
}

func pack(ctx context.Context, to io.Writer, files []string) error {
	archive := zip.NewWriter(to)
	for _, file := range files {
		if ctx.Err() != nil {
			return errLeaseLost
		}
		if err := add(archive, file); err != nil {
			return err
		}
	}
	return archive.Close()
}

func add(archive *zip.Writer, file string) error {
	source, err := os.Open(file)
	if err != nil {
		return err
	}
	defer source.Close()
	entry, err := archive.Create(filepath.Base(file))
	if err != nil {
		return err
	}
	_, err = io.Copy(entry, source)
	return err
}
