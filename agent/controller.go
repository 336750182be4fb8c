package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/go-logr/zapr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/election"
	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/external"
	"github.com/leeway-dev/leeway/agent/feedback"
	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/node/buffer"
	"github.com/leeway-dev/leeway/agent/node/forward"
	"github.com/leeway-dev/leeway/agent/node/own"
	"github.com/leeway-dev/leeway/agent/nominate"
	"github.com/leeway-dev/leeway/agent/peer"
	"github.com/leeway-dev/leeway/agent/reference"
	"github.com/leeway-dev/leeway/agent/retrain/github"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/artifact"
)

// Lease that the replicas agree by on who leads.
const Lease = "leeway-controller"

// controller is one replica, put together.
type controller struct {
	ControllerConfig
	registry   *prometheus.Registry
	engine     *embedded.Engine // nil with an external Prometheus
	catchUp    *peer.CatchUp    // nil with an external Prometheus
	source     guard.Source
	authority  *auth.Authority
	pods       *auth.Pods
	feedback   *feedback.Handler
	references *reference.Exporter
	manager    manager.Manager
	store      func(namespace string) (registry.Store, error)
	versions   http.Handler // the registry's HTTP API
	wake       func(namespace, model string)
	rulesSince time.Time // zero: they are evaluated elsewhere
}

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create,roleName=leeway-controller
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create,roleName=leeway-controller
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=leeway-system,resources=leases,verbs=create,roleName=leeway-leader
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=leeway-system,resources=leases,resourceNames=leeway-controller,verbs=get;update,roleName=leeway-leader

// RunController runs the controller role until ctx ends.
func RunController(ctx context.Context, c ControllerConfig) (err error) {
	c.Kubernetes = rest.CopyConfig(c.Kubernetes)
	// Reviews of tokens must not wait behind reads, nor the decisions of 50
	// incidents behind each other: some ten calls each. The server has its own
	// fairness; this is against our own mistakes.
	c.Kubernetes.QPS, c.Kubernetes.Burst = 200, 400
	r := &controller{ControllerConfig: c, registry: newRegistry()}
	if err := r.open(); err != nil {
		return err
	}
	if r.engine != nil {
		defer r.engine.Close()
	}
	if err := r.manage(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return listen(ctx, c.Listen, r.handler(), c.Logger) })
	g.Go(func() error { return r.manager.Start(ctx) })
	if r.engine != nil {
		g.Go(func() error { return r.engine.Run(ctx) })
		g.Go(func() error { return r.tellOwn(ctx) })
		g.Go(func() error { return r.catchUp.Run(ctx) })
	}
	return ignoreEnd(g.Wait())
}

// open opens the storage and all that needs no cluster.
func (r *controller) open() error {
	clients, err := kubernetes.NewForConfig(r.Kubernetes)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	pods := auth.PodsConfig{Live: func(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
		return clients.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	}}
	if others := r.peers(); len(others.All) > 0 && r.Prometheus == nil {
		pods.Remembered = peer.NewMemory(others, nil).Seen
	}
	r.pods = auth.NewPods(pods)
	if r.authority, err = auth.New(auth.Config{
		Tokens: clients.AuthenticationV1().TokenReviews(), Access: clients.AuthorizationV1().SubjectAccessReviews(),
		Namespace: r.Namespace, Pods: r.pods, Registerer: r.registry,
	}); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if err := r.openSource(); err != nil {
		return err
	}
	if r.feedback, err = feedback.New(feedback.Config{
		May: r.authority.Feedback, Known: newKnownVersions(func(namespace string) (registry.Store, error) { return r.store(namespace) }).has, Registerer: r.registry,
	}); err != nil {
		return err
	}
	r.references = reference.New()
	return r.registry.Register(r.references)
}

// openSource opens where samples and verdicts come from.
func (r *controller) openSource() error {
	if r.Prometheus != nil {
		source, err := external.New(*r.Prometheus)
		if err != nil {
			return fmt.Errorf("agent: %w", err)
		}
		r.source = source
		return nil
	}
	rules, err := r.rulesDir()
	if err != nil {
		return err
	}
	if r.engine, err = embedded.New(embedded.Config{
		DataDir: filepath.Join(r.DataDir, "tsdb"), RulesDir: rules, EvaluationInterval: r.ScrapeInterval,
		AlertmanagerURLs: r.AlertmanagerURLs, ExternalURL: r.ExternalURL,
		Admit: r.admit, Registerer: r.registry, Logger: r.Logger,
	}); err != nil {
		return err
	}
	r.source, r.rulesSince = embeddedSource{r.engine}, time.Now()
	r.catchUp, err = peer.NewCatchUp(peer.CatchUpConfig{
		Engine: r.engine, Peers: r.peers(), Now: time.Now(), Registerer: r.registry, Logger: r.Logger,
	})
	return err
}

// peers are the other replicas.
func (r *controller) peers() peer.Peers {
	p := peer.Peers{TokenFile: r.TokenFile}
	for _, c := range r.Controllers {
		if c.Name != r.Pod {
			p.All = append(p.All, forward.Replica{Name: c.Name, URL: c.URL})
		}
	}
	return p
}

// manage sets up what talks to Kubernetes: the cache, the Lease, the loop.
func (r *controller) manage() error {
	scheme, err := newScheme()
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	ctrl.SetLogger(zapr.NewLogger(r.Logger))
	r.manager, err = ctrl.NewManager(r.Kubernetes, ctrl.Options{
		Scheme: scheme, Logger: zapr.NewLogger(r.Logger), Metrics: server.Options{BindAddress: "0"},
	})
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if err := r.manager.Add(manager.RunnableFunc(r.watchPods)); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	// Not from the manager's cache: that would hold every version of every model,
	// and who registers has to see what the others just did.
	direct, err := client.NewWithWatch(r.Kubernetes, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	r.store = r.stores(direct)
	sync := &versionsInUse{Client: r.manager.GetClient(), store: r.store, exporter: r.references, log: r.Logger}
	if err := r.manager.Add(manager.RunnableFunc(sync.run)); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if r.versions, err = r.models(); err != nil {
		return err
	}
	candidate, err := r.candidate()
	if err != nil {
		return err
	}
	if err := r.manager.Add(manager.RunnableFunc(candidate.Run)); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

// candidate stands for this replica; who is elected runs the loop.
func (r *controller) candidate() (election.Candidate, error) {
	loop, err := r.loop()
	if err != nil {
		return election.Candidate{}, err
	}
	r.wake = loop.Wake
	clients, err := kubernetes.NewForConfig(r.Kubernetes) // of its own: renewing must not wait behind reviews
	if err != nil {
		return election.Candidate{}, fmt.Errorf("agent: %w", err)
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, r.Namespace, Lease, clients.CoreV1(), clients.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: r.Pod + "_" + string(uuid.NewUUID()), EventRecorder: leadershipEvents{r.manager.GetEventRecorder("leeway")}})
	if err != nil {
		return election.Candidate{}, fmt.Errorf("agent: %w", err)
	}
	leads := election.NewGauge()
	if err := r.registry.Register(leads); err != nil {
		return election.Candidate{}, fmt.Errorf("agent: %w", err)
	}
	lead := func(ctx context.Context, led time.Time) error {
		leads.Set(1)
		defer leads.Set(0)
		loop.TakeOver(led)
		return loop.Run(ctx)
	}
	return election.Candidate{
		Lock: lock, Duration: r.LeaseDuration, Lead: lead, Logger: r.Logger,
		Able: r.able,
	}, nil
}

// able says whether this replica could judge now, by all that it should have.
func (r *controller) able() bool {
	if r.catchUp != nil && r.catchUp.Busy() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.LeaseDuration/3)
	defer cancel()
	_, err := r.source.Verdicts(ctx, time.Now())
	return err == nil
}

// leadershipEvents writes who became and who stopped being the leader.
type leadershipEvents struct{ events.EventRecorder }

func (e leadershipEvents) Eventf(object runtime.Object, kind, reason, message string, args ...any) {
	e.EventRecorder.Eventf(object, nil, kind, reason, "Lead", message, args...)
}

// loop is the leader's.
func (r *controller) loop() (*guard.Loop, error) {
	kube := r.manager.GetClient()
	recorder := r.manager.GetEventRecorder("leeway")
	workflows, err := github.New(github.Config{URL: r.GitHubURL, Live: r.manager.GetAPIReader()})
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	return guard.New(guard.Config{
		Client: kube, Live: r.manager.GetAPIReader(), Source: r.source, Store: r.store,
		LiveProfile:   guard.FetchProfiles(&http.Client{Timeout: 5 * time.Second}),
		CheckArtifact: artifact.New(artifact.Options{Allow: r.ArtifactAllow}).Check,
		CanPatch:      guard.Permission(kube, time.Now),
		GitHub:        workflows,
		Event: func(object runtime.Object, kind, reason, message string) {
			recorder.Eventf(object, nil, kind, reason, "Decide", "%s", message)
		},
		Registerer: r.registry, Logger: r.Logger, Interval: r.DecideInterval,
		RulesSince: r.rulesSince, Stale: 5 * r.ScrapeInterval, TrafficWindow: max(8*r.ScrapeInterval, 10*time.Second),
	})
}

// handler is the HTTP API. Everything but health and metrics needs a token.
func (r *controller) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metricsHandler(r.registry))
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", r.ready)
	if r.engine != nil {
		mux.Handle("POST /api/v1/write", r.authority.Writes(r.engine.Handler()))
		mux.Handle("GET "+peer.SnapshotPath, r.authority.Snapshots(peer.Snapshots(r.engine, r.Logger)))
		mux.Handle("/api/v1/", r.authority.Queries(r.engine.Handler()))
	}
	mux.Handle(api.Prefix, r.versions)
	mux.Handle("POST /leeway/v1/alerts", r.authority.Queries(nominate.Handler(r.wake)))
	mux.Handle("POST /leeway/v1/feedback", r.authority.Authenticated(r.feedback))
	return mux
}

// ready says that this replica knows the cluster: before that it would answer
// that there are no versions.
func (r *controller) ready(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), 100*time.Millisecond)
	defer cancel()
	if !r.manager.GetCache().WaitForCacheSync(ctx) {
		http.Error(w, "waiting for the Kubernetes API server", http.StatusServiceUnavailable)
		return
	}
	ok(w, req)
}

// tellOwn writes this replica's own metrics into its TSDB, and sends them to
// its peers, as a node does.
func (r *controller) tellOwn(ctx context.Context) error {
	to := []storage.AppendableV2{r.engine}
	var replicas []forward.Replica
	for _, other := range r.peers().All {
		replicas = append(replicas, forward.Replica{Name: other.Name, URL: other.URL + "/api/v1/write"})
	}
	w := func(to []storage.AppendableV2) error {
		return own.New(own.Config{Gatherer: r.registry, To: to, Labels: map[string]string{"job": "leeway-controller", "pod": r.Pod, "node": r.Node},
			Interval: r.ScrapeInterval, Logger: r.Logger}).Run(ctx)
	}
	if len(replicas) == 0 {
		return w(to)
	}
	peers, err := forward.New(forward.Config{
		Role: "controller", Buffer: buffer.Config{Dir: filepath.Join(r.DataDir, "buffer")}, Replicas: replicas,
		TokenFile: r.TokenFile, Registerer: r.registry, Logger: r.Logger,
	})
	if err != nil {
		return err
	}
	// The forwarder is stopped last: the writer appends to it.
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	sent := make(chan error, 1)
	go func() { sent <- peers.Run(sending) }()
	err = w(append(to, peers))
	stop()
	return errors.Join(err, <-sent)
}
