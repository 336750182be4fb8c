package artifact

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// errHost: a host that is not to be asked.
var errHost = errors.New("refused")

// newTransport is for requests to a host that is allowed. Others, as those that
// give out a registry's tokens, must be public; no redirect leads to another
// host, and nothing to a link-local address, where clouds keep credentials. With
// proxy, that of the environment is used.
func newTransport(host string, proxy bool) http.RoundTripper {
	named, _, err := net.SplitHostPort(host)
	if err != nil {
		named = host
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: 5 * time.Second, Control: refusing(strings.EqualFold(dialed, named))}
		return d.DialContext(ctx, network, address)
	}
	if !proxy { // which looks up the names of hosts itself, and so goes past the check
		t.Proxy = nil
	}
	t.ResponseHeaderTimeout = 10 * time.Second
	t.MaxResponseHeaderBytes = 64 << 10
	t.DisableKeepAlives = true
	return sameHost{t}
}

// refusing looks at the address that a name has led to.
func refusing(named bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := at.Addr().Unmap().WithZone("")
		switch {
		case metadata(ip):
			return fmt.Errorf("%s: %w: link-local and metadata addresses are never asked", address, errHost)
		case !named && (ip.IsPrivate() || ip.IsLoopback()):
			return fmt.Errorf("%s: %w: only a host that a pattern names may have a private address", address, errHost)
		}
		return nil
	}
}

// metadata says that a cloud's credentials may be at an address. Besides
// link-local ones that is one of AWS's for IPv6 and Alibaba's.
func metadata(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() ||
		ip == netip.MustParseAddr("fd00:ec2::254") || ip == netip.MustParseAddr("100.100.100.200")
}

// sameHost refuses redirects to another host.
type sameHost struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (s sameHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Response != nil && r.Response.Request != nil && !strings.EqualFold(r.Response.Request.URL.Host, r.URL.Host) {
		return nil, fmt.Errorf("%w: %s redirects to another host, %s", errHost, r.Response.Request.URL.Host, r.URL.Host)
	}
	return s.RoundTripper.RoundTrip(r)
}
