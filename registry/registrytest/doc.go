// Package registrytest says what every registry.Store promises, as tests that
// a store's own tests call: on a folder, on a real API server, on whatever
// comes next.
package registrytest
