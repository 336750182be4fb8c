package receipt_test

import (
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/receipt"
)

var at = time.Date(2026, 1, 2, 15, 4, 5, 678e6, time.UTC)

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		in   receipt.Receipt
		want string
	}{
		{receipt.Receipt{Model: "churn", Version: "7", Time: at, Nonce: 35}, "1.churn.7.mjx08awe.z"},
		{receipt.Receipt{Model: "a.b~", Version: "1.0 é", Time: time.UnixMilli(0)}, "1.a~2eb~7e.1~2e0~20~c3~a9.0.0"},
		{receipt.Receipt{Model: strings.Repeat("m", 63), Version: strings.Repeat("9", 19), Time: at, Nonce: math.MaxUint64},
			"1." + strings.Repeat("m", 63) + "." + strings.Repeat("9", 19) + ".mjx08awe.3w5e11264sgsf"},
	} {
		got, err := c.in.Encode()
		if err != nil || got != c.want {
			t.Errorf("%+v: %q, %v, want %q", c.in, got, err, c.want)
			continue
		}
		if url.PathEscape(got) != got || url.QueryEscape(got) != got || len(got) > receipt.MaxLen {
			t.Errorf("%q would have to be escaped, or is too long", got)
		}
		back, err := receipt.Parse(got)
		back.Time = back.Time.In(c.in.Time.Location())
		if err != nil || back != c.in {
			t.Errorf("%q: %+v, %v, want %+v", got, back, err, c.in)
		}
	}
}

func TestWhatHasNoReceipt(t *testing.T) {
	for _, c := range []struct {
		in   receipt.Receipt
		want error
	}{
		{receipt.Receipt{Version: "1", Time: at}, receipt.ErrInvalid},
		{receipt.Receipt{Model: "m", Time: at}, receipt.ErrInvalid},
		{receipt.Receipt{Model: "m", Version: "1"}, receipt.ErrInvalid}, // in the year 1
		{receipt.Receipt{Model: "m", Version: "1", Time: time.UnixMilli(1e14)}, receipt.ErrInvalid},
		{receipt.Receipt{Model: strings.Repeat("m", 110), Version: "1", Time: at}, receipt.ErrTooLong},
		{receipt.Receipt{Model: strings.Repeat(".", 40), Version: "1", Time: at}, receipt.ErrTooLong},
	} {
		if got, err := c.in.Encode(); !errors.Is(err, c.want) {
			t.Errorf("%+v: %q, %v, want %v", c.in, got, err, c.want)
		}
	}
}

// What is appended stands behind what was there, or leaves it alone.
func TestAppend(t *testing.T) {
	r := receipt.Receipt{Model: "churn", Version: "7", Time: at, Nonce: 35}
	got, err := r.Append([]byte("Receipt: "))
	if err != nil || string(got) != "Receipt: 1.churn.7.mjx08awe.z" {
		t.Errorf("%q, %v", got, err)
	}
	r.Model = strings.Repeat("m", 110)
	if got, err = r.Append([]byte("Receipt: ")); !errors.Is(err, receipt.ErrTooLong) || string(got) != "Receipt: " {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLongest(t *testing.T) {
	if n, err := receipt.Longest("churn", "7"); err != nil || n != len("1.churn.7.zg3d62r5r.3w5e11264sgsf") {
		t.Errorf("%d, %v", n, err)
	}
	for version, want := range map[string]error{"": receipt.ErrInvalid, strings.Repeat("v", 91): receipt.ErrTooLong} {
		if _, err := receipt.Longest("churn", version); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", version, err, want)
		}
	}
	if n, err := receipt.Longest("churn", strings.Repeat("v", 88)); err != nil || n != receipt.MaxLen {
		t.Errorf("%d, %v", n, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", "1", "1.m.1.0", "2.m.1.0.0", "1.m.1.0.0.0", "1..1.0.0", "1.m..0.0", "1.m.1.-1.0", "1.m.1.+1.0", "1.m.1.01.0",
		"1.m.1.0.Z", "1.m.1.0.-1", "1.m.1.0.", "1.m.1..0", "1.m m.1.0.0", "1.m~.1.0.0", "1.m~6d.1.0.0", "1.m~2E.1.0.0",
		"1.m~2.1.0.0", "1.m~zz.1.0.0", "1.m.1.zzzzzzzzzz.0", "1.m.1.0.zzzzzzzzzzzzzz",
		"1." + strings.Repeat("m", 120) + ".1.0.0",
	} {
		if r, err := receipt.Parse(s); !errors.Is(err, receipt.ErrInvalid) {
			t.Errorf("%q: %+v, %v", s, r, err)
		}
	}
}

// What is parsed is printed the same again, and what is printed is parsed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.churn.7.mjx08awe.z", "1.a~2eb~7e.1~2e0~20~c3~a9.0.0", "1.m~.1.0.0", "1.m.1.01.0", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := receipt.Parse(s)
		if err != nil {
			if !errors.Is(err, receipt.ErrInvalid) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if again, err := r.Encode(); err != nil || again != s {
			t.Errorf("%q: %+v, printed as %q, %v", s, r, again, err)
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add("churn", "7", int64(1767366245678), uint64(35))
	f.Add("a.b~\x00", "é", int64(-1), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, model, version string, millis int64, nonce uint64) {
		r := receipt.Receipt{Model: model, Version: version, Time: time.UnixMilli(millis).UTC(), Nonce: nonce}
		s, err := r.Encode()
		if err != nil {
			return
		}
		if back, err := receipt.Parse(s); err != nil || back != r || len(s) > receipt.MaxLen {
			t.Errorf("%+v: %q is read as %+v, %v", r, s, back, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	r := receipt.Receipt{Model: "churn", Version: "7", Time: at, Nonce: math.MaxUint64}
	for b.Loop() {
		_, _ = r.Encode()
	}
}

func BenchmarkAppend(b *testing.B) {
	r := receipt.Receipt{Model: "churn", Version: "7", Time: at, Nonce: math.MaxUint64}
	buf := make([]byte, 0, receipt.MaxLen)
	for b.Loop() {
		_, _ = r.Append(buf)
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		_, _ = receipt.Parse("1.churn.7.mjx08awe.3w5e11264sgsf")
	}
}
