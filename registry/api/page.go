package api

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/leeway-dev/leeway/registry"
)

// The size of a page: what it is when nobody says, and what it can be.
const (
	defaultLimit = 500
	maxLimit     = 1000
	// maxPageBytes ends a page whose versions are large.
	maxPageBytes = 8 << 20
)

// page says which part of a list is asked for: limit items after the one that
// the token names.
type page struct {
	limit int
	after string // what the token holds; empty at the beginning
}

func parsePage(q url.Values) (p page, err error) {
	p.limit = defaultLimit
	if s := q.Get("limit"); s != "" {
		if p.limit, err = strconv.Atoi(s); err != nil || p.limit < 1 || p.limit > maxLimit {
			return p, invalid("limit", "limit %.20q is not a whole number from 1 to %d", s, maxLimit)
		}
	}
	after, err := base64.RawURLEncoding.DecodeString(q.Get("continue"))
	if err != nil {
		return p, badToken()
	}
	p.after = string(after)
	return p, nil
}

func badToken() error {
	return invalid("continue", "the continue token is none that this API gave; begin without one")
}

// cut returns the items of a page, and the token of the next; name
// gives what a token holds of the last item.
func cut[T any](items []T, limit int, name func(T) string) ([]T, string) {
	if len(items) <= limit {
		return items, ""
	}
	items = items[:limit]
	return items, base64.RawURLEncoding.EncodeToString([]byte(name(items[limit-1])))
}

// versionPage has at least one version, if there is one.
func versionPage(all []registry.Version, limit int) (Page[json.RawMessage], error) {
	page := Page[json.RawMessage]{Items: []json.RawMessage{}}
	size := 0
	for _, v := range all[:min(limit, len(all))] {
		b, err := json.Marshal(wireVersion(v))
		if err != nil {
			return page, err
		}
		if size += len(b); size > maxPageBytes && len(page.Items) > 0 {
			break
		}
		page.Items = append(page.Items, b)
	}
	_, page.Continue = cut(all, len(page.Items), func(v registry.Version) string { return strconv.FormatInt(v.Number, 10) })
	return page, nil
}
