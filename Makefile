# Leeway. `make demo` shows it at work on a cluster of its own, `make test` proves it.
SHELL := /bin/bash
GO    ?= go
OUT   ?= .
FUZZ     ?= sidecar registry/receipt registry/profile registry/dataset registry/dvc registry/api registry/client registry/s3 registry/mlflow registry/evaluate agent/feedback agent/manifest agent/retrain/github
FUZZTIME ?= 20s
REQUESTS ?= 10000000
export CGO_ENABLED ?= 0

.PHONY: help build tools demo demo-down test test-unit test-fuzz test-e2e chaos kill-sidecars fuzz bench bench-sidecar bench-profile bench-match bench-rules bench-incidents bench-scale verify lint vulncheck generate images clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the three programs, into bin/
	$(GO) build -trimpath -o bin/ ./cmd/leeway ./cmd/leeway-agent ./cmd/leeway-sidecar

demo: tools ## drift → match → roll back or retrain, on a real cluster; KEEP=1 leaves it up
	build/tools/demo $(if $(KEEP),--keep)

demo-down: tools ## takes down whatever a demo left
	build/tools/demo --down

tools: build
	cd e2e && $(GO) build -trimpath -o ../build/tools/ ./cmd/cluster ./cmd/images
	$(GO) build -trimpath -o build/tools/ ./examples/flights/demo

test: lint test-unit test-fuzz test-e2e vulncheck ## everything; installs what it needs

test-unit: ## every package; all but the long ones with the race detector too
	$(GO) test -timeout 30m ./rules ./rules/bench ./agent/guard ./registry/bench ./sidecar/observe
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m ./...
	$(GO) test -run 'Gigabyte|TenThousandIdle' ./sidecar

test-fuzz: ## each parser for a moment: 2 minutes
	$(MAKE) fuzz FUZZ=sidecar
	$(MAKE) fuzz FUZZ="registry/receipt registry/profile registry/dataset registry/dvc registry/api registry/client registry/s3 registry/mlflow registry/evaluate agent/feedback agent/manifest agent/retrain/github agent/retrain/evaluation" FUZZTIME=5s

# Minimizing inputs that are merely new would take all the time: a minute for each. A target whose time is over while it
# tries a long input fails with "context deadline exceeded", which is no finding.
fuzz: ## every fuzz target for FUZZTIME=20s, two at a time
	@one() { out=$$($(GO) test -run '^$$' -fuzz "^$$2$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x -parallel 1 ./$$1 2>&1) || \
			grep -q '^ *context deadline exceeded$$' <<<"$$out" || { printf '%s\n' "$$out"; exit 1; }; \
		printf '%-20s %-14s %s\n' $$1 $$2 "$$(grep -oE '(execs|coverage): [0-9/]+' <<<"$$out" | tail -1)"; }; export -f one; \
	grep -roE '^func Fuzz\w+' --include='*_test.go' $(FUZZ) | sed -E 's|/[^/]*:func | |' | sort | \
		xargs -P 2 -L 1 bash -c 'one "$$@"' one

test-e2e: tools ## a real cluster, and the demo on it; real model servers. One package at a time: some measure time
	cd e2e && $(GO) vet -trimpath $$($(GO) list ./... | grep -v /kube$$) && $(GO) test -trimpath -p 1 -timeout 60m ./...
	cd e2e/prometheus && $(GO) vet ./... && $(GO) test -timeout 30m ./...

chaos: ## controllers killed, stopped and cut off at N=300 random moments of SEED=1, and killed at every write: hours
	cd e2e && $(GO) test -trimpath -count=1 -v -timeout 8h -run 'TestChaos|TestKilledAtEveryWrite' ./chaos -args \
		-disturbances $(or $(N),300) -seed $(or $(SEED),1) -every-write

kill-sidecars: ## four sidecars under 500 requests a second, one killed every EVERY=30s for KILLFOR=10m
	$(GO) build -trimpath -o bin/ ./cmd/leeway-sidecar
	$(GO) test -count=1 -v -timeout 2h -run '^TestKilled$$' ./cmd/leeway-sidecar -args \
		-sidecar $(abspath bin/leeway-sidecar) -killed-for $(or $(KILLFOR),10m) -killed-every $(or $(EVERY),30s)

bench: ## benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-sidecar: ## what the sidecar costs, against nginx, whylogs and its goals: 13 minutes; ARGS="-parts ladder" for less
	$(GO) run ./sidecar/bench $(ARGS)

bench-profile: ## what profiling a file costs, against pandas and whylogs: a minute; ARGS="-rows 2000000" for more
	$(GO) build -trimpath -o bin/ ./cmd/leeway
	$(GO) run ./registry/dataset/bench $(ARGS)

bench-match: ## how well versions are chosen by their data, on real and standard streams: 10 minutes; ARGS="-streams flights" for less
	$(GO) run ./registry/bench $(ARGS)

bench-rules: ## false alarms, delays and cost of the drift rules, also beside other tools: hours; ARGS="-parts delay" for less
	$(GO) run ./rules/bench $(ARGS)

bench-incidents: ## 1,000 incidents of known cause through rules and decisions: half an hour; ARGS="-incidents 100" for less
	$(GO) run ./agent/incidents/bench $(ARGS)

bench-scale: ## memory for each series beside Prometheus, and 10,000 pods before two controllers: half an hour; ARGS="-parts series" for less
	cd e2e && $(GO) run -trimpath ./scale $(ARGS)

verify: ## ten million requests through the sidecar, each compared byte for byte: some minutes
	$(GO) run ./sidecar/bench verify -requests $(REQUESTS)

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "run gofmt -w on these files"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

vulncheck: ## known vulnerabilities, where the database can be reached
	@$(GO) tool govulncheck ./... || { s=$$?; if [ $$s = 3 ]; then exit 3; fi; \
		echo "govulncheck: NOT RUN, its database cannot be reached from here"; }

generate: ## deep copies, CRDs, roles, dashboards, rules
	$(GO) tool controller-gen object paths=./agent/v1alpha1 paths=./registry/v1alpha1
	$(GO) tool controller-gen crd paths=./agent/v1alpha1 paths=./registry/v1alpha1 output:crd:dir=$(OUT)/manifests/base/crd
	$(GO) tool controller-gen rbac:roleName=leeway-controller paths=./agent/... output:rbac:dir=$(OUT)/manifests/base
	$(GO) run ./cmd/leeway rules render --dir $(OUT)/rules >/dev/null
	$(GO) run ./cmd/leeway rules render --operator --dir $(OUT)/manifests/components/prometheus-operator >/dev/null
	$(GO) run ./dashboards/generate $(OUT)/manifests/components/grafana

images: ## docker build of every image: make images REGISTRY=registry.example/leeway
	@test -n "$(REGISTRY)" || { echo "say where to: make images REGISTRY=registry.example/leeway"; exit 2; }
	for t in sidecar agent cli; do docker build --target $$t -t $(REGISTRY)/leeway-$$t:dev . || exit; done

clean:
	rm -rf bin build
