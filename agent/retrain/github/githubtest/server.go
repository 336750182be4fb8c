// Package githubtest is the part of GitHub's REST API that trainings use, as a
// server for tests: workflow dispatches, runs with their filters and pages, rate
// limits, and runs that show up only some time after their dispatch. It refuses
// what GitHub refuses, in GitHub's words. Its clock is the test's.
package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says what the server has. All must be set but Legacy, Delay and Untitled.
type Config struct {
	Repository, Workflow, Token, Ref string
	// Inputs that the workflow declares. The first of them is its run-name.
	Inputs []string
	// Legacy servers don't know return_run_details.
	Legacy bool
	// Delay until a run shows up.
	Delay time.Duration
	// Untitled workflows have no run-name.
	Untitled bool
	Now      time.Time
}

// Run is a run of the workflow.
type Run struct {
	ID                 int64
	Inputs             map[string]string
	Title              string
	Status, Conclusion string
	Created            time.Time
}

// Answer replaces what the server would say to a request.
type Answer struct {
	Status int
	Header map[string]string
	// Message of the error. $AUTHORIZATION in it becomes the header of the request.
	Message string
	// Done says that the server does what was asked all the same; with status 0 it
	// then breaks off without an answer.
	Done bool
}

// Server is a GitHub with one repository and one workflow.
type Server struct {
	*httptest.Server
	mu     sync.Mutex
	config Config
	runs   []Run
	// next are answers to the next requests, by method.
	next     map[string][]Answer
	requests []string
}

// New starts a server; close it.
func New(c Config) *Server {
	s := &Server{config: c, next: map[string][]Answer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches", s.dispatch)
	mux.HandleFunc("GET /repos/{owner}/{repo}/actions/workflows/{workflow}/runs", s.list)
	mux.HandleFunc("GET /repos/{owner}/{repo}/actions/workflows/{workflow}", s.workflow)
	mux.HandleFunc("GET /repos/{owner}/{repo}/actions/runs/{id}", s.run)
	s.Server = httptest.NewUnstartedServer(s.front(mux))
	s.Start()
	return s
}

// Change changes what the server has.
func (s *Server) Change(f func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.config)
}

// SetNow sets the clock.
func (s *Server) SetNow(t time.Time) { s.Change(func(c *Config) { c.Now = t }) }

// Next has the next requests of a method answered otherwise.
func (s *Server) Next(method string, answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[method] = append(s.next[method], answers...)
}

// Runs are all that were started, shown or not.
func (s *Server) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.runs)
}

// Requests are all that came, as "METHOD /path?query".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Set changes a run.
func (s *Server) Set(id int64, status, conclusion string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.runs {
		if s.runs[i].ID == id {
			s.runs[i].Status, s.runs[i].Conclusion = status, conclusion
		}
	}
}

// Add adds a run that nobody dispatched through this API.
func (s *Server) Add(r Run) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(r)
}

func (s *Server) add(r Run) int64 {
	r.ID = 30433642 + int64(len(s.runs))
	if r.Status == "" {
		r.Status = "queued"
	}
	s.runs = append(s.runs, r)
	return r.ID
}

// Delete deletes a run.
func (s *Server) Delete(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = slices.DeleteFunc(s.runs, func(r Run) bool { return r.ID == id })
}

// front does what is the same for all requests.
func (s *Server) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		w.Header().Set("Date", s.config.Now.UTC().Format(http.TimeFormat))
		w.Header().Set("X-RateLimit-Remaining", "4999")
		if scripted := s.next[r.Method]; len(scripted) > 0 {
			s.next[r.Method] = scripted[1:]
			a := scripted[0]
			if a.Done {
				next.ServeHTTP(httptest.NewRecorder(), r)
			}
			if a.Status == 0 {
				panic(http.ErrAbortHandler)
			}
			for k, v := range a.Header {
				w.Header().Set(k, v)
			}
			refuse(w, a.Status, strings.ReplaceAll(a.Message, "$AUTHORIZATION", r.Header.Get("Authorization")))
			return
		}
		switch {
		case r.Header.Get("User-Agent") == "":
			refuse(w, http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
		case r.Header.Get("Authorization") != "Bearer "+s.config.Token:
			refuse(w, http.StatusUnauthorized, "Bad credentials")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// there says whether the address is of what the server has. Names of owners and
// repositories are not case sensitive.
func (s *Server) there(w http.ResponseWriter, r *http.Request) bool {
	workflow := r.PathValue("workflow")
	if strings.EqualFold(r.PathValue("owner")+"/"+r.PathValue("repo"), s.config.Repository) && (workflow == "" || workflow == s.config.Workflow) {
		return true
	}
	refuse(w, http.StatusNotFound, "Not Found")
	return false
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if !s.there(w, r) {
		return
	}
	var body map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	var ref string
	inputs := map[string]string{}
	details := false
	for key, raw := range body {
		var into any
		switch {
		case key == "ref":
			into = &ref
		case key == "inputs":
			into = &inputs
		case key == "return_run_details" && !s.config.Legacy:
			into = &details
		default:
			refuse(w, http.StatusUnprocessableEntity, fmt.Sprintf("Invalid request.\n\n%q is not a permitted key.", key))
			return
		}
		if json.Unmarshal(raw, into) != nil {
			refuse(w, http.StatusUnprocessableEntity, "Invalid request.\n\nFor 'properties/"+key+"', it has the wrong type.")
			return
		}
	}
	if ref != s.config.Ref {
		refuse(w, http.StatusUnprocessableEntity, "No ref found for: "+ref)
		return
	}
	for name := range inputs {
		if !slices.Contains(s.config.Inputs, name) {
			refuse(w, http.StatusUnprocessableEntity, fmt.Sprintf("Unexpected inputs provided: [%q]", name))
			return
		}
	}
	title := "Retrain"
	if !s.config.Untitled {
		title = inputs[s.config.Inputs[0]]
	}
	id := s.add(Run{Inputs: inputs, Title: title, Created: s.config.Now})
	if !details {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"workflow_run_id": id, "run_url": s.address(id), "html_url": "https://github.com/" + s.config.Repository + "/actions/runs/" + strconv.FormatInt(id, 10),
	})
}

func (s *Server) address(id int64) string {
	return s.URL + "/repos/" + s.config.Repository + "/actions/runs/" + strconv.FormatInt(id, 10)
}

func (s *Server) shown(r Run) bool { return !s.config.Now.Before(r.Created.Add(s.config.Delay)) }

func (s *Server) json(r Run) map[string]any {
	var conclusion any
	if r.Conclusion != "" {
		conclusion = r.Conclusion
	}
	return map[string]any{
		"id": r.ID, "name": "Retrain", "display_title": r.Title, "event": "workflow_dispatch", "head_branch": s.config.Ref,
		"path": ".github/workflows/" + s.config.Workflow, "status": r.Status, "conclusion": conclusion, "run_attempt": 1,
		"created_at": r.Created.UTC().Format(time.RFC3339), "url": s.address(r.ID),
		"repository": map[string]any{"full_name": s.config.Repository},
	}
}

// list gives the newest runs first.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	if !s.there(w, r) {
		return
	}
	q := r.URL.Query()
	since := time.Time{}
	if c := q.Get("created"); c != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, strings.TrimPrefix(c, ">=")); err != nil || !strings.HasPrefix(c, ">=") {
			refuse(w, http.StatusUnprocessableEntity, "this server knows created=>=TIME only")
			return
		}
	}
	runs := []map[string]any{}
	for _, run := range slices.Backward(s.runs) {
		// created_at has no fractions of a second.
		if s.shown(run) && !run.Created.Truncate(time.Second).Before(since) && (q.Get("event") == "" || q.Get("event") == "workflow_dispatch") {
			runs = append(runs, s.json(run))
		}
	}
	total := len(runs)
	runs = runs[:min(total, 1000)] // what a search gives at most
	size, page := number(q.Get("per_page"), 30, 100), number(q.Get("page"), 1, 1<<20)
	from := min((page-1)*size, len(runs))
	reply(w, http.StatusOK, map[string]any{"total_count": total, "workflow_runs": runs[from:min(from+size, len(runs))]})
}

func number(s string, without, most int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return without
	}
	return min(n, most)
}

func (s *Server) workflow(w http.ResponseWriter, r *http.Request) {
	if s.there(w, r) {
		reply(w, http.StatusOK, map[string]any{"id": 161335, "name": "Retrain", "path": ".github/workflows/" + s.config.Workflow, "state": "active"})
	}
}

func (s *Server) run(w http.ResponseWriter, r *http.Request) {
	if !s.there(w, r) {
		return
	}
	for _, run := range s.runs {
		if strconv.FormatInt(run.ID, 10) == r.PathValue("id") && s.shown(run) {
			reply(w, http.StatusOK, s.json(run))
			return
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
}
