// Package registry runs the registry's suite on real servers, started by the
// tests.
package registry
