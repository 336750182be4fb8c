package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"time"
)

// identity is a user, or a server at hosts.
type identity struct {
	file        string // the name of its files
	user, group string
	hosts       []string
}

// authority is the cluster's CA.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// writePKI makes NAME.crt, NAME.key and NAME.kubeconfig for every user and
// server of the cluster. The API server's key also signs service-account tokens.
func (c *Cluster) writePKI(now time.Time) error {
	ids := []identity{
		{"apiserver", "kube-apiserver", "", []string{c.NodeIP(0), c.o.ServiceNet + ".0.1", "127.0.0.1", "localhost",
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}},
		{"admin", "admin", "system:masters", nil},
		{"controllers", "system:kube-controller-manager", "", nil},
		{"scheduler", "system:kube-scheduler", "", nil},
		{"proxy", "system:kube-proxy", "", nil},
		{"coredns", "system:coredns", "", nil},
		{"front-proxy", "front-proxy-client", "", nil},
	}
	for n := 1; n <= c.o.Nodes; n++ {
		name := c.NodeName(n)
		ids = append(ids, identity{name, "system:node:" + name, "system:nodes", []string{c.NodeIP(n), name}})
	}
	ca, err := c.newAuthority(now)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := c.issue(ca, id, now); err != nil {
			return fmt.Errorf("certificate of %s: %w", id.file, err)
		}
	}
	return nil
}

func (c *Cluster) newAuthority(now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert := certificate("cluster-ca", "", now)
	cert.IsCA, cert.BasicConstraintsValid, cert.ExtKeyUsage = true, true, nil
	cert.KeyUsage |= x509.KeyUsageCertSign
	ca := &authority{cert: cert, key: key}
	ca.pem, err = c.sign(ca, "ca", cert, key)
	return ca, err
}

// issue makes the files of one identity.
func (c *Cluster) issue(ca *authority, id identity, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert := certificate(id.user, id.group, now)
	for _, h := range id.hosts {
		if ip := net.ParseIP(h); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, h)
		}
	}
	certPEM, err := c.sign(ca, id.file, cert, key)
	if err != nil {
		return err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	b64 := base64.StdEncoding.EncodeToString
	return write(c.pki(id.file+".kubeconfig"), fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: leeway
clusters: [{name: leeway, cluster: {server: "https://%s:%d", certificate-authority-data: %s}}]
users: [{name: user, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: leeway, context: {cluster: leeway, user: user}}]
`, c.NodeIP(0), c.o.Port, b64(ca.pem), b64(certPEM), b64(keyPEM)))
}

// certificate is what all of the cluster's certificates have in common.
func certificate(user, group string, now time.Time) *x509.Certificate {
	cert := &x509.Certificate{
		Subject:     pkix.Name{CommonName: user},
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.AddDate(1, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if group != "" {
		cert.Subject.Organization = []string{group}
	}
	return cert
}

// sign writes a certificate and its key to files, and gives the certificate.
func (c *Cluster) sign(ca *authority, name string, cert *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return certPEM, errors.Join(write(c.pki(name+".crt"), certPEM), write(c.pki(name+".key"), keyPEM))
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
