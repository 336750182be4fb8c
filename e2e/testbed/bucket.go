package testbed

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bucket writes to an S3 server, as a team's pipeline would. It signs by hand:
// what this module requires, it shares with Kubernetes.
type Bucket struct{ endpoint, key, secret string }

// Put writes an object, or makes a bucket where the path is only its name.
func (b Bucket) Put(path string, content []byte) error {
	request, err := http.NewRequest(http.MethodPut, b.endpoint+"/"+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	b.sign(request, content, time.Now().UTC())
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 1000))
		return fmt.Errorf("put %s: %s: %s", path, answer.Status, said)
	}
	return nil
}

// sign adds a signature of AWS's version 4.
func (b Bucket) sign(r *http.Request, content []byte, now time.Time) {
	const signed = "host;x-amz-content-sha256;x-amz-date"
	sum, at, day := hash(content), now.Format("20060102T150405Z"), now.Format("20060102")
	r.Header.Set("X-Amz-Content-Sha256", sum)
	r.Header.Set("X-Amz-Date", at)
	canonical := fmt.Sprintf("%s\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n%s\n%s",
		r.Method, r.URL.EscapedPath(), r.Host, sum, at, signed, sum)
	scope := day + "/us-east-1/s3/aws4_request"
	key := []byte("AWS4" + b.secret)
	for _, part := range []string{day, "us-east-1", "s3", "aws4_request"} {
		key = mac(key, part)
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+at+"\n"+scope+"\n"+hash([]byte(canonical))))
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", b.key, scope, signed, signature))
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, text)
	return h.Sum(nil)
}
