package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/leeway-dev/leeway/registry"
)

// ErrUnconditional says that the server ignores conditional writes: of several
// writers each would believe that it was first.
var ErrUnconditional = fmt.Errorf("%w: the server ignores conditional writes (If-None-Match: *), so versions would be lost and numbers given twice; use a server that has them, such as Amazon S3, MinIO, Ceph or versitygw in a current version, or a registry dir: or kube:", registry.ErrInvalid)

// racers is how many writers are after one name when the server is probed.
const racers = 4

// ready probes the server before the first write. What it found out holds for
// as long as the Store is used; only an answer is remembered, no failure.
func (s *Store) ready(ctx context.Context) error {
	s.probing.Lock()
	defer s.probing.Unlock()
	if s.probed {
		return nil
	}
	if err := s.probe(ctx); err != nil {
		return err
	}
	s.probed = true
	return nil
}

func (s *Store) probe(ctx context.Context) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	key := s.prefix + ".probe/" + rand.Text()
	defer func() { // left there when the credentials may not delete: 1 byte
		_, _ = c.DeleteObject(context.WithoutCancel(ctx), &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	}()
	errs := make([]error, racers)
	race := func() {
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = c.PutObject(ctx, &s3.PutObjectInput{
					Bucket: &s.bucket, Key: &key, Body: bytes.NewReader([]byte{'a' + byte(i)}), IfNoneMatch: aws.String("*"),
				}, func(o *s3.Options) { o.RetryMaxAttempts = 1; o.Retryer = aws.NopRetryer{} })
			})
		}
		wg.Wait()
	}
	race()
	first, err := s.winners(errs)
	if err != nil {
		return err
	}
	race() // the name is taken: nobody may win
	second, err := s.winners(errs)
	if err != nil {
		return err
	}
	if len(first) > 1 || len(second) > 0 {
		return fmt.Errorf("%s: %w (%d of %d writers were first, and %d more after them)", s, ErrUnconditional, len(first), racers, len(second))
	}
	there, _, err := s.get(ctx, key)
	if errors.Is(err, errAbsent) || len(first) == 0 && err == nil {
		return fmt.Errorf("%s: %w: none of %d writers of one name was answered that it was first; try again", s, registry.ErrUnreachable, racers)
	}
	if err != nil {
		return err
	}
	if want := []byte{'a' + byte(first[0])}; !bytes.Equal(there, want) {
		return fmt.Errorf("%s: %w (writer %s was told that it was first, and %q is there)", s, ErrUnconditional, want, there)
	}
	return nil
}

// winners of a race; any error that is not about the race is returned.
func (s *Store) winners(errs []error) ([]int, error) {
	var won []int
	for i, err := range errs {
		switch code := status(err); {
		case err == nil:
			won = append(won, i)
		case code != http.StatusPreconditionFailed && code != http.StatusConflict:
			return nil, s.explain(err, "write "+s.prefix+".probe/")
		}
	}
	return won, nil
}
