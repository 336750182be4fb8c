package kube_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

var errDied = errors.New("died")

// mortal is a client of a process that dies at its n-th write, before or after
// the server did it: from then on nothing comes of what it asks.
type mortal struct {
	client.WithWatch
	n      *int
	before bool
}

func (m mortal) write(do func() error) error {
	*m.n--
	switch {
	case *m.n < 0, *m.n == 0 && m.before:
		return errDied
	case *m.n == 0:
		_ = do()
		return errDied
	}
	return do()
}

func (m mortal) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if *m.n <= 0 {
		return errDied
	}
	return m.WithWatch.Get(ctx, key, o, opts...)
}

func (m mortal) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	return m.write(func() error { return m.WithWatch.Create(ctx, o, opts...) })
}

func (m mortal) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	return m.write(func() error { return m.WithWatch.Update(ctx, o, opts...) })
}

func (m mortal) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	return m.write(func() error { return m.WithWatch.Delete(ctx, o, opts...) })
}

func (m mortal) Status() client.SubResourceWriter { return mortalStatus{m.WithWatch.Status(), m} }

type mortalStatus struct {
	client.SubResourceWriter
	m mortal
}

func (s mortalStatus) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	return s.m.write(func() error { return s.SubResourceWriter.Update(ctx, o, opts...) })
}

// work is something of everything that writes. It can be done again after it
// died anywhere.
func work(ctx context.Context, s registry.Importer) error {
	decided := func(decision string) v1alpha1.ModelVersionSpec {
		spec := registrytest.Spec("churn")
		spec.Lineage.Decision = decision
		return spec
	}
	v, err := s.Register(ctx, decided("first"))
	if err != nil {
		return err
	}
	if v.Lifecycle == v1alpha1.Registered {
		if err := s.SetLifecycle(ctx, "churn", v.Number, v1alpha1.Registered, v1alpha1.Live, "worker", "begun"); err != nil {
			return err
		}
	}
	old := registry.Version{
		Model: "old", Number: 7, Created: time.Unix(1e9, 0).UTC(), Spec: registry.Numbered(registrytest.Spec("old"), 7), Lifecycle: v1alpha1.Retired,
		Audit: []v1alpha1.AuditLine{{From: v1alpha1.Registered, To: v1alpha1.Live, By: "ada"}, {From: v1alpha1.Live, To: v1alpha1.Retired, By: "bob"}},
	}
	if err := s.Import(ctx, old); err != nil {
		return err
	}
	if err := s.ImportDeletion(ctx, registry.Deletion{Model: "old", Number: 3, Time: time.Unix(1e9, 0), By: "ada"}); err != nil {
		return err
	}
	if v, err = s.Register(ctx, decided("second")); err != nil {
		return err
	}
	if err := s.Delete(ctx, "churn", v.Number, "worker", "done"); err != nil {
		return err
	}
	return nil
}

// A worker dies at every write it makes; the next one ends the work, and
// nothing was lost or done twice.
func TestDied(t *testing.T) {
	for _, before := range []bool{true, false} {
		for n := 1; ; n++ {
			c, left := newClient(t), n
			err := work(t.Context(), kube.New(mortal{c, &left, before}, "ml", time.Now))
			died := errors.Is(err, errDied)
			if err != nil && !died {
				t.Fatal(err)
			}
			when := fmt.Sprintf("write %d, before %v", n, before)
			s := open(c)
			if died {
				if err := work(t.Context(), s); err != nil {
					t.Errorf("%s: the next worker: %v", when, err)
				}
			}
			checkWork(t, s, when)
			if !died {
				if n < 10 {
					t.Errorf("the work has only %d writes", n-1)
				}
				break
			}
		}
	}
}

func checkWork(t *testing.T, s *kube.Store, when string) {
	t.Helper()
	got := ""
	for _, model := range []string{"churn", "old"} {
		vs, err := s.List(t.Context(), model)
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
		for _, v := range vs {
			got += fmt.Sprintf("%s-%d:%s/%d ", model, v.Number, v.Lifecycle, len(v.Audit))
		}
		ds, err := s.Deletions(t.Context(), model)
		if err != nil || len(ds) == 0 {
			t.Errorf("%s: deletions %v, %v", when, ds, err)
		}
		for _, d := range ds {
			if d.By == "" {
				t.Errorf("%s: nobody deleted version %d of %s", when, d.Number, d.Model)
			}
		}
	}
	if want := "churn-1:live/1 old-7:retired/2 "; got != want {
		t.Errorf("%s: got %s, want %s", when, got, want)
	}
}
