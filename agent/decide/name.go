package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// A name is also used as a label value and for Jobs.
const (
	nameLength = 63
	hashLength = 10
)

// Name of a decision. Whoever decides the same on the same trouble comes to the
// same name, so creating the object is the lock. Times count to the microsecond,
// which is what an object's status keeps.
func Name(guard string, cause Cause, version string, settled time.Time, attempt int) string {
	sum := sha256.New()
	for _, part := range []string{guard, string(cause), version} {
		fmt.Fprintf(sum, "%d:%s,", len(part), part)
	}
	fmt.Fprintf(sum, "%d,%d", settled.UnixMicro(), attempt)
	hash := hex.EncodeToString(sum.Sum(nil))[:hashLength]
	prefix := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, guard)
	prefix = prefix[:min(len(prefix), nameLength-hashLength-1)]
	if prefix = strings.Trim(prefix, "-"); prefix == "" {
		prefix = "decision"
	}
	return prefix + "-" + hash
}
