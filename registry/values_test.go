package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func TestValuesAreBounded(t *testing.T) {
	many := map[string]v1alpha1.Value{}
	for i := range 1025 {
		many[fmt.Sprint(i)] = "1"
	}
	long := v1alpha1.Value(strings.Repeat("x", 4097))
	for _, tt := range []struct {
		values map[string]v1alpha1.Value
		says   string // "" where they are good
	}{
		{map[string]v1alpha1.Value{"params.yaml:train.lr": "0.1", "season": "winter"}, ""},
		{many, "1025 values"},
		{map[string]v1alpha1.Value{"": "1"}, "name"},
		{map[string]v1alpha1.Value{strings.Repeat("k", 1025): "1"}, "1025 bytes"},
		{map[string]v1alpha1.Value{"a": long}, "a has 4097 bytes"},
	} {
		for _, field := range []string{"params", "reported"} {
			spec := v1alpha1.ModelVersionSpec{Model: "churn", Artifact: v1alpha1.Artifact{URI: "s3://m/1"}}
			if field == "params" {
				spec.Params = tt.values
			} else {
				spec.Reported = tt.values
			}
			err := registry.Validate(spec)
			if tt.says == "" && err != nil || tt.says != "" && (!errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("%s %q: got %v", field, tt.says, err)
			}
		}
	}
}
