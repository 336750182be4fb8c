// Package registry tries the registry's stores on real servers, with other
// programs beside them. The stores' own tests need none.
package registry
