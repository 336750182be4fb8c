package follow

import (
	"bytes"
	"math"
	"slices"
)

type framing struct {
	Head
	chunked, bad bool
}

// readHeaders reads the header lines of h, each ended by a newline.
func readHeaders(h []byte) framing {
	f := framing{Head: Head{Length: -1, HeaderLength: -1}}
	for len(h) > 0 && !f.bad {
		line := h
		if i := bytes.IndexByte(h, '\n'); i >= 0 {
			line, h = h[:i], h[i+1:]
		} else {
			h = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		k := bytes.IndexByte(line, ':')
		// A folded line, a bare CR or a blank before the colon is read differently by different servers.
		if k <= 0 || line[0] == ' ' || line[0] == '\t' || line[k-1] == ' ' || line[k-1] == '\t' || bytes.IndexByte(line, '\r') >= 0 {
			f.bad = true
			return f
		}
		f.header(line[:k], trim(line[k+1:]))
	}
	if f.chunked && f.Length >= 0 {
		f.bad = true
	}
	return f
}

func (f *framing) header(name, value []byte) {
	switch len(name) {
	case 12:
		if equalFold(name, "content-type") {
			f.ContentType = value
		}
	case 14:
		if equalFold(name, "content-length") {
			n, ok := decimal(value)
			if !ok || f.Length >= 0 {
				f.bad = true
			}
			f.Length = n
		}
	case 16:
		if equalFold(name, "content-encoding") && !equalFold(value, "identity") && len(value) > 0 {
			if f.Encoding != nil {
				value = slices.Concat(f.Encoding, []byte(", "), value)
			}
			f.Encoding = value
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			if f.chunked || !equalFold(value, "chunked") {
				f.bad = true
			}
			f.chunked = true
		}
	case 31:
		if equalFold(name, "inference-header-content-length") {
			n, ok := decimal(value)
			if !ok || f.HeaderLength >= 0 {
				n = math.MaxInt64
			}
			f.HeaderLength = n
		}
	}
}

// requestLine splits "METHOD SP target SP HTTP/1.x". The minor version is returned.
func requestLine(l []byte) (method, target []byte, minor byte, ok bool) {
	i := bytes.IndexByte(l, ' ')
	j := bytes.LastIndexByte(l, ' ')
	if i <= 0 || j <= i+1 {
		return nil, nil, 0, false
	}
	method, target = l[:i], l[i+1:j]
	for _, c := range method {
		if !tokenByte(c) {
			return nil, nil, 0, false
		}
	}
	v := l[j+1:]
	if bytes.IndexByte(target, ' ') >= 0 || len(v) != 8 || string(v[:7]) != "HTTP/1." || v[7] < '0' || v[7] > '1' {
		return nil, nil, 0, false
	}
	return method, target, v[7], true
}

// statusLine reads "HTTP/1.x NNN …".
func statusLine(l []byte) (status int, minor byte, ok bool) {
	if len(l) < 12 || string(l[:7]) != "HTTP/1." || l[7] < '0' || l[7] > '1' || l[8] != ' ' || len(l) > 12 && l[12] != ' ' {
		return 0, 0, false
	}
	for _, c := range l[9:12] {
		if c < '0' || c > '9' {
			return 0, 0, false
		}
		status = status*10 + int(c-'0')
	}
	return status, l[7], status >= 100 && status < 600
}

// chunkSize reads "hex[;extension]".
func chunkSize(l []byte) (int64, bool) {
	if i := bytes.IndexByte(l, ';'); i >= 0 {
		l = l[:i]
	}
	l = trim(l)
	if len(l) == 0 || len(l) > 12 {
		return 0, false
	}
	var n int64
	for _, c := range l {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int64(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int64(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

func decimal(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares b with lower, which is lower-case ASCII.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func tokenByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}
