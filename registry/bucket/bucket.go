// Package bucket makes the client that reaches S3, as the AWS tools do: what
// artifacts are read with and what registries are kept with is set up in one
// place.
package bucket

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Options say how S3 is reached. The zero value is what the AWS SDK finds in
// its environment.
type Options struct {
	// Endpoint of an S3-compatible server; "" leaves it to the SDK, which reads
	// AWS_ENDPOINT_URL. With any endpoint of one's own, buckets are addressed
	// by path.
	Endpoint string
	// Region; "" leaves it to the SDK, and is us-east-1 where that has none.
	Region string
	// Patience is how long the server may take to begin an answer; 30 s when 0.
	// A request is tried three times.
	Patience time.Duration
	// Wrap makes the HTTP client that is used of the one that would be; nil
	// leaves that as it is.
	Wrap func(s3.HTTPClient) s3.HTTPClient
}

// connections to one server that are kept open.
const connections = 32

// NewClient makes a client. It reaches nothing yet.
func NewClient(ctx context.Context, o Options) (*s3.Client, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("configuration for S3: %w", err)
	}
	c.Region = cmp.Or(o.Region, c.Region, "us-east-1")
	return s3.NewFromConfig(c, func(s *s3.Options) {
		if o.Endpoint != "" {
			s.BaseEndpoint = aws.String(o.Endpoint)
		}
		s.UsePathStyle = s.BaseEndpoint != nil
		// Checksums that a server does not need, many servers don't know.
		s.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		s.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		s.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.Backoff = retry.BackoffDelayerFunc(backoff)
			r.RateLimiter = ratelimit.None // the number of tries bounds them
		})
		if b, ok := s.HTTPClient.(*awshttp.BuildableClient); ok {
			s.HTTPClient = b.WithTransportOptions(func(t *http.Transport) {
				t.ResponseHeaderTimeout = cmp.Or(o.Patience, 30*time.Second)
				t.MaxIdleConnsPerHost = connections
			})
		}
		if o.Wrap != nil {
			s.HTTPClient = o.Wrap(s.HTTPClient)
		}
		s.HTTPClient = bounded{s.HTTPClient}
	}), nil
}

// backoff before a try: up to 0.1 s, then up to 0.2 s.
func backoff(attempt int, _ error) (time.Duration, error) {
	return time.Duration(rand.Int64N(int64(50*time.Millisecond) << min(attempt, 6))), nil
}
