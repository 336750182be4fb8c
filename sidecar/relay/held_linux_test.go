package relay_test

import (
	"testing"
	"time"
)

// A reset is noticed though the one that it is for does not read, and says nothing either. (A goroutine that writes to
// it notices nothing else.)
func TestResetWhileHeldBack(t *testing.T) {
	for _, clientLeaves := range []bool{true, false} {
		client, server, ended := hastily(t, false)
		roundTrip(t, client, server, "POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n")
		leaves := server
		if clientLeaves {
			leaves = client
		}
		fill(t, leaves)
		begun := time.Now()
		leaves.SetLinger(0)
		leaves.Close()
		spent := busyTime(func() { after(t, begun, ended) })
		if spent > hasty/2 {
			t.Errorf("%v of processor time while there was nothing to do", spent)
		}
	}
}
