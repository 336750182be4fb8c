//go:build race

package relay_test

const race = true
