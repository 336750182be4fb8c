package sidecar

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/keypair"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/receipts"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// forward puts the relay together.
func (s *Sidecar) forward(m *metrics.Metrics) (*relay.Relay, error) {
	cfg := relay.Config{
		Upstream: s.upstream, NewFollower: func() relay.Follower { return follow.New(s.observer) }, Failed: m.UpstreamError,
		Work: s.observer, Portable: s.cfg.Portable, Log: s.cfg.Log,
	}
	if s.issuer != nil {
		cfg.Room = s.issuer.Room()
		cfg.NewFollower = func() relay.Follower { return s.issuer.Follow(s.observer, s.observer.Inference) }
	}
	if s.cfg.TLSCert != "" {
		terms, err := s.terms()
		if err != nil {
			return nil, err
		}
		cfg.TLS = &relay.TLS{Config: terms, Failed: m.HandshakeError}
	}
	return relay.New(cfg), nil
}

// issue has receipts made, if they can be.
func (s *Sidecar) issue() (err error) {
	if s.cfg.Version == "" {
		return errors.New("receipts name the version that predicted, but it is not set: set the version, in a pod from its label leeway.dev/version, or ask for no receipts")
	}
	if s.issuer, err = receipts.New(s.cfg.Model, s.cfg.Version); err != nil {
		return fmt.Errorf("no receipt can name model %q, version %q: %w; use shorter names, or ask for no receipts", s.cfg.Model, s.cfg.Version, err)
	}
	return nil
}

// terms are those on which TLS is spoken to clients.
func (s *Sidecar) terms() (*tls.Config, error) {
	files, err := keypair.Open(s.cfg.TLSCert, s.cfg.TLSKey, s.cfg.Log)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		GetCertificate: files.Certificate, NextProtos: s.cfg.TLSProtocols, MinVersion: tls.VersionTLS12,
		DynamicRecordSizingDisabled: true, // small records first would be many writes, and networks of pods are near
	}, nil
}

// checkTLS refuses one file without the other, and protocols that nothing here reads.
func (s *Sidecar) checkTLS() error {
	if (s.cfg.TLSCert == "") != (s.cfg.TLSKey == "") {
		return errors.New("TLS needs both a certificate and its key: set both files, or neither")
	}
	for i, p := range s.cfg.TLSProtocols {
		if p != "http/1.1" && p != "h2" || slices.Contains(s.cfg.TLSProtocols[:i], p) {
			return fmt.Errorf("TLS protocols %q: want http/1.1, h2, or both", strings.Join(s.cfg.TLSProtocols, ","))
		}
	}
	return nil
}
