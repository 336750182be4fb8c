package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/leeway-dev/leeway/registry"
)

// The limits of what is read: of one object, and of one listing.
const (
	maxDocument = 128 << 20
	maxListing  = 500_000
	pageSize    = 1000
)

// tries of a create whose outcome is not known.
const tries = 5

var (
	errTaken  = errors.New("the name is taken")
	errAbsent = errors.New("no such object")
)

// object is one line of a listing.
type object struct {
	key, etag string
	size      int64
}

// get reads an object.
func (s *Store) get(ctx context.Context, key string) (body []byte, etag string, err error) {
	c, err := s.client(ctx)
	if err != nil {
		return nil, "", err
	}
	o, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if missing := (*types.NoSuchKey)(nil); errors.As(err, &missing) || status(err) == http.StatusNotFound && !isNoBucket(err) {
		return nil, "", errAbsent
	}
	if err != nil {
		return nil, "", s.explain(err, "read "+key)
	}
	defer o.Body.Close()
	b, err := io.ReadAll(io.LimitReader(o.Body, maxDocument+1))
	if err != nil {
		return nil, "", s.explain(err, "read "+key)
	}
	if len(b) > maxDocument {
		return nil, "", fmt.Errorf("%s: %s: %w: it has more than %d bytes", s, key, registry.ErrInvalid, maxDocument)
	}
	return b, aws.ToString(o.ETag), nil
}

// create writes a new object, or returns errTaken. The body must hold a mark of
// its own: what the server says can be about a write of ours that came through
// before, its answer lost.
func (s *Store) create(ctx context.Context, key string, body []byte) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body), IfNoneMatch: aws.String("*"),
			ContentType: aws.String("application/json"),
		})
		if err == nil {
			return nil
		}
		if code := status(err); ctx.Err() != nil || code >= 400 && code < 500 && code != http.StatusPreconditionFailed && code != http.StatusConflict {
			return s.explain(err, "write "+key)
		}
		there, _, readErr := s.get(ctx, key)
		switch {
		case readErr == nil && bytes.Equal(there, body):
			return nil
		case readErr == nil:
			return errTaken
		case !errors.Is(readErr, errAbsent):
			return s.explain(fmt.Errorf("%w (and it can't be told whether it was written: %w)", err, readErr), "write "+key)
		case try == tries-1:
			return s.explain(err, "write "+key)
		}
		if err := pause(ctx, try); err != nil {
			return s.explain(err, "write "+key)
		}
	}
}

// empty leaves nothing of an object but its name.
func (s *Store) empty(ctx context.Context, key string) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(nil)})
	if err != nil {
		return s.explain(err, "empty "+key)
	}
	return nil
}

// page lists up to a thousand objects below a prefix, behind a key.
func (s *Store) page(ctx context.Context, prefix, after string) (objects []object, more bool, err error) {
	c, err := s.client(ctx)
	if err != nil {
		return nil, false, err
	}
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix, MaxKeys: aws.Int32(pageSize)}
	if after != "" {
		in.StartAfter = &after
	}
	out, err := c.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, false, s.explain(err, "list "+prefix)
	}
	for _, o := range out.Contents {
		key := aws.ToString(o.Key)
		if key <= after || !strings.HasPrefix(key, prefix) {
			return nil, false, fmt.Errorf("%s: list %s: %w: the server lists %.200q, which is not behind %.200q there", s, prefix, registry.ErrInvalid, key, after)
		}
		objects = append(objects, object{key: key, etag: aws.ToString(o.ETag), size: aws.ToInt64(o.Size)})
		after = key
	}
	return objects, aws.ToBool(out.IsTruncated) && len(objects) > 0, nil
}

// pages lists all objects below a prefix, in their order, a page at a time, until
// use has enough.
func (s *Store) pages(ctx context.Context, prefix string, use func([]object) (enough bool)) error {
	after, n := "", 0
	for {
		objects, more, err := s.page(ctx, prefix, after)
		if err != nil || use(objects) || !more {
			return err
		}
		if n += len(objects); n > maxListing {
			return fmt.Errorf("%s: %w: %s has more than %d objects", s, registry.ErrTooLarge, prefix, maxListing)
		}
		after = objects[len(objects)-1].key
	}
}

// list lists all objects below a prefix.
func (s *Store) list(ctx context.Context, prefix string) (all []object, err error) {
	err = s.pages(ctx, prefix, func(objects []object) bool {
		all = append(all, objects...)
		return false
	})
	return all, err
}

// folders lists the names of the folders below the registry's prefix.
func (s *Store) folders(ctx context.Context) ([]string, error) {
	c, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	token := ""
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &s.prefix, Delimiter: aws.String("/")})
	for n := 0; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain(err, "list "+s.prefix)
		}
		for _, p := range page.CommonPrefixes {
			if name, ok := strings.CutPrefix(strings.TrimSuffix(aws.ToString(p.Prefix), "/"), s.prefix); ok {
				names = append(names, name)
			}
		}
		if max(len(names), n) > maxListing {
			return nil, fmt.Errorf("%s: %w: more than %d models", s, registry.ErrTooLarge, maxListing)
		}
		next := aws.ToString(page.NextContinuationToken)
		if next == token && aws.ToBool(page.IsTruncated) {
			return nil, fmt.Errorf("%s: list %s: %w: the server's listing does not go on", s, s.prefix, registry.ErrInvalid)
		}
		token = next
	}
	return names, nil
}

// pause waits a time by chance, longer with every try: writers that were in
// each other's way are so no longer.
func pause(ctx context.Context, try int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(rand.Int64N(int64(4*time.Millisecond) << min(try, 6)))):
		return nil
	}
}

// status of an answer, 0 when there was none.
func status(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

func isNoBucket(err error) bool {
	var answer smithy.APIError // not every operation has a type for it
	return errors.As(err, &answer) && answer.ErrorCode() == "NoSuchBucket"
}

// explain says what an answer of S3 means to the user of a registry, and what
// to do.
func (s *Store) explain(err error, doing string) error {
	for _, known := range []error{registry.ErrInvalid, registry.ErrForbidden, registry.ErrUnreachable, registry.ErrTooLarge} {
		if errors.Is(err, known) {
			return err
		}
	}
	switch code := status(err); {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %s: %w: %w", s, doing, registry.ErrUnreachable, err)
	case isNoBucket(err):
		return fmt.Errorf("%s: %w: there is no such bucket; make it, or look for a typing error: %w", s, registry.ErrUnreachable, err)
	case code == http.StatusForbidden, code == http.StatusUnauthorized:
		return fmt.Errorf("%s: %w: the credentials may not %s; docs/registry.md has the rights that are needed: %w", s, registry.ErrForbidden, doing, err)
	case code == http.StatusNotImplemented:
		return fmt.Errorf("%s: %w: the server can't %s: %w", s, ErrUnconditional, doing, err)
	case code == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%s: %w: the server does not take objects of this size: %w", s, registry.ErrTooLarge, err)
	case code == 0:
		return fmt.Errorf("%s: %s: %w: is AWS_ENDPOINT_URL right, and are there credentials? %w", s, doing, registry.ErrUnreachable, err)
	}
	return fmt.Errorf("%s: %s: %w: %w", s, doing, registry.ErrUnreachable, err)
}
