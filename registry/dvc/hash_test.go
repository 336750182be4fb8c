package dvc

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"os"
	"slices"
	"testing"
)

// The sums were made by dvc-data 3.18's "md5-dos2unix", and those of whole files
// as DVC 2 made them.
func TestLegacySums(t *testing.T) {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	csv := []byte("a,b\r\n1,2\r\n")
	tests := []struct {
		name  string
		b     []byte
		wants []string
	}{
		{"text", csv, []string{"e5ebd4c02cefbe7955977c67ada242b7"}},
		{"binary", append(bytes.Repeat(binary, 3), "\r\n"...), []string{"8b50894f8deaff3dc159f7b980063b4a"}},
		{"big", bytes.Repeat(csv, 250000), []string{"92e157120092a8c1c9adefbb3b93608e"}},
		{"mixed", append(bytes.Repeat(binary, 4096), bytes.Repeat(csv, 200)...), []string{"1fb61bb8795fe262db0d02e691d74bdb", "2cc5f9d549d1e46b27cddb070c7e8bbb"}},
		{"line end cut", append(bytes.Repeat([]byte("x"), 1<<20-1), "\r\ny\r\n"...), []string{"e1825541a28894307881fc219afcc49f"}},
		{"empty", nil, []string{"d41d8cd98f00b204e9800998ecf8427e"}},
	}
	for _, tt := range tests {
		seen := 0
		got, err := sums(context.Background(), bytes.NewReader(tt.b), true, func(n int) { seen += n })
		if err != nil || seen != len(tt.b) {
			t.Fatalf("%s: %v, %d of %d bytes told of", tt.name, err, seen, len(tt.b))
		}
		for _, want := range tt.wants {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %v, want %s among them", tt.name, got, want)
			}
		}
	}
}

func TestObject(t *testing.T) {
	for _, name := range []string{"testdata/names.dir", "testdata/dvc/object-18823678e8fcbdb8c3022aa64f24fb08.dir", "testdata/dvc/object-78588778c1df60a7898d736856333ee0.dir"} {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		members := []member{}
		if name == "testdata/names.dir" {
			for _, n := range []string{"b", "a/c", "a b", "a", "é", "\U0001F600", "z\"q\\", "tab\tx", "\x7f", "A", "\uffee"} {
				sum := md5.Sum([]byte(n))
				members = append(members, member{n, hex.EncodeToString(sum[:])})
			}
		} else if members, err = parseObject(name, want); err != nil {
			t.Fatal(err)
		}
		got, err := objectBytes(members)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %v\n%s\n%s", name, err, got, want)
		}
	}
	if sum, err := objectSum([]member{}); err != nil || sum != "d751713988987e9331980363e24189ce.dir" { // md5 of []
		t.Errorf("empty: %s, %v", sum, err)
	}
}
