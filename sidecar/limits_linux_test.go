//go:build !race

package sidecar_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

const megabyte = 1 << 20

// A gigabyte passes in either direction as it is, in constant memory, and others do not notice.
func TestGigabyte(t *testing.T) { each(t, testGigabyte) }

func testGigabyte(t *testing.T, portable bool) {
	if testing.Short() {
		t.Skip("moves two gigabytes")
	}
	const size = 1 << 30
	want, _, _ := checksum(pattern(size))
	up := obliging(t)
	s := spawn(t, asked{Upstream: up.URL, Portable: portable})
	stop := bystander(t, s.traffic)
	s.do("POST", s.traffic+"/v2/models/m/infer", v2(`1,2,"x"`))
	before := s.tidied()

	req, err := http.NewRequest("POST", s.traffic+"/sum", pattern(size))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(b) != fmt.Sprintf(prediction, want) || err != nil {
		t.Errorf("sent: the server answered %q, %v, want the sum %d", b, err, want)
	}
	if resp, err = s.client.Get(fmt.Sprintf("%s/bytes?n=%d", s.traffic, size)); err != nil {
		t.Fatal(err)
	}
	sum, n, err := checksum(resp.Body)
	resp.Body.Close()
	if sum != want || n != size || err != nil {
		t.Errorf("received: %d bytes with the sum %d, %v, want %d with %d", n, sum, err, size, want)
	}
	stop()
	grown := s.memory("VmHWM") - before
	t.Logf("%.1f MB resident before, at most %.1f MB more", float64(before)/megabyte, float64(grown)/megabyte)
	if grown > 32*megabyte {
		t.Errorf("%d bytes more were resident, want at most 32 MB", grown)
	}
	s.eventually(map[string]float64{"leeway_requests_in_flight": 0})
}

// Ten thousand connections that wait, each after an observed request, take next to nothing and all go on.
func TestTenThousandIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thirty thousand descriptors")
	}
	up := spawn(t, asked{})
	s := spawn(t, asked{Upstream: up.traffic})
	n := 10_000
	if limit := s.descriptorLimit(); limit < 2*n+100 {
		n = (limit - 100) / 2
		t.Logf("%d connections, as a process may have %d descriptors and no more", n, limit)
	}
	warm := open(t, s.traffic, 500) // what grows once has grown
	defer warm.close()
	before := s.tidied()
	idle := open(t, s.traffic, n-len(warm))
	defer idle.close()
	each := (s.tidied() - before) / len(idle)
	t.Logf("%d bytes resident for each of %d connections", each, len(idle))
	if each > 1<<10 {
		t.Errorf("%d bytes resident for each idle connection, want at most 1 KiB", each)
	}
	idle.ask(t)
	s.eventually(map[string]float64{
		"leeway_requests_in_flight": 0, `leeway_captures_total{result="observed"`: float64(len(warm) + 2*len(idle)),
	})
}
