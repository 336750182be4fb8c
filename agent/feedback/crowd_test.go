package feedback_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leeway-dev/leeway/agent/feedback"
)

// Four are read at once. One more waits for its turn, and not for ever.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := feedback.New(feedback.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var slow []*io.PipeWriter
		codes := make(chan int, 4)
		for range 4 {
			body, w := io.Pipe()
			slow = append(slow, w)
			go func() {
				answer := httptest.NewRecorder()
				h.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/leeway/v1/feedback", body))
				codes <- answer.Code
			}()
		}
		synctest.Wait()
		start := time.Now()
		if code, _, raw := post(h, r1); code != http.StatusServiceUnavailable || time.Since(start) != 5*time.Second {
			t.Errorf("%d after %s: %s", code, time.Since(start), raw)
		}
		go func() {
			time.Sleep(time.Second)
			for _, w := range slow {
				_, _ = io.Copy(w, strings.NewReader(r2))
				w.Close()
			}
		}()
		if code, _, raw := post(h, r1); code != http.StatusOK {
			t.Errorf("%d %s", code, raw)
		}
		for range slow {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("a slow one: %d", code)
			}
		}
	})
}
