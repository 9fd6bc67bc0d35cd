package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

// engine is that of this host, at the socket where its command line finds it. It is asked there for what is data: that
// is ten times as fast as its command line, and an operation asks a hundred times.
var engine = http.Client{Transport: &http.Transport{
	DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		host := cmp.Or(os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock")
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(host, "unix://"))
	},
}}

// get asks the engine for a path of its API, as its own version of that is (Docker: Engine API). found is whether there
// is what was asked for; that there is not is an error, too.
func get(ctx context.Context, path string, query url.Values, into any) (found bool, err error) {
	ctx, cancel := bound.Within(ctx, "docker "+path, answers)
	defer cancel()
	ask := url.URL{Scheme: "http", Host: "docker", Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, ask.String(), nil)
	if err != nil {
		return true, err
	}
	answer, err := engine.Do(request)
	if err == nil {
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			var said struct{ Message string }
			_ = json.NewDecoder(answer.Body).Decode(&said)
			err = fmt.Errorf("docker %s: %s", path, cmp.Or(said.Message, answer.Status))
			return answer.StatusCode != http.StatusNotFound, err
		}
		err = json.NewDecoder(answer.Body).Decode(into)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // it names an address that there is not
	}
	return true, failed(ctx, path, err)
}

// labelled filters what is listed by its Compose project, and more labels.
func labelled(project string, labels ...string) url.Values {
	filters, _ := json.Marshal(map[string][]string{"label": append(labels, "com.docker.compose.project="+project)})
	return url.Values{"filters": {string(filters)}}
}

// list returns the ids of what there is of a kind, container, volume or network; of volumes, their names.
func list(ctx context.Context, kind string, filters url.Values) (ids []string, err error) {
	type one struct {
		ID   string `json:"Id"`
		Name string
	}
	var all []one
	switch kind {
	case "container":
		filters.Set("all", "true")
		_, err = get(ctx, "/containers/json", filters, &all)
	case "volume":
		_, err = get(ctx, "/volumes", filters, &struct{ Volumes *[]one }{&all})
	case "network":
		_, err = get(ctx, "/networks", filters, &all)
	}
	for _, one := range all {
		ids = append(ids, cmp.Or(one.ID, one.Name))
	}
	return ids, err
}
