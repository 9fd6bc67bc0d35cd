// Package audit keeps who did what to an instance on this server, a line of JSON
// each. The log stays when the instance goes.
//
// It must not know what is worth an entry.
package audit

import (
	"encoding/json"
	"path/filepath"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// Append adds an entry to the log of a project in the folder logs ([hostapi.Logs]).
func Append(logs, project string, e hostapi.Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return durable.Append(filepath.Join(logs, project+".log"), line, 0o600)
}
