package mlflow

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/leeway-dev/leeway/registry"
)

// Credentials are what a server may ask for. They are in no error.
type Credentials struct {
	// Username and Password are for Basic authentication. Those in the URI go
	// before them.
	Username, Password string
	// Token is for Bearer authentication, and counts where there is no name.
	Token string
	// CertFile holds certificates, as PEM, that are trusted besides the
	// system's; it may be empty.
	CertFile string
}

// FromEnvironment takes the credentials from the variables that MLflow's own
// clients use, as env gives them: MLFLOW_TRACKING_USERNAME and
// MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN, and
// MLFLOW_TRACKING_SERVER_CERT_PATH.
func FromEnvironment(env func(string) string) Credentials {
	return Credentials{
		Username: env("MLFLOW_TRACKING_USERNAME"),
		Password: env("MLFLOW_TRACKING_PASSWORD"),
		Token:    env("MLFLOW_TRACKING_TOKEN"),
		CertFile: env("MLFLOW_TRACKING_SERVER_CERT_PATH"),
	}
}

// Redact returns a registry's URI without the password that it may hold.
func Redact(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.User == nil {
		if before, after, ok := strings.Cut(uri, "@"); ok && strings.HasPrefix(uri, schemePrefix) {
			scheme, _, _ := strings.Cut(before, "://")
			return scheme + "://xxxxx@" + after
		}
		return uri
	}
	return u.Redacted()
}

func newClient(uri string, c Credentials) (*client, error) {
	invalid := func(what string) error {
		return fmt.Errorf("%w: registry %s: %s; want mlflow+http://host:port or mlflow+https://host", registry.ErrInvalid, Redact(uri), what)
	}
	u, err := url.Parse(strings.TrimPrefix(uri, schemePrefix))
	switch {
	case err != nil:
		return nil, invalid("not a URI")
	case u.Scheme != "http" && u.Scheme != "https" || !strings.HasPrefix(uri, schemePrefix):
		return nil, invalid("another scheme")
	case u.Hostname() == "":
		return nil, invalid("no host")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, invalid("a query or fragment")
	}
	client := &client{pause: firstPause}
	if u.User != nil {
		c.Username = u.User.Username()
		c.Password, _ = u.User.Password()
		u.User = nil
	}
	client.base = strings.TrimSuffix(u.String(), "/")
	request := &http.Request{Header: http.Header{}}
	switch {
	case c.Username != "" || c.Password != "":
		request.SetBasicAuth(c.Username, c.Password)
	case c.Token != "":
		request.Header.Set(authorization, "Bearer "+c.Token)
	}
	client.header = request.Header.Get(authorization)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	if c.CertFile != "" {
		if transport.TLSClientConfig, err = trusting(c.CertFile); err != nil {
			return nil, err
		}
	}
	client.http = &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return client, nil
}

// trusting is the system's trust and that in a file.
func trusting(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: certificates: %w", registry.ErrInvalid, err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: %s holds no certificate in PEM form", registry.ErrInvalid, file)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
