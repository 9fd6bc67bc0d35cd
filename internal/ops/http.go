package ops

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
)

// site asks url from this machine, and returns nil where its name is not known
// here.
func site(ctx context.Context, address string) *HTTP {
	if u, err := url.Parse(address); err != nil || u.Hostname() == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil
	}
	h := &HTTP{From: "here"}
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DisableKeepAlives: true,
			// A certificate is looked at, and not believed: what it is worth
			// is in the row.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: h.look},
		},
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

// look writes down what the certificate of a connection is worth.
func (h *HTTP) look(state tls.ConnectionState) error {
	first := state.PeerCertificates[0]
	h.Expires = moment{first.NotAfter}
	between := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		between.AddCert(certificate)
	}
	_, err := first.Verify(x509.VerifyOptions{DNSName: state.ServerName, Intermediates: between})
	h.Trusted = err == nil
	return nil
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
