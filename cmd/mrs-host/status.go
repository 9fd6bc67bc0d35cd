package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
	"github.com/betagouv/mrs-ops/internal/hostside/status"
)

// statusCommand reads a request from standard input, and prints how that instance stands ([hostapi.Status]).
func statusCommand(ctx context.Context, _ options) error {
	var r hostapi.StatusRequest
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		return fmt.Errorf("the request can't be read: %w", err)
	}
	s, err := status.Of(ctx, status.This{}, r)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}

// releases prints what ran of the stack in a folder, as []hostapi.Release.
func releases(_ context.Context, o options) error {
	all, err := release.Of(o.folder).All()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}
