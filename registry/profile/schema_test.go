package profile_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

const schemaFile = "../../docs/profile.schema.json"

// Others write profiles by the schema, so it has the fields that Parse knows, and no others.
func TestSchemaFields(t *testing.T) {
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type object struct{ Properties map[string]any }
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		fields object
		of     any
	}{
		{"profile", schema.object, profile.Profile{}},
		{"column", schema.Defs["column"], profile.Column{}},
		{"bin", schema.Defs["bin"], profile.Bin{}},
		{"error", schema.Defs["error"], profile.BinError{}},
		{"blocks", schema.Defs["blocks"], profile.BlockDistances{}},
		{"quantiles", schema.Defs["quantiles"], profile.Quantiles{}},
	} {
		var want []string
		for field := range reflect.TypeOf(tt.of).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			want = append(want, name)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(tt.fields.Properties))); diff != "" {
			t.Errorf("%s (-code +schema):\n%s", tt.name, diff)
		}
	}
}

// What the schema says of a profile is what Parse says, where a schema can tell.
func TestSchemaAgrees(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := dataset.FromCSV("train.csv", strings.NewReader("a,b,y\n1,x,0\n2,y,1\n3,,1\n"), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	good, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, old, new string
		good           bool
	}{
		{"as it is", "", "", true},
		{"another format", "profile/v1", "profile/v2", false},
		{"an unknown field", `"rows":3,`, `"rows":3,"more":1,`, false},
		{"rows below 0", `"rows":3,`, `"rows":-3,`, false},
		{"a column without a name", `"name":"a",`, ``, false},
		{"a type that is none", `"type":"category"`, `"type":"date"`, false},
		{"numbers with names", `"type":"category"`, `"type":"number"`, false},
		{"a bin that is none", `"far_over"`, `"far"`, false},
		{"a count that is text", `"count":1}`, `"count":"1"}`, false},
		{"clustering below 1", `"name":"a",`, `"name":"a","clustering":{"1h":0.5},`, false},
		{"clustering of no window", `"name":"a",`, `"name":"a","clustering":{"1s":1.5},`, false},
		{"an excess", `"count":1}`, `"count":1,"excess":-0.25}`, true},
		{"an excess beyond 1", `"count":1}`, `"count":1,"excess":1.25}`, false},
		{"clustering", `"name":"a",`, `"name":"a","clustering":{"1h":1.5},`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(string(good), tt.old, tt.new, 1)
			if tt.old != tt.new && text == string(good) {
				t.Fatalf("%s is not in %s", tt.old, good)
			}
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); (err == nil) != tt.good {
				t.Errorf("schema: %v", err)
			}
			if _, err := profile.Parse([]byte(text)); (err == nil) != tt.good {
				t.Errorf("Parse: %v", err)
			}
		})
	}
}
