package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

const (
	refuseLate  = time.Second // at most for the head of a request that came while the relay was stopped
	refuseRead  = 64 << 10    // bytes of a request head
	refuseDrain = 1 << 20     // bytes of a request body that is thrown away so that the answer is not lost in a reset
)

// refusal is how far a client is that cannot have an upstream connection: an HTTP/1.1 client is answered with 502,
// any other sees its connection closed.
type refusal struct {
	follow   Follower
	reason   Reason
	upstream string
	first    []byte // the request's first bytes
	read     int
	answered bool
}

func newRefusal(f Follower, reason Reason, upstream string) *refusal {
	return &refusal{follow: f, reason: reason, upstream: upstream}
}

// take is shown what the client sent. It returns the answer once there is a request to answer; more: there is
// something left to wait for.
func (r *refusal) take(b []byte, at time.Time) (answer []byte, more bool) {
	r.read += len(b)
	if r.answered {
		return nil, r.read < refuseDrain
	}
	if len(r.first) < len("HEAD ") {
		r.first = bytes.TrimLeft(append(r.first, b[:min(len(b), 1<<10)]...), "\r\n")
	}
	r.follow.Request(b, at)
	if bytes.HasPrefix(r.first, []byte("PRI ")) {
		// A client of HTTP/2 may send nothing before it has heard from its server, and knows what it means that its
		// connection ends.
		return nil, false
	}
	if r.follow.Waiting() == 0 {
		return nil, !r.follow.Opaque() && r.read < refuseRead
	}
	r.answered, r.read = true, 0
	return badGateway(r.reason, r.upstream, bytes.HasPrefix(r.first, []byte("HEAD "))), true
}

// refuse sees a client off, within a time.
func refuse(client stream, r *refusal, wait time.Duration) {
	defer client.Close()
	client.SetDeadline(time.Now().Add(wait))
	buf := make([]byte, 4<<10)
	for more := true; more; {
		n, err := client.Read(buf)
		var answer []byte
		if answer, more = r.take(buf[:n], time.Now()); answer != nil {
			if _, werr := client.Write(answer); werr == nil {
				r.follow.Response(answer, time.Now())
			}
			client.CloseWrite()
		}
		if err != nil {
			break
		}
	}
	r.follow.ClientEnd(time.Now())
}

func badGateway(reason Reason, upstream string, head bool) []byte {
	say := map[Reason]string{
		ReasonRefused: "refused the connection", ReasonTimeout: "did not accept the connection in time",
		ReasonUnreachable: "cannot be reached",
	}[reason]
	body, _ := json.Marshal(map[string]string{"error": "leeway-sidecar: upstream " + upstream + " " + say})
	body = append(body, '\n')
	answer := fmt.Appendf(nil, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n", len(body))
	if head {
		return answer
	}
	return append(answer, body...)
}
