package peer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/leeway-dev/leeway/agent/node/forward"
)

// Peers are the other replicas, asked by their API. Their URLs have no path.
type Peers struct {
	All       []forward.Replica
	TokenFile string // read for each request
}

// get asks one of them. The answer is 200, and its body the caller's to close.
func (p Peers) get(ctx context.Context, peer forward.Replica, path string, query url.Values) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, peer.URL+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if err := forward.Authorize(req, p.TokenFile); err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		message, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return nil, fmt.Errorf("controller %s: %s: %s", peer.Name, resp.Status, message)
	}
	return resp.Body, nil
}
