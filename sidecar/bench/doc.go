// Command bench measures what the sidecar costs, against nginx and httputil.ReverseProxy.
//
// Every figure comes from shuffled rounds in which all of them take turns, as the machine itself changes from minute
// to minute: the upstream (a process that reads a request and sends a fixed answer), each proxy (a process of its
// own, so that its processor time can be read), and the load, one thread that keeps a number of connections busy.
// What is printed are medians over the rounds. Added p50 is over the direct connection; "observed" is with every row
// read into its bins.
//
// It is Linux only, runs on loopback, and ends by itself; nginx takes part where it is installed.
//
// "bench verify" measures nothing: it compares every byte of numbered requests and answers that pass the sidecar.
package main
