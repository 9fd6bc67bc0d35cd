//go:build !linux

package backup

import "errors"

// Free is asked on servers only.
func Free(string) (free, size int64, err error) { return 0, 0, errors.ErrUnsupported }
