package decide_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// docs/decisions.md lists every cause and every reason, and no other.
func TestDocsListEveryWord(t *testing.T) {
	page, err := os.ReadFile("../../docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	words := declared(t, "reason.go", "Reason")
	maps.Copy(words, declared(t, "cause.go", ""))
	if len(words) < 60 {
		t.Fatalf("only %d words found in the source", len(words))
	}
	for word := range words {
		if !strings.Contains(string(page), "`"+word+"`") {
			t.Errorf("docs/decisions.md does not say what %s is", word)
		}
	}
	_, reasons, _ := strings.Cut(string(page), "## Reasons")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)`").FindAllStringSubmatch(reasons, -1) {
		if !words[row[1]] {
			t.Errorf("docs/decisions.md lists %s, which nothing says", row[1])
		}
	}
}

// declared are the words that constants of a file stand for, of those whose names
// begin with a prefix.
func declared(t *testing.T, file, prefix string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		if value, ok := spec.Values[0].(*ast.BasicLit); ok {
			word, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			words[word] = true
		}
		return true
	})
	delete(words, "")
	return words
}
