package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/sidecar"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// proxy is the part of this program that stands in front of the upstream.
func proxy(name, upstream string) error {
	if name == reverseName {
		return reverse(upstream)
	}
	debug.SetGCPercent(10) // as leeway-sidecar does
	if name == bare {
		return floor(upstream)
	}
	cfg := sidecar.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Upstream: "http://" + upstream, Model: "m", Version: "1",
		SampleRatio: 1, CaptureBudget: 16 << 20, MaxBody: 1 << 20, Log: zap.NewNop(),
	}
	cfg.Receipts = name == issuing
	cfg.Portable = strings.HasPrefix(name, portable)
	if name == observed || name == portableSeen {
		var err error
		if cfg.Profile, err = trained(columns); err != nil {
			return err
		}
	}
	s, err := sidecar.New(cfg)
	if err != nil {
		return err
	}
	fmt.Printf("%v+%v\n", s.Addr(), s.AdminAddr())
	return s.Run(context.Background())
}

// reverse is httputil.ReverseProxy, which speaks to the upstream what it was spoken to.
func reverse(upstream string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	handler := func(p *http.Protocols) http.Handler {
		return &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: upstream}) },
			Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 512, Protocols: p},
			ErrorLog:  log.New(io.Discard, "", 0), // the load leaves in the middle of a request
		}
	}
	var one, two, either http.Protocols
	one.SetHTTP1(true)
	two.SetUnencryptedHTTP2(true)
	either.SetHTTP1(true)
	either.SetUnencryptedHTTP2(true)
	over1, over2 := handler(&one), handler(&two)
	s := &http.Server{Protocols: &either, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			over2.ServeHTTP(w, r)
		} else {
			over1.ServeHTTP(w, r)
		}
	})}
	return s.Serve(l)
}

// floor is the loop alone: nothing follows what it moves.
func floor(upstream string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return relay.New(relay.Config{
		Upstream: upstream, NewFollower: func() relay.Follower { return silent{} }, Failed: func(relay.Reason) {},
		Log: zap.NewNop(),
	}).Serve(l)
}

// silent is a follower that looks at nothing.
type silent struct{}

func (silent) Request([]byte, time.Time)  {}
func (silent) Response([]byte, time.Time) {}
func (silent) ClientFIN()                 {}
func (silent) ClientEnd(time.Time)        {}
func (silent) ServerEnd(time.Time, bool)  {}
func (silent) Waiting() int               { return 0 }
func (silent) Opaque() bool               { return true }
