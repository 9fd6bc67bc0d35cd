// Package slack tells the team's Slack what has happened.
//
// The address of its webhook is a secret: it is in no error. It must not know what is told.
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

// Bounds: how long Slack may take to answer, and after how long it is asked again.
const (
	patience = 10 * time.Second
	pause    = 2 * time.Second
)

// Post sends a text to a webhook, and tries so many times.
func Post(ctx context.Context, webhook, text string, tries int) error {
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if err = post(ctx, webhook, body); err == nil || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

func post(ctx context.Context, webhook string, body []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it does not answer"))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, webhook, bytes.NewReader(body))
	if err != nil {
		return errors.New("its address can't be read")
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		// The error of net/http begins with the address.
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}
