package artifact

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// guarded keeps what the SDK knows of proxies and certificates, and refuses
// link-local addresses and redirects to another host.
func guarded(client s3.HTTPClient) s3.HTTPClient {
	b, ok := client.(*awshttp.BuildableClient)
	if !ok {
		return client
	}
	b = b.WithDialerOptions(func(d *net.Dialer) { d.Control = refusing(true) })
	return &http.Client{Transport: sameHost{b.GetTransport()}, Timeout: b.GetTimeout()}
}

func (c *Checker) digestS3(ctx context.Context, uri, rest string) (string, error) {
	bucket, key, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return "", fmt.Errorf("%s: %w: write s3://bucket/key", show(uri), ErrScheme)
	}
	client, err := c.client(ctx)
	if err != nil {
		return "", err
	}
	if key == "" || strings.HasSuffix(key, "/") {
		return c.content(ctx).digestPrefix(client, uri, bucket, key)
	}
	digest, err := c.content(ctx).digestObject(client, bucket, key)
	if err != nil {
		return "", explain(uri, err)
	}
	return digest, nil
}

func (k *content) digestObject(client *s3.Client, bucket, key string) (string, error) {
	o, err := client.GetObject(k.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer o.Body.Close()
	return k.sum(o.Body)
}

// digestPrefix reads all objects below a prefix, as the files of a folder.
func (k *content) digestPrefix(client *s3.Client, uri, bucket, prefix string) (string, error) {
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(k.ctx)
		if err != nil {
			return "", explain(uri, err)
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if strings.HasSuffix(key, "/") { // how some tools mark a folder
				continue
			}
			digest, err := k.digestObject(client, bucket, key)
			if err != nil {
				return "", explain(uri, err)
			}
			if err := k.add(strings.TrimPrefix(key, prefix), digest); err != nil {
				return "", fmt.Errorf("artifact %s: %w", show(uri), err)
			}
		}
	}
	if len(k.lines) == 0 {
		return "", fmt.Errorf("%s: %w: nothing lies below it", show(uri), ErrMissing)
	}
	return k.digest(), nil
}

// explain says what an answer of S3 means, and what to do.
func explain(uri string, err error) error {
	if key, bucket := (*types.NoSuchKey)(nil), (*types.NoSuchBucket)(nil); errors.As(err, &key) || errors.As(err, &bucket) {
		return fmt.Errorf("%s: %w: %w", show(uri), ErrMissing, err)
	}
	if errors.Is(err, errTooLarge) {
		return fmt.Errorf("artifact %s: %w", show(uri), err)
	}
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		return fmt.Errorf("artifact %s: %w: is AWS_ENDPOINT_URL right, and are there credentials? %w", show(uri), ErrUnreachable, err)
	}
	switch answer.HTTPStatusCode() {
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w: %w", show(uri), ErrMissing, err)
	case http.StatusForbidden, http.StatusUnauthorized:
		return fmt.Errorf("artifact %s: %w: the credentials may not read it: %w", show(uri), ErrUnreachable, err)
	}
	return fmt.Errorf("artifact %s: %w: %w", show(uri), ErrUnreachable, err)
}
