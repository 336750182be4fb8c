package child

import (
	"bytes"
	"sync"
)

// Output is what a program has said so far, for who looks while it runs.
type Output struct {
	mu   sync.Mutex
	said bytes.Buffer
}

// Write is for exec.Cmd.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.Write(b)
}

// String is all of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.String()
}

// Tail is the end of it, of so many bytes at most.
func (o *Output) Tail(most int) string {
	said := o.String()
	return said[max(0, len(said)-most):]
}
