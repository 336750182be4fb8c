package protocol_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/registry/profile/summary"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

var kinds = []protocol.Kind{
	protocol.V1, protocol.V2, protocol.MLflow, protocol.TFServing, protocol.Seldon, protocol.CSV,
}

// Whatever comes, a body is told wholly or not at all, within a second, and every column has a value for every row.
func fuzzMessage(t *testing.T, m protocol.Message, answer bool) {
	s := newSheet("a", "b", "c")
	fuzzTable(t, m, answer, s, s)
	l := &pupil{sheet: newSheet("a", "b")}
	fuzzTable(t, m, answer, l, l.sheet)
	v := vectored()
	fuzzTable(t, m, answer, v, v)
	v = vectored()
	v.names, v.classes = append(v.names, "i[size]", summary.Highest), []int{0, 2}
	fuzzTable(t, m, answer, v, v)
	l = &pupil{sheet: vectored()}
	fuzzTable(t, m, answer, l, l.sheet)
}

// fuzzTable reads a body into a table that writes into a sheet.
func fuzzTable(t *testing.T, m protocol.Message, answer bool, table protocol.Table, s *sheet) {
	var p protocol.Parser
	read := p.Features
	if answer {
		read = p.Predictions
	}
	start := time.Now()
	err := read(m, table)
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
	if err != nil {
		if s.n+s.unknown+len(s.columns) > 0 {
			t.Fatalf("refused with %v, but told %s", err, s)
		}
		return
	}
	for _, name := range s.names {
		if values := s.columns[name]; len(values) != s.n {
			t.Fatalf("%d rows, but column %s has %d values", s.n, name, len(values))
		}
	}
}

// seeds calls add with the bodies of the tables and transcripts that are of one of the forms.
func seeds(f *testing.F, add func(m protocol.Message, answer bool), forms ...protocol.Form) {
	f.Helper()
	is := func(m protocol.Message) bool {
		for _, form := range forms {
			if m.Form == form && m.Kind != protocol.Other {
				return true
			}
		}
		return false
	}
	for _, c := range tables {
		if m := c.message(); len(m.Body) < 4096 && is(m) {
			add(m, false)
		}
	}
	for _, c := range answers {
		if m := c.message(); is(m) {
			add(m, true)
		}
	}
	for _, c := range vectors {
		if is(c.message) {
			add(c.message, false)
		}
	}
	files, _ := filepath.Glob("testdata/*/*.req")
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".req")
		req := readRequest(f, name)
		m := request(f, req)
		if is(m) {
			add(m, false)
		}
		if resp := readResponse(f, name, req); resp != nil {
			if m = response(f, m, resp); is(m) {
				add(m, true)
			}
		}
	}
	files, _ = filepath.Glob("testdata/*/grpc/*.bin")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if m := (protocol.Message{Kind: protocol.V2, Form: protocol.FormGRPC, Body: b}); is(m) {
			add(m, strings.Contains(file, "response"))
		}
	}
}

func FuzzJSON(f *testing.F) {
	seeds(f, func(m protocol.Message, answer bool) {
		for i, k := range kinds {
			if k == m.Kind {
				f.Add(uint8(i), answer, m.Body)
			}
		}
	}, protocol.FormJSON)
	f.Fuzz(func(t *testing.T, kind uint8, answer bool, body []byte) {
		fuzzMessage(t, protocol.Message{Kind: kinds[int(kind)%len(kinds)], Body: body}, answer)
	})
}

func FuzzCSV(f *testing.F) {
	seeds(f, func(m protocol.Message, answer bool) { f.Add(m.Kind == protocol.MLflow, answer, m.Body) }, protocol.FormCSV)
	f.Fuzz(func(t *testing.T, mlflow, answer bool, body []byte) {
		m := protocol.Message{Kind: protocol.CSV, Form: protocol.FormCSV, Body: body}
		if mlflow {
			m.Kind = protocol.MLflow
		}
		fuzzMessage(t, m, answer)
	})
}

func FuzzBinary(f *testing.F) {
	seeds(f, func(m protocol.Message, answer bool) { f.Add(answer, m.HeaderLength, m.Body) }, protocol.FormBinary)
	f.Fuzz(func(t *testing.T, answer bool, header int64, body []byte) {
		if header < 0 { // a length is without sign
			return
		}
		m := protocol.Message{Kind: protocol.V2, Form: protocol.FormBinary, HeaderLength: header, Body: body}
		fuzzMessage(t, m, answer)
	})
}

func FuzzGRPC(f *testing.F) {
	seeds(f, func(m protocol.Message, answer bool) { f.Add(answer, false, m.Body) }, protocol.FormGRPC, protocol.FormGRPCStream)
	f.Fuzz(func(t *testing.T, answer, stream bool, body []byte) {
		m := protocol.Message{Kind: protocol.V2, Form: protocol.FormGRPC, Body: body}
		if stream {
			m.Form = protocol.FormGRPCStream
		}
		fuzzMessage(t, m, answer)
	})
}

// Strings are read as encoding/json reads them, and what it refuses is refused.
func FuzzString(f *testing.F) {
	for _, text := range []string{`"x"`, `"\u00e9\n\\"`, `"0123456789\"0123456789é"`, `"\ud83d\ude00"`, `"\q"`, "\"\x01\""} {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, pad int) {
		if !strings.HasPrefix(text, `"`) || !utf8.ValidString(text) {
			return
		}
		var p protocol.Parser
		var got list
		body := `{"predictions":[` + text + strings.Repeat(" ", pad&15) + `]}`
		err := p.Predictions(protocol.Message{Kind: protocol.V1, Body: []byte(body)}, &got)
		var want struct{ Predictions []string }
		if json.Unmarshal([]byte(body), &want) != nil || len(want.Predictions) != 1 {
			return
		}
		if err != nil || len(got) != 1 || string(got[0].Text) != want.Predictions[0] {
			t.Errorf("%s: %v, %v; want %q", body, got, err, want.Predictions[0])
		}
	})
}
