package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

const (
	refuseWait  = 5 * time.Second // for the client's request head, and for it to close
	refuseRead  = 64 << 10        // bytes of a request head
	refuseDrain = 1 << 20         // bytes of a request body that is thrown away so that the answer is not lost in a reset
)

// refuse answers an HTTP/1.1 client with 502 when there is no upstream connection; any other client sees its connection closed.
func refuse(client *net.TCPConn, f Follower, reason Reason, upstream string) {
	defer client.Close()
	client.SetDeadline(time.Now().Add(refuseWait))
	var first []byte
	buf := make([]byte, 4<<10)
	// A client of HTTP/2 may send nothing before it has heard from its server, and knows what it means that its connection ends.
	http2 := func() bool { return bytes.HasPrefix(first, []byte("PRI ")) }
	for read := 0; f.Waiting() == 0 && !f.Opaque() && !http2() && read < refuseRead; {
		n, err := client.Read(buf)
		if len(first) < len("HEAD ") {
			first = bytes.TrimLeft(append(first, buf[:n]...), "\r\n")
		}
		f.Request(buf[:n], time.Now())
		read += n
		if err != nil {
			break
		}
	}
	if f.Waiting() > 0 && !http2() {
		answer := badGateway(reason, upstream, bytes.HasPrefix(first, []byte("HEAD ")))
		if _, err := client.Write(answer); err == nil {
			f.Response(answer, time.Now())
		}
		client.CloseWrite()
		for left := refuseDrain; left > 0; {
			n, err := client.Read(buf)
			if err != nil {
				break
			}
			left -= n
		}
	}
	f.ClientEnd(time.Now())
}

func badGateway(reason Reason, upstream string, head bool) []byte {
	say := map[Reason]string{ReasonRefused: "refused the connection", ReasonTimeout: "did not accept the connection in time", ReasonUnreachable: "cannot be reached"}[reason]
	body, _ := json.Marshal(map[string]string{"error": "leeway-sidecar: upstream " + upstream + " " + say})
	body = append(body, '\n')
	answer := fmt.Appendf(nil, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(body))
	if head {
		return answer
	}
	return append(answer, body...)
}
