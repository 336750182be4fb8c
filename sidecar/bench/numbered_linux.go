package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// numbered makes requests and answers that follow from a number, in every byte and in their length, so that both ends
// know what the other has sent.
type numbered struct {
	rows []string // of numbers, as JSON has them
	text string
}

const (
	idField  = `{"id":"`
	idDigits = 12
	maxRows  = 8
	maxText  = 2000
)

func newNumbered() *numbered {
	r := rand.New(rand.NewPCG(5, 6))
	m := &numbered{rows: make([]string, 1024)}
	for i := range m.rows {
		values := make([]string, columns)
		for k := range values {
			values[k] = strconv.FormatFloat(float64(r.IntN(100_000))/100, 'g', -1, 64)
		}
		m.rows[i] = strings.Join(values, ",")
	}
	text := make([]byte, maxText+len(m.rows))
	for i := range text {
		text[i] = byte('a' + r.IntN(26))
	}
	m.text = string(text)
	return m
}

// request is number n: a V2 inference request of one to eight rows.
func (m *numbered) request(b []byte, n uint64) []byte {
	rows := 1 + n%maxRows
	b = append(b[:0], "POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"...)
	return m.body(b, n, func(b []byte) []byte {
		b = fmt.Appendf(b, `"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP64","data":[`, rows, columns)
		for i := range rows {
			b = append(append(b, m.rows[(n*7+i*i)%uint64(len(m.rows))]...), ',')
		}
		return append(b[:len(b)-1], "]}]}"...)
	})
}

// answer is the one to number n: a prediction for each row, and text of some length.
func (m *numbered) answer(b []byte, n uint64) []byte {
	rows := 1 + n%maxRows
	b = append(b[:0], "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"...)
	return m.body(b, n, func(b []byte) []byte {
		b = fmt.Appendf(b, `"outputs":[{"name":"y","shape":[%d],"datatype":"FP64","data":[`, rows)
		for i := range rows {
			b = append(strconv.AppendUint(b, (n+i)%50, 10), ',')
		}
		from := n % uint64(len(m.rows))
		b = append(append(b[:len(b)-1], `]}],"parameters":{"text":"`...), m.text[from:from+n*31%maxText]...)
		return append(b, `"}}`...)
	})
}

// body appends a length and a body that begins with n. The length is written when the body is there.
func (m *numbered) body(b []byte, n uint64, rest func(b []byte) []byte) []byte {
	b = append(b, "Content-Length: 00000\r\n\r\n"...)
	begins := len(b)
	b = rest(fmt.Appendf(b, `%s%0*d",`, idField, idDigits, n))
	copy(b[begins-len("00000\r\n\r\n"):], fmt.Sprintf("%05d", len(b)-begins))
	return b
}

// number finds n in the beginning of a request; false: it is not there yet.
func (m *numbered) number(b []byte) (uint64, bool) {
	i := bytes.Index(b, []byte(idField))
	if i < 0 || len(b) < i+len(idField)+idDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[i+len(idField):i+len(idField)+idDigits]), 10, 64)
	return n, err == nil
}
