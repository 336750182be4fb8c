package observe

import (
	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// Inference reports whether an exchange is an inference request of a protocol that is read, sampled or not.
func (o *Observer) Inference(e *follow.Exchange) bool {
	r, ok := e.Value.(*record)
	return ok && r.kind != protocol.Other
}
