// Package observe turns what followers see into numbers: latency at once, feature and prediction values later, when the relay has nothing to move or on a goroutine of its own.
//
// Observing may never cost a request anything. Bodies are copied under a budget of bytes for all connections, queued without waiting, and parsed off the request path; when
// any of this has no room, the observation is dropped and counted, and the request goes on. What is observed is counted twice over: in counters by bin, which add up over pods
// and any window, and in the live profile, which says what the values were.
package observe
