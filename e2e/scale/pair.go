package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

// startPair starts both controllers. Which leads is theirs to agree on.
func (s *stage) startPair(ctx context.Context) ([]*program, error) {
	file := s.path("values.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, values, s.interval), 0o600); err != nil {
		return nil, err
	}
	if _, err := child.Run(child.Command(ctx, s.path("leeway"), "rules", "render", "-f", file, "--dir", s.path("rules"))); err != nil {
		return nil, err
	}
	if err := s.newNode(ctx, "system"); err != nil {
		return nil, err
	}
	hosts, urls, listen := [2]string{"localhost", "127.0.0.1"}, [2]string{}, [2]string{}
	for i, host := range hosts {
		address, err := plane.FreePort()
		if err != nil {
			return nil, err
		}
		listen[i], urls[i] = address, "http://"+strings.Replace(address, "127.0.0.1", host, 1)
	}
	var pair []*program
	for i, url := range urls {
		pod, _, _ := strings.Cut(hosts[i], ".")
		id, err := s.identify(ctx, "system", pod, "leeway-controller")
		if err != nil {
			return nil, err
		}
		p, err := s.start("controller "+pod, url, []string{"KUBECONFIG=" + id.config}, s.path("leeway-agent"), "--role=controller", "--node=system",
			"--pod="+pod, "--namespace="+system, "--listen="+listen[i], "--data-dir="+s.path("data-"+pod), "--rules="+s.path("rules"),
			"--controllers="+urls[0]+","+urls[1], "--token-file="+id.token, "--scrape-interval="+s.interval.String(),
			"--artifact-allow=file://"+filepath.Join(s.dir, "*"), "--lease-duration=1m")
		if err != nil {
			return nil, err
		}
		pair = append(pair, p)
	}
	for _, p := range pair {
		if err := p.ready(ctx, "/readyz"); err != nil {
			return nil, err
		}
	}
	return pair, nil
}
