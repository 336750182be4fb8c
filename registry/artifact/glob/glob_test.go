package glob_test

import (
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/artifact/glob"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"s3://models/churn/*", "s3://models/churn/1", true},
		{"s3://models/churn/*", "s3://models/churn2/1", false},
		{"s3://models/churn", "s3://models/churn", true},
		{"s3://models/churn", "s3://models/churn/1", false},
		{"*", "", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"a*a", "a", false},
		{strings.Repeat("*a", 1000) + "b", strings.Repeat("a", 10_000), false},
	} {
		if got := glob.Match(tt.pattern, tt.s); got != tt.want {
			t.Errorf("Match(%.20q, %.20q) = %v", tt.pattern, tt.s, got)
		}
	}
}
