package api

// Routes are the method and path of every operation, and its query parameters
// besides namespace.
func Routes() map[string][]string {
	all := map[string][]string{}
	for _, r := range routes() {
		all[r.method+" "+r.path] = r.query
	}
	return all
}
