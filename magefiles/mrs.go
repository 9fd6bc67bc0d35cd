//go:build mage

// Operations of MRS: each target is an operation of the cookbook.
package main

import (
	"fmt"
	"os"

	"github.com/betagouv/mrs-ops/internal/project"
)

// Paths are given from the project's root, wherever the targets are called.
func init() {
	root, err := project.Root()
	if err == nil {
		err = os.Chdir(root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// value returns what an optional flag was given, or the zero value.
func value[T any](flag *T) T {
	if flag == nil {
		var zero T
		return zero
	}
	return *flag
}
