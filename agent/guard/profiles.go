package guard

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/leeway-dev/leeway/registry/profile"
)

// SidecarContainer and AdminPort are where a pod's sidecar answers.
const (
	SidecarContainer = "leeway-sidecar"
	AdminPort        = 9095
)

// FetchProfiles asks the sidecar of every pod for its live profile and merges
// the answers. Pods that don't answer are named, not an error: how much that
// matters, the counters tell.
func FetchProfiles(c *http.Client) func(ctx context.Context, pods []corev1.Pod, from, to time.Time) (LiveProfile, error) {
	return func(ctx context.Context, pods []corev1.Pod, from, to time.Time) (LiveProfile, error) {
		got := make([]*profile.Profile, len(pods))
		errs := make([]error, len(pods))
		var g errgroup.Group
		g.SetLimit(16)
		for i := range pods {
			g.Go(func() error {
				got[i], errs[i] = fetchProfile(ctx, c, &pods[i], from, to)
				return nil
			})
		}
		_ = g.Wait()
		var out LiveProfile
		var ok []*profile.Profile
		for i, p := range got {
			if errs[i] != nil {
				out.Missing = append(out.Missing, pods[i].Name+": "+errs[i].Error())
				continue
			}
			ok = append(ok, p)
		}
		sort.Strings(out.Missing)
		out.Pods = len(ok)
		if len(ok) == 0 {
			return out, nil
		}
		merged, err := profile.Merge(ok...)
		if err != nil {
			return out, fmt.Errorf("merge the live profiles of %d pods: %w", len(ok), err)
		}
		out.Profile = merged
		return out, nil
	}
}

func fetchProfile(ctx context.Context, c *http.Client, pod *corev1.Pod, from, to time.Time) (*profile.Profile, error) {
	if pod.Status.PodIP == "" {
		return nil, fmt.Errorf("no address yet")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	u := url.URL{
		Scheme: "http", Host: net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(AdminPort)), Path: "/profile",
		RawQuery: url.Values{"from": {from.UTC().Format(time.RFC3339Nano)}, "to": {to.UTC().Format(time.RFC3339Nano)}}.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, profile.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET /profile: status %d: %.200s", resp.StatusCode, b)
	}
	p, err := profile.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("GET /profile: %w", err)
	}
	return p, nil
}
