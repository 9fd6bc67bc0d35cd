// Package slack tells a team what happened, by a webhook of Slack
// (https://api.slack.com/messaging/webhooks).
//
// It must not know what happened, nor let anybody see the webhook's address, which
// is a password.
package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// patience is how long Slack may take.
const patience = 10 * time.Second

// Tell says a line. An error has nothing of the webhook in it.
func Tell(ctx context.Context, webhook, line string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(map[string]string{"text": line})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, webhook, bytes.NewReader(body))
	if err != nil {
		return errors.New("its webhook is no URL")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	if err != nil {
		return errors.New("its webhook does not answer")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}
