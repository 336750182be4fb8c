package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// aged makes versions 1, 2, … that were registered so many days before noon.
func aged(days ...int) []registry.Version {
	var versions []registry.Version
	for i, d := range days {
		n := int64(i + 1)
		versions = append(versions, registry.Version{
			Model: "churn", Number: n, Created: noon.AddDate(0, 0, -d), Lifecycle: v1alpha1.Registered,
			Spec: registry.Numbered(registrytest.Spec("churn"), n),
		})
	}
	return versions
}

// served gives a version a time in service that ended so many days before noon.
func served(v *registry.Version, days int) {
	end := metav1.NewMicroTime(noon.AddDate(0, 0, -days))
	v.Audit = append(v.Audit,
		v1alpha1.AuditLine{Time: metav1.NewMicroTime(v.Created), From: v1alpha1.Registered, To: v1alpha1.Live},
		v1alpha1.AuditLine{Time: end, From: v1alpha1.Live, To: v1alpha1.Registered})
}

func TestRetain(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		name   string
		days   []int
		change func(v []registry.Version)
		inUse  map[int64]string
		r      registry.Retention
		want   string
	}{
		{"nothing is asked for", []int{900, 1}, nil, nil, registry.Retention{}, "1 within, 2 newest"},
		{"by age", []int{90, 40, 20, 1}, nil, nil, registry.Retention{OlderThan: 30 * day},
			"-1 too_old, -2 too_old, 3 within, 4 newest"},
		{"by count, the oldest first", []int{9, 8, 7, 6}, nil, nil, registry.Retention{Keep: 2},
			"-1 too_many, -2 too_many, 3 within, 4 newest"},
		{"the newest stays, whatever its age", []int{900, 800}, nil, nil, registry.Retention{OlderThan: day, Keep: 1},
			"-1 too_old, 2 newest"},
		{"rejected and retired ones go first", []int{9, 8, 7, 6, 5}, func(v []registry.Version) {
			v[2].Lifecycle, v[3].Lifecycle = v1alpha1.Rejected, v1alpha1.Retired
		}, nil, registry.Retention{Keep: 3}, "1 within, 2 within, -3 too_many, -4 too_many, 5 newest"},
		{"live, last good, and what may be on its way", []int{90, 80, 70, 60, 50}, func(v []registry.Version) {
			served(&v[0], 75)
			served(&v[1], 65)
			v[2].Lifecycle = v1alpha1.Live
		}, nil, registry.Retention{OlderThan: day, Keep: 1},
			"-1 too_old, 2 last_good, 3 live, 4 newer, 5 newer"},
		{"a rejected one is not last good, though it served last", []int{90, 80, 70}, func(v []registry.Version) {
			served(&v[0], 75)
			served(&v[1], 65)
			v[1].Lifecycle = v1alpha1.Rejected
			v[2].Lifecycle = v1alpha1.Live
		}, nil, registry.Retention{OlderThan: day}, "1 last_good, -2 too_old, 3 live"},
		{"a rejected one newer than live is not on its way", []int{90, 80}, func(v []registry.Version) {
			v[0].Lifecycle, v[1].Lifecycle = v1alpha1.Live, v1alpha1.Rejected
		}, nil, registry.Retention{OlderThan: day}, "1 live, -2 too_old"},
		{"several are live", []int{90, 80, 70}, func(v []registry.Version) {
			v[0].Lifecycle, v[2].Lifecycle = v1alpha1.Live, v1alpha1.Live
		}, nil, registry.Retention{Keep: 1}, "1 live, -2 too_many, 3 live"},
		{"parents of what stays, and not their parents", []int{9, 8, 7, 6}, func(v []registry.Version) {
			v[1].Spec.Lineage.Parent, v[2].Spec.Lineage.Parent, v[3].Spec.Lineage.Parent = 1, 2, 2
		}, nil, registry.Retention{Keep: 1}, "-1 too_many, 2 parent, -3 too_many, 4 newest"},
		{"what somebody else knows", []int{90, 80, 1}, nil, map[int64]string{1: "guard churn served it"}, registry.Retention{OlderThan: day},
			"1 in_use, -2 too_old, 3 newest"},
		{"age counts from the last change", []int{90, 80, 70}, func(v []registry.Version) {
			served(&v[0], 3)
			served(&v[1], 2)
		}, nil, registry.Retention{OlderThan: 30 * day}, "1 within, 2 last_good, 3 newest"},
		{"by age before by count", []int{90, 2, 1, 1}, func(v []registry.Version) { v[1].Lifecycle = v1alpha1.Rejected }, nil,
			registry.Retention{OlderThan: 30 * day, Keep: 3}, "-1 too_old, 2 within, 3 within, 4 newest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			versions := aged(tt.days...)
			if tt.change != nil {
				tt.change(versions)
			}
			rows, err := registry.Retain(versions, tt.r, tt.inUse, noon)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range rows {
				sign := ""
				if row.Goes {
					sign = "-"
				}
				got = append(got, fmt.Sprintf("%s%d %s", sign, row.Version.Number, row.Verdict))
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}

func TestRetainBySize(t *testing.T) {
	versions := aged(5, 4, 3, 2)
	all, err := registry.Retain(versions, registry.Retention{}, nil, noon)
	if err != nil {
		t.Fatal(err)
	}
	one := all[0].Bytes
	rows, err := registry.Retain(versions, registry.Retention{MaxBytes: 2*one + one/2}, nil, noon)
	if err != nil {
		t.Fatal(err)
	}
	for i, goes := range []bool{true, true, false, false} {
		if rows[i].Goes != goes || goes && rows[i].Verdict != registry.GoesSize {
			t.Errorf("version %d: goes %v (%s), want %v", i+1, rows[i].Goes, rows[i].Verdict, goes)
		}
	}
}
