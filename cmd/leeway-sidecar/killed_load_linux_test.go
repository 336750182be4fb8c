package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"time"
)

// load asks 500 times a second, whatever becomes of what was asked before, and
// spreads it over the pods as a proxy does: who is refused a connection is tried
// at the next, for nothing was sent. Whatever else goes wrong is a failure.
type load struct {
	pods    []*pod
	clients map[*pod]*http.Client

	mu       sync.Mutex
	took     []time.Duration
	answered map[*pod][]attempt
	failed   []attempt
	refused  int
	wrong    int
	receipts map[string]bool
}

func newLoad(pods []*pod) *load {
	l := &load{pods: pods, clients: map[*pod]*http.Client{}, answered: map[*pod][]attempt{}, receipts: map[string]bool{}}
	for _, p := range pods {
		l.clients[p] = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: maxUnderWay, DialContext: dial}}
	}
	return l
}

// timedConn knows since when it is open.
type timedConn struct {
	net.Conn
	opened time.Time
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &timedConn{c, time.Now()}, nil
}

func (l *load) run(d time.Duration) {
	var all sync.WaitGroup
	defer all.Wait()
	began := time.Now()
	for i := range int(d.Seconds() * perSecond) {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / perSecond)))
		all.Go(func() { l.ask(i) })
	}
}

// ask tries pods from a random one on, until one takes it.
func (l *load) ask(i int) {
	began, first := time.Now(), rand.IntN(len(l.pods))
	for n := range l.pods {
		p := l.pods[(first+n)%len(l.pods)]
		a, answer, receipt := l.try(p, i)
		if errors.Is(a.err, errRefused) && n < len(l.pods)-1 {
			l.mu.Lock()
			l.refused++
			l.mu.Unlock()
			continue
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if a.err != nil {
			l.failed = append(l.failed, a)
			return
		}
		l.took, l.answered[p] = append(l.took, a.ended.Sub(began)), append(l.answered[p], a)
		l.receipts[receipt] = true
		if answer != fmt.Sprintf(`{"predictions":[%d]}`, 2*(i%1000)) {
			l.wrong++
		}
		return
	}
}

// errRefused: there was no connection, so nothing was sent.
var errRefused = errors.New("no connection")

func (l *load) try(p *pod, i int) (a attempt, answer, receipt string) {
	a = attempt{pod: p}
	connected := false
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if !connected {
			connected = true
			p.inFlight.Add(1)
			a.sent = time.Now()
		}
		a.opened = got.Conn.(*timedConn).opened
	}})
	defer func() {
		if connected {
			p.inFlight.Add(-1)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.address+"/v1/models/eta:predict",
		strings.NewReader(fmt.Sprintf(`{"instances":[[%d,%d]]}`, i%1000, i%7)))
	if err != nil {
		a.err = err
		return a, "", ""
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.clients[p].Do(req)
	if err == nil {
		var b []byte
		b, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		answer, receipt = string(b), resp.Header.Get("Leeway-Receipt")
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s %s", resp.Status, b)
		}
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		err = errRefused
	}
	a.ended, a.err = time.Now(), err
	return a, answer, receipt
}

// answeredSince counts what a pod answered that was sent since then.
func (l *load) answeredSince(p *pod, from time.Time) (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answered[p] {
		if a.sent.After(from) {
			n++
		}
	}
	return n
}
