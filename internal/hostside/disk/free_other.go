//go:build !linux

package disk

import "errors"

// Free is asked on servers only.
func Free(string) (free, size int64, err error) { return 0, 0, errors.ErrUnsupported }

// Device is asked on servers only.
func Device(string) (uint64, error) { return 0, errors.ErrUnsupported }
