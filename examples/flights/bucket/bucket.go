// Package bucket keeps the example's artifacts and labelled rows in an
// S3-compatible store. Endpoint and credentials come from the environment, as
// every S3 client takes them.
package bucket

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Client reads and writes whole objects, named by s3:// URIs.
type Client struct{ s3 *s3.Client }

// Object is one entry of a listing.
type Object struct {
	URI      string
	Modified time.Time
}

// New makes a client from the environment (AWS_ENDPOINT_URL,
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION).
func New(ctx context.Context) (*Client, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	return &Client{s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = true
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})}, nil
}

func split(uri string) (bucket, key *string, err error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return nil, nil, fmt.Errorf("bucket: %q is not an s3:// URI", uri)
	}
	return aws.String(u.Host), aws.String(strings.TrimPrefix(u.Path, "/")), nil
}

// Create makes the bucket of a URI; one that exists already is fine.
func (c *Client) Create(ctx context.Context, uri string) error {
	bucket, _, err := split(uri)
	if err != nil {
		return err
	}
	if _, err := c.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket}); err == nil {
		return nil
	}
	_, err = c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
	return err
}

// Put writes an object.
func (c *Client) Put(ctx context.Context, uri string, data []byte) error {
	bucket, key, err := split(uri)
	if err != nil {
		return err
	}
	_, err = c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(data)})
	if err != nil {
		return fmt.Errorf("bucket: put %s: %w", uri, err)
	}
	return nil
}

// Get reads an object.
func (c *Client) Get(ctx context.Context, uri string) ([]byte, error) {
	bucket, key, err := split(uri)
	if err != nil {
		return nil, err
	}
	object, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		return nil, fmt.Errorf("bucket: get %s: %w", uri, err)
	}
	defer object.Body.Close()
	return io.ReadAll(object.Body)
}

// List names the objects below a URI, in order of their keys.
func (c *Client) List(ctx context.Context, uri string) ([]Object, error) {
	bucket, prefix, err := split(uri)
	if err != nil {
		return nil, err
	}
	var objects []Object
	pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("bucket: list %s: %w", uri, err)
		}
		for _, o := range page.Contents {
			objects = append(objects, Object{"s3://" + *bucket + "/" + aws.ToString(o.Key), aws.ToTime(o.LastModified)})
		}
	}
	return objects, nil
}
