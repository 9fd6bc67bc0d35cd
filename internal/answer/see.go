package answer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// See asks a URL once, and returns what was answered and what its certificate is worth, which nobody is stopped by; nil
// where the name is not known here. Without a dial function it goes the way of this machine's browsers, by its proxy.
func See(ctx context.Context, address string, dial Dial) *hostapi.HTTP {
	if u, err := url.Parse(address); err != nil || u.Hostname() == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil
	}
	h := &hostapi.HTTP{From: "here"}
	transport := &http.Transport{
		DialContext:       dial,
		DisableKeepAlives: true,
		// A certificate is looked at, and not believed: what it is worth is told.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
			h.Expires.Time, h.Trusted = certificate(state)
			return nil
		}},
	}
	if dial == nil {
		transport.Proxy = http.ProxyFromEnvironment
	}
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     transport,
	}
	start := time.Now()
	response, err := client.Do(request)
	h.Seconds = time.Since(start).Seconds()
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return nil
	case err != nil:
		h.Error = reason(err)
	default:
		response.Body.Close()
		h.Status, h.Sends = response.StatusCode, response.Header.Get("Location")
	}
	return h
}

// certificate is when that of a connection expires, and whether it is trusted.
func certificate(state tls.ConnectionState) (expires time.Time, trusted bool) {
	first := state.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		between.AddCert(certificate)
	}
	_, err := first.Verify(x509.VerifyOptions{DNSName: state.ServerName, Intermediates: between})
	return first.NotAfter, err == nil
}

// reason returns what went wrong with a request, without the address, which is
// known.
func reason(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within 5 s"
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
