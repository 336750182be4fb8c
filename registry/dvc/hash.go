package dvc

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// chunk is how much DVC hashes at once: for the old hash it decides for each
// chunk anew whether it is text.
const chunk = 1 << 20

// sums are the hashes that DVC may have of a file: one, or for the old,
// text-normalised kind two. Until dvc-data 0.1 the first 512 bytes said of the
// whole file whether it is text, since then those of each MiB.
func sums(ctx context.Context, r io.Reader, legacy bool, progress func(int)) ([]string, error) {
	byChunk, byFile := md5.New(), md5.New()
	buf := make([]byte, chunk)
	for first, isText := true, false; ; first = false {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := io.ReadFull(r, buf)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		b := buf[:n]
		if progress != nil && n > 0 {
			progress(n)
		}
		if !legacy {
			byChunk.Write(b)
		} else {
			text := n > 0 && textual(b[:min(n, 512)])
			if first {
				isText = text
			}
			byChunk.Write(unix(b, text))
			byFile.Write(unix(b, isText))
		}
		if n < chunk {
			break
		}
	}
	all := []string{hex.EncodeToString(byChunk.Sum(nil))}
	if legacy {
		all = append(all, hex.EncodeToString(byFile.Sum(nil)))
	}
	return all, nil
}

func unix(b []byte, text bool) []byte {
	if !text {
		return b
	}
	return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
}

// textual is DVC's guess: no NUL, and at most 30% of what no text has.
func textual(b []byte) bool {
	odd := 0
	for _, c := range b {
		switch {
		case c == 0:
			return false
		case c >= 32 && c < 127, c == '\n', c == '\r', c == '\t', c == '\f', c == '\b':
		default:
			odd++
		}
	}
	return float64(odd)/float64(len(b)) <= 0.30
}

// member is a file of a directory.
type member struct {
	name string // below the directory, with slashes
	md5  string
}

// objectBytes is a directory's object as DVC writes it: Python's json.dumps of the
// files, sorted by name.
func objectBytes(members []member) ([]byte, error) {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	var b bytes.Buffer
	b.WriteByte('[')
	for i, m := range members {
		if !utf8.ValidString(m.name) {
			return nil, fmt.Errorf("the name %q is not UTF-8", m.name)
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`{"md5": "` + m.md5 + `", "relpath": `)
		dumps(&b, m.name)
		b.WriteByte('}')
	}
	b.WriteByte(']')
	return b.Bytes(), nil
}

func objectSum(members []member) (string, error) {
	b, err := objectBytes(members)
	if err != nil {
		return "", err
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:]) + ".dir", nil
}

// dumps is Python's json.dumps of a string: ASCII only.
func dumps(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == '\b':
			b.WriteString(`\b`)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
}

// The bounds of a directory.
const (
	maxMembers     = 1_000_000
	maxObjectBytes = 256 << 20
)

// parseObject reads a directory's object.
func parseObject(name string, b []byte) ([]member, error) {
	v, err := parseJSON(name, b, bounds{bytes: maxObjectBytes, nodes: 4 * maxMembers, depth: 4})
	if err != nil {
		return nil, err
	}
	items, err := field{file: name, v: v}.items()
	if err != nil {
		return nil, err
	}
	members := make([]member, 0, min(len(items), maxMembers))
	for _, e := range items {
		if len(members) == maxMembers {
			return nil, e.fail("more than %d files", maxMembers)
		}
		sum, err := e.at("md5").text()
		if err != nil {
			return nil, err
		}
		if !md5Form.MatchString(sum) || strings.HasSuffix(sum, ".dir") {
			return nil, e.at("md5").fail("%.40q is not an MD5", sum)
		}
		relpath := e.at("relpath")
		clean, ok, err := relpath.local("", "")
		if err != nil {
			return nil, err
		}
		if text, _ := relpath.v.(string); !ok || clean != text {
			return nil, relpath.fail("%.100q is no path below the directory", text)
		}
		members = append(members, member{clean, sum})
	}
	return members, nil
}
