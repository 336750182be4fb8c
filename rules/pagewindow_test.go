package rules_test

import (
	"testing"

	"github.com/leeway-dev/leeway/rules"
)

func TestPageWindow(t *testing.T) {
	for _, tt := range []struct {
		windows []string
		want    string
	}{
		{nil, ""},
		{[]string{"?"}, ""},
		{[]string{"10s"}, "10s"},
		{[]string{"5m", "1h", "15m", "4h"}, "1h"},
		{[]string{"4h", "1h", "5m"}, "1h"},
		{[]string{"1d", "4h", "?"}, "4h"},
	} {
		if got := rules.PageWindow(tt.windows); got != tt.want {
			t.Errorf("of %v: %q, want %q", tt.windows, got, tt.want)
		}
	}
}
