# Leeway. `make demo` shows it at work on a cluster of its own, `make test` proves it.
SHELL := /bin/bash
GO    ?= go
OUT   ?= .
export CGO_ENABLED ?= 0

.PHONY: help build tools demo demo-down test test-unit test-e2e bench bench-sidecar lint vulncheck generate images clean

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

test: lint test-unit test-e2e vulncheck ## everything; installs what it needs

test-unit: ## every package; all but the long calibration of the rules with the race detector too
	$(GO) test -timeout 30m ./rules
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m ./...

test-e2e: tools ## a real cluster, and the demo on it; real model servers. One package at a time: some measure time
	cd e2e && $(GO) vet -trimpath $$($(GO) list ./... | grep -v /kube$$) && $(GO) test -trimpath -p 1 -timeout 60m ./...

bench: ## benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-sidecar: ## what the sidecar costs, against nginx where it is installed: 2 minutes
	$(GO) run ./sidecar/bench

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
	$(GO) run ./dashboards/generate $(OUT)/manifests/components/grafana

images: ## docker build of every image: make images REGISTRY=registry.example/leeway
	@test -n "$(REGISTRY)" || { echo "say where to: make images REGISTRY=registry.example/leeway"; exit 2; }
	for t in sidecar agent cli; do docker build --target $$t -t $(REGISTRY)/leeway-$$t:dev . || exit; done

clean:
	rm -rf bin build
