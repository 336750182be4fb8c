package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unsafe"
)

// post is a V2 inference request of HTTP/1.1.
func post(t table) []byte {
	return postBody("application/json", "", t.json())
}

// postBinary is the same with the cells as raw data behind the JSON.
func postBinary(t table) []byte {
	head := fmt.Appendf(nil, `{"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP64","parameters":{"binary_data_size":%d}}]}`,
		t.rows(), t.columns, 8*len(t.cells))
	length := fmt.Sprintf("Inference-Header-Content-Length: %d\r\n", len(head))
	return postBody("application/octet-stream", length, append(head, t.raw()...))
}

func postBody(contentType, more string, body []byte) []byte {
	b := fmt.Appendf(nil, "POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n",
		contentType, more, len(body))
	return append(b, body...)
}

// answer1 is what the upstream answers.
const answer1 = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 84\r\n\r\n" +
	`{"model_name":"m","outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[7]}]}`

// message counts how much of a message is still due. Its head must come in one piece.
type message struct{ due int }

var errHead = errors.New("a head that is in pieces or has no length")

// take is shown b and reports whether the message is whole.
func (m *message) take(b []byte) (bool, error) {
	if m.due == 0 {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return false, errHead
		}
		i := bytes.Index(b[:end], []byte("\r\nContent-Length: "))
		if i < 0 {
			return false, errHead
		}
		digits := b[i+len("\r\nContent-Length: ") : end+2]
		n, err := strconv.Atoi(unsafe.String(&digits[0], bytes.IndexByte(digits, '\r')))
		if err != nil {
			return false, err
		}
		m.due = end + 4 + n
	}
	m.due -= len(b)
	return m.due == 0, nil
}

// client1 asks over HTTP/1.1.
type client1 struct{ answer message }

func (c *client1) open(out []byte) []byte { return out }

func (c *client1) ask(_, request []byte) []byte { return request }

func (c *client1) take(b, out []byte) ([]byte, bool, error) {
	if c.answer.due == 0 && !bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")) {
		return out, false, fmt.Errorf("answer %.300q", b)
	}
	whole, err := c.answer.take(b)
	return out, whole, err
}

// server1 answers over HTTP/1.1.
type server1 struct{ request message }

func (s *server1) take(b, out []byte, asked func(stream uint32)) ([]byte, error) {
	whole, err := s.request.take(b)
	if whole {
		asked(0)
	}
	return out, err
}

func (s *server1) answer(out []byte, _ uint32) []byte { return append(out, answer1...) }
