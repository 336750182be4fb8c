package artifact

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

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
		return digestPrefix(ctx, client, uri, bucket, key)
	}
	digest, err := digestObject(ctx, client, bucket, key)
	if err != nil {
		return "", explain(uri, err)
	}
	return digest, nil
}

func digestObject(ctx context.Context, client *s3.Client, bucket, key string) (string, error) {
	o, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer o.Body.Close()
	return sum(ctx, o.Body)
}

// digestPrefix reads all objects below a prefix, as the files of a folder.
func digestPrefix(ctx context.Context, client *s3.Client, uri, bucket, prefix string) (string, error) {
	var f folder
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", explain(uri, err)
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if strings.HasSuffix(key, "/") { // how some tools mark a folder
				continue
			}
			digest, err := digestObject(ctx, client, bucket, key)
			if err != nil {
				return "", explain(uri, err)
			}
			if err := f.add(strings.TrimPrefix(key, prefix), digest); err != nil {
				return "", fmt.Errorf("artifact %s: %w", show(uri), err)
			}
		}
	}
	if len(f.lines) == 0 {
		return "", fmt.Errorf("%s: %w: nothing lies below it", show(uri), ErrMissing)
	}
	return f.digest(), nil
}

// explain says what an answer of S3 means, and what to do.
func explain(uri string, err error) error {
	if key, bucket := (*types.NoSuchKey)(nil), (*types.NoSuchBucket)(nil); errors.As(err, &key) || errors.As(err, &bucket) {
		return fmt.Errorf("%s: %w: %w", show(uri), ErrMissing, err)
	}
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		return fmt.Errorf("artifact %s: is AWS_ENDPOINT_URL right, and are there credentials? %w", show(uri), err)
	}
	switch answer.HTTPStatusCode() {
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w: %w", show(uri), ErrMissing, err)
	case http.StatusForbidden, http.StatusUnauthorized:
		return fmt.Errorf("artifact %s: the credentials may not read it: %w", show(uri), err)
	}
	return fmt.Errorf("artifact %s: %w", show(uri), err)
}
