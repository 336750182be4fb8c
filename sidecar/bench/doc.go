// Command bench measures what the sidecar costs and holds it against its goals: against nginx, httputil.ReverseProxy
// and the bare event loop as proxies, and against whylogs as an observer.
//
// Every figure comes from shuffled rounds in which all of them take turns, as the machine itself changes from minute
// to minute: the upstream (a process that reads a request and sends a fixed answer), each proxy (a process of its
// own, so that its processor time can be read), and the load, one thread that keeps a number of connections busy.
// The two ends speak HTTP/1.1 and HTTP/2 themselves, as little of either as they need. What is printed are medians over
// the rounds, with the least and the most. Added p50 is over the direct connection; "loop" is the sidecar with latency
// and errors only, "observed" with every row read into its bins and sketches.
//
// Each part of the program is a file: ladder, paced, parsing, compare (whylogs), footprint (memory, idle connections,
// size), goals. It starts itself again for whatever has to be a process: upstream, proxies, the worker of cells.
// "bench verify" measures nothing: it compares every byte of numbered requests and answers that pass the sidecar.
//
// It is Linux only, runs on loopback, and ends by itself; nginx and whylogs take part where they are installed, or can
// be. An interrupt ends it with what was measured so far.
package main
