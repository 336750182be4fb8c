package main

import (
	"flag"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	killedFor   = flag.Duration("killed-for", 9*time.Second, "how long sidecars are killed")
	killedEvery = flag.Duration("killed-every", 2*time.Second, "the pause between two kills")
	sidecarPath = flag.String("sidecar", "", "the program; empty: the test itself, which is the same")
)

// asSidecar in its environment makes the test's program a sidecar.
const asSidecar = "LEEWAY_TEST_AS_SIDECAR"

func TestMain(m *testing.M) {
	if os.Getenv(asSidecar) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const perSecond = 500

// Sidecars of four pods are killed in turn, under load that goes on whatever
// happens. What fails was on its way through the one that was killed, when it was;
// the pod is back at once, its model server has noticed no more than that clients
// went away, and no prediction has another's receipt.
func TestKilled(t *testing.T) {
	pods := make([]*pod, 4)
	for i := range pods {
		pods[i] = newPod(t, i)
		pods[i].start(t)
		pods[i].reference(t)
	}
	load := newLoad(pods)
	var ended sync.WaitGroup
	ended.Go(func() { load.run(*killedFor) })
	defer ended.Wait()

	var kills []kill
	for next, end := time.Now().Add(*killedEvery/2), time.Now().Add(*killedFor); next.Before(end); next = next.Add(*killedEvery) {
		time.Sleep(time.Until(next))
		kills = append(kills, pods[len(kills)%len(pods)].kill(t))
	}
	ended.Wait()
	if len(kills) < 4 {
		t.Fatalf("%d kills in %s", len(kills), *killedFor)
	}
	judge(t, load, kills)
	for _, p := range pods {
		p.judgeProfile(t, load)
		p.model.judge(t)
	}
}

// kill is one death of a sidecar.
type kill struct {
	pod *pod
	// signalled, gone and back: it was killed, its process was no more, and the one
	// after it answered.
	signalled, gone, back time.Time
	inFlight              int // when it was signalled
}

// took says whether a request failed with the sidecar: its connection was one of
// the process that was killed.
func (k kill) took(a attempt) bool {
	return a.pod == k.pod && a.opened.Before(k.gone) && a.ended.After(k.signalled)
}

// lost is what failed with one sidecar: what was in flight when it was killed, what
// was sent to it while it died, and what was sent after that, into connections of
// which the client had not yet read that they had ended.
type lost struct{ inFlight, dying, ended int }

func (l lost) all() int { return l.inFlight + l.dying + l.ended }

func judge(t *testing.T, l *load, kills []kill) {
	t.Helper()
	failed := make([]lost, len(kills))
	for _, a := range l.failed {
		i := slices.IndexFunc(kills, func(k kill) bool { return k.took(a) })
		switch {
		case i < 0:
			t.Errorf("failed, and no sidecar was killed in its way: %s, sent %s, ended %s later: %v",
				a.pod.name, a.sent.Format("05.000"), a.ended.Sub(a.sent), a.err)
		case a.sent.Before(kills[i].signalled):
			failed[i].inFlight++
		case a.sent.Before(kills[i].gone):
			failed[i].dying++
		default:
			failed[i].ended++
		}
	}
	var sum lost
	inFlight := 0
	var away []time.Duration
	for i, k := range kills {
		t.Logf("%s: %d in flight; failed: %d of these, %d sent while it died, %d into what had ended; gone after %s, back after %s", k.pod.name, k.inFlight,
			failed[i].inFlight, failed[i].dying, failed[i].ended, k.gone.Sub(k.signalled).Round(100*time.Microsecond), k.back.Sub(k.signalled).Round(time.Millisecond))
		if failed[i].inFlight > k.inFlight {
			t.Errorf("%s: %d failed that were sent before it was killed, and %d were in flight", k.pod.name, failed[i].inFlight, k.inFlight)
		}
		sum.inFlight, sum.dying, sum.ended = sum.inFlight+failed[i].inFlight, sum.dying+failed[i].dying, sum.ended+failed[i].ended
		inFlight, away = inFlight+k.inFlight, append(away, k.back.Sub(k.signalled))
	}
	slices.Sort(away)
	slices.Sort(l.took)
	t.Logf("%d kills, %d requests, %d in flight at kills: %d failed (%d of these, %d sent while it died, %d into what had ended), %d were refused a connection and went to another pod; back after %s (median; at most %s); p50 %s, p99 %s, at most %s",
		len(kills), len(l.took)+len(l.failed), inFlight, sum.all(), sum.inFlight, sum.dying, sum.ended, l.refused,
		away[len(away)/2].Round(time.Millisecond), away[len(away)-1].Round(time.Millisecond), at(l.took, 0.5), at(l.took, 0.99), at(l.took, 1))
	if l.wrong > 0 {
		t.Errorf("%d answers were not those to what was asked", l.wrong)
	}
	if n := len(l.took); n < int(killedFor.Seconds()*perSecond*9/10) {
		t.Errorf("%d answers in %s of %d a second", n, *killedFor, perSecond)
	}
	if n := len(l.receipts); n != len(l.took) {
		t.Errorf("%d different receipts of %d answers", n, len(l.took))
	}
}

// at is a quantile of sorted times.
func at(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Round(100 * time.Microsecond)
}

// attempt is one request as one pod got it, over a connection that was opened then.
type attempt struct {
	pod                 *pod
	opened, sent, ended time.Time
	err                 error
}
