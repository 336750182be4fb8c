package mlflow

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/leeway-dev/leeway/registry"
)

// Codes of MLflow's errors.
const (
	codeExists   = "RESOURCE_ALREADY_EXISTS"
	codeMissing  = "RESOURCE_DOES_NOT_EXIST"
	codeBadValue = "INVALID_PARAMETER_VALUE"
)

// failure is a call that did not do what was asked.
type failure struct {
	call   string // method and URL, without query and credentials
	status int    // 0: no answer
	code   string
	kind   error // one of the registry's
	text   string
	cause  error         // of a call without answer
	after  time.Duration // to wait, as the server says
	unsent bool          // no connection was made
	final  bool          // trying again is no use
}

func (c *client) fail(r request, status int, code string, kind error, text string) *failure {
	return &failure{call: r.method + " " + c.base + api + r.path, status: status, code: code, kind: kind, text: clean(text)}
}

func (f *failure) Error() string {
	s := "mlflow: " + f.call + ": "
	if f.status != 0 && f.status != http.StatusOK {
		s += fmt.Sprint(f.status) + " "
	}
	if f.code != "" {
		s += f.code + ": "
	}
	return s + f.kind.Error() + ": " + f.text
}

func (f *failure) Unwrap() []error {
	if f.cause != nil {
		return []error{f.kind, f.cause}
	}
	return []error{f.kind}
}

// mayRetry says whether to try again. A call that must not be made twice is
// tried again only when the server has not taken it.
func (f *failure) mayRetry(once bool) bool {
	switch {
	case f.final:
		return false
	case f.status == http.StatusTooManyRequests, f.unsent:
		return true
	case once:
		return false
	}
	return f.status == 0 || f.status >= 500 && f.status != http.StatusNotImplemented
}

// unknown says that a call may have been carried out all the same.
func unknown(err error) bool {
	var f *failure
	return errors.As(err, &f) && !f.unsent && (f.status == 0 || f.status >= 500)
}

// is says whether an error is MLflow's with that code.
func is(err error, code string) bool {
	var f *failure
	return errors.As(err, &f) && f.code == code
}

// explain says which of the registry's errors an answer is, and what to do.
func explain(answer *http.Response, code, text string) (help string, kind error) {
	switch s := answer.StatusCode; {
	case s >= 300 && s < 400:
		return "redirects are not followed: name the server's own address", registry.ErrInvalid
	case s == http.StatusUnauthorized:
		return signInHelp, registry.ErrForbidden
	case s == http.StatusForbidden && strings.Contains(text, invalidHost):
		return hostHelp, registry.ErrForbidden
	case s == http.StatusForbidden:
		return "the server does not allow it to this user", registry.ErrForbidden
	case s == http.StatusNotFound && code != codeMissing && code != "NOT_FOUND":
		return "there is no MLflow tracking server at this address, or it lacks this call", registry.ErrInvalid
	case s == http.StatusNotFound:
		return "", registry.ErrNotFound
	case code == codeExists:
		return "", registry.ErrConflict
	case s == http.StatusRequestEntityTooLarge:
		return "a proxy in front of the server has a lower limit", registry.ErrTooLarge
	case s == http.StatusTooManyRequests || s >= 500:
		return "", registry.ErrUnreachable
	}
	return "", registry.ErrInvalid
}

// clean shortens what a server said and takes out what a terminal would obey.
func clean(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	const most = 300
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > most || unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
