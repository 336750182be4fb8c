package registry

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Retention says which versions of a model have had their time. A zero field
// asks for nothing; a version goes when any field asks for it.
type Retention struct {
	// OlderThan lets go what was registered, and last changed, longer ago.
	OlderThan time.Duration
	// Keep lets go what is beyond so many versions.
	Keep int
	// MaxBytes lets go what is beyond so many bytes.
	MaxBytes int64
}

// Verdict is the word for why a version stays or goes.
type Verdict string

// Why a version stays, and, the last three, why it goes.
const (
	StaysLive     Verdict = "live"
	StaysLastGood Verdict = "last_good" // left service last, and may be gone back to
	StaysInUse    Verdict = "in_use"    // somebody else knows a reason
	StaysNewer    Verdict = "newer"     // than every live version: it may be on its way to service
	StaysNewest   Verdict = "newest"    // where none is live
	StaysParent   Verdict = "parent"    // of one that stays for another reason
	StaysWithin   Verdict = "within"    // what was asked for
	GoesAge       Verdict = "too_old"
	GoesCount     Verdict = "too_many"
	GoesSize      Verdict = "too_large"
)

// Retained is what a Retention means for one version.
type Retained struct {
	Version Version
	// Bytes that it takes, roughly: those of its document.
	Bytes   int64
	Goes    bool
	Verdict Verdict
	// Detail is for people.
	Detail string
}

// Retain says which versions of one model stay and which go, by rising number.
// It is a function of its arguments alone.
//
// Never does a version go that is live, or was before the live one (the last
// that left service and is neither rejected nor retired), or is registered and
// newer than every live one; nor, where none is live, the newest registered one;
// nor one that inUse names, with why; nor the parent of a version that stays for
// another reason than being a parent. Parents count towards no limit, so that
// more may stay than was asked for.
//
// Rejected and retired versions go first, and older ones before newer ones.
func Retain(versions []Version, r Retention, inUse map[int64]string, now time.Time) ([]Retained, error) {
	rows := make([]Retained, 0, len(versions))
	for _, v := range versions {
		b, err := json.Marshal(v.Spec)
		if err != nil {
			return nil, fmt.Errorf("version %d of %s: %w", v.Number, v.Model, err)
		}
		rows = append(rows, Retained{Version: v, Bytes: int64(len(b)), Verdict: StaysWithin})
	}
	slices.SortFunc(rows, func(a, b Retained) int { return cmp.Compare(a.Version.Number, b.Version.Number) })
	protect(rows, inUse)
	r.apply(rows, now)
	keepParents(rows)
	return rows, nil
}

// protect marks what stays whatever is asked for.
func protect(rows []Retained, inUse map[int64]string) {
	var live, newest, lastGood int64
	var left time.Time
	for _, row := range rows {
		v := row.Version
		switch v.Lifecycle {
		case v1alpha1.Live:
			live = max(live, v.Number)
		case v1alpha1.Registered:
			newest = max(newest, v.Number)
			if at := leftService(v); at.After(left) {
				lastGood, left = v.Number, at
			}
		}
	}
	for i := range rows {
		row := &rows[i]
		v := row.Version
		why, used := inUse[v.Number]
		switch {
		case v.Lifecycle == v1alpha1.Live:
			row.Verdict, row.Detail = StaysLive, "in service"
		case v.Number == lastGood:
			row.Verdict, row.Detail = StaysLastGood, "in service until "+left.UTC().Format(time.DateTime)
		case used:
			row.Verdict, row.Detail = StaysInUse, why
		case v.Lifecycle != v1alpha1.Registered:
		case live > 0 && v.Number > live:
			row.Verdict, row.Detail = StaysNewer, fmt.Sprintf("than the live version %d", live)
		case live == 0 && v.Number == newest:
			row.Verdict, row.Detail = StaysNewest, "no version is live"
		}
	}
}

// leftService is when a version was live last, zero if it never was or is.
func leftService(v Version) (at time.Time) {
	for _, line := range v.Audit {
		if line.From == v1alpha1.Live && line.Time.After(at) {
			at = line.Time.Time
		}
	}
	return at
}

// lastChange is when a version was registered or changed last.
func lastChange(v Version) time.Time {
	at := v.Created
	for _, line := range v.Audit {
		if line.Time.After(at) {
			at = line.Time.Time
		}
	}
	return at
}

// apply marks what goes.
func (r Retention) apply(rows []Retained, now time.Time) {
	count, bytes := len(rows), int64(0)
	var free []*Retained // the first to go first
	for i := range rows {
		bytes += rows[i].Bytes
		if rows[i].Verdict == StaysWithin {
			free = append(free, &rows[i])
		}
	}
	slices.SortStableFunc(free, func(a, b *Retained) int { return cmp.Compare(a.rank(), b.rank()) })
	goes := func(row *Retained, why Verdict, detail string, a ...any) {
		row.Goes, row.Verdict, row.Detail = true, why, fmt.Sprintf(detail, a...)
		count--
		bytes -= row.Bytes
	}
	for _, row := range free {
		if age := now.Sub(lastChange(row.Version)); r.OlderThan > 0 && age > r.OlderThan {
			goes(row, GoesAge, "unchanged for %.0f days", age.Hours()/24)
		}
	}
	for _, row := range free {
		switch {
		case row.Goes:
		case r.Keep > 0 && count > r.Keep:
			goes(row, GoesCount, "of %d versions", len(rows))
		case r.MaxBytes > 0 && bytes > r.MaxBytes:
			goes(row, GoesSize, "%d bytes are over", bytes-r.MaxBytes)
		}
	}
}

// rank orders what may go: what nobody will go back to first.
func (r *Retained) rank() int {
	if r.Version.Lifecycle == v1alpha1.Registered {
		return 1
	}
	return 0
}

// keepParents takes back what goes and is the parent of what stays.
func keepParents(rows []Retained) {
	children := map[int64]int64{}
	for _, row := range rows {
		if parent := row.Version.Spec.Lineage.Parent; parent != 0 && !row.Goes {
			children[parent] = row.Version.Number
		}
	}
	for i := range rows {
		row := &rows[i]
		if child, is := children[row.Version.Number]; is && row.Goes {
			row.Goes, row.Verdict, row.Detail = false, StaysParent, fmt.Sprintf("of version %d", child)
		}
	}
}
