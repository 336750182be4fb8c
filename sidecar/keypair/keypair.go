// Package keypair keeps a certificate and its private key, as they are in two files now.
//
// Whoever renews certificates replaces the files, often by turning a link (a Secret's volume), and tells nobody. So the
// files are read again when a client asks for the certificate and the last look was a few seconds ago: there is no
// watcher to lose an event, and no goroutine. What is no valid pair is logged once, and the old one stays.
package keypair

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Every is how long after a look at the files nobody looks again.
const Every = 2 * time.Second

// Files are a certificate chain and its key in PEM. Safe for concurrent use.
type Files struct {
	cert, key string
	log       *zap.Logger
	pair      atomic.Pointer[tls.Certificate]

	looking sync.Mutex // guards what follows
	looked  time.Time
	chain   []byte // what the files held then
	private []byte
	invalid error  // why that is no pair
	problem string // that was logged last
}

// Open reads the files, which must hold a valid pair.
func Open(cert, key string, log *zap.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log, looked: time.Now()}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Certificate is for tls.Config.GetCertificate. While one handshake looks at the files, others take what is there.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if f.looking.TryLock() {
		defer f.looking.Unlock()
		if now := time.Now(); now.Sub(f.looked) >= Every {
			f.looked = now
			f.look()
		}
	}
	return f.pair.Load(), nil
}

// look takes what is new, if it is valid.
func (f *Files) look() {
	err := f.read()
	if err == nil {
		f.problem = ""
	} else if err.Error() != f.problem {
		f.problem = err.Error()
		f.log.Warn("the new certificate is not taken, the old one stays", zap.Error(err))
	}
}

// read takes the pair in the files, unless they hold what they held before.
func (f *Files) read() error {
	chain, err := os.ReadFile(f.cert)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	private, err := os.ReadFile(f.key)
	if err != nil {
		return fmt.Errorf("key of the certificate: %w", err)
	}
	if bytes.Equal(chain, f.chain) && bytes.Equal(private, f.private) {
		return f.invalid
	}
	f.chain, f.private = chain, private
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		f.invalid = fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
		return f.invalid
	}
	f.invalid = nil
	f.pair.Store(&pair)
	f.log.Info("certificate taken", zap.String("file", f.cert), zap.Time("not_after", pair.Leaf.NotAfter))
	return nil
}
