# `make help` lists the targets. They need only Go; other programs
# are used where they are installed.

# The linter is built once into bin/, which git ignores, in exactly this version.
LINT_VERSION := v2.15.0
LINT := bin/golangci-lint-$(LINT_VERSION)
VULN_VERSION := v1.9.0

ARGS ?=
FUZZTIME ?= 10s
FUZZ_IN ?= cmd internal web
TEST_TIMEOUT ?= 10m
PACKAGES ?= ./...

# The race detector only slows these packages down, since one goroutine at a time uses each of their
# values: SQLite, which is C, translated to Go, and whose memory is not Go's; messages of the browser that
# tests drive; JSON, YAML, DEFLATE, SQL of migrations and command lines, as they are read and written. No
# package that calls sync.Map or other generic code that synchronizes can be here: it brings a copy of that
# code without the detector, which the linker may choose for all packages, and then races are reported that are none.
NO_RACE_IN := modernc.org/sqlite/lib modernc.org/libc modernc.org/memory github.com/chromedp/cdproto/... \
	$(addprefix github.com/go-json-experiment/json/,jsontext internal/jsonwire) \
	$(addprefix github.com/klauspost/compress/,flate gzip huff0 fse) \
	$(addprefix github.com/goccy/go-yaml/,ast lexer parser scanner token) \
	github.com/pressly/goose/v3/internal/sqlparser github.com/alecthomas/kong
NO_RACE := $(patsubst %,-gcflags=%=-race=false,$(NO_RACE_IN))

# The tests collect garbage less often, which takes a tenth less processor time, and half as much memory again.
TEST_GOGC ?= 200

# A program with the race detector sleeps for a second before it ends, which a test binary without
# goroutines that go on does not need.
TEST_GORACE ?= atexit_sleep_ms=10

# One more package at a time than there are processors, since tests also wait for other programs: on two
# that takes 4:18 instead of 4:54. Not in CI, whose tests of outages want the processors.
TEST_AT_ONCE ?= $(if $(filter true,$(CI)),,-p $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1))))

# What `broker version` says; empty, and then "unknown", outside a git repository.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null)
BUILD := casbroker/internal/app

# The profile that the compiler optimizes the broker by. PGO=off builds in half of the time; tests are built so.
PGO ?= cmd/broker/broker.pgo

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run build sbom test check lint bench chaos load growth fmt tidy openapi clients fuzz vuln vet fmt-check tidy-check clients-check

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

run: build ## Start the demo on http://127.0.0.1:8080 (ARGS="--help" lists its flags)
	@exec bin/broker demo $(ARGS)

build: ## Build bin/broker, with its version and commit
	@echo 'building; the first time takes a minute'
	@CGO_ENABLED=0 go build -buildvcs=false -pgo=$(PGO) -o bin/broker \
		-ldflags '-X $(BUILD).version=$(VERSION) -X $(BUILD).commit=$(COMMIT)' ./cmd/broker

sbom: build ## Write bin/broker.cdx.json: each module in bin/broker (CycloneDX)
	@go run ./cmd/sbom -version '$(VERSION)' bin/broker > bin/broker.cdx.json
	@echo 'bin/broker.cdx.json is written'

# Without -vet=off each package is also vetted, once more than by make vet.
test: ## Run the tests, with the race detector where a C compiler is installed
	@set -e; race='-race $(NO_RACE)'; \
	if [ "$$(go env CGO_ENABLED)" != 1 ] || ! printf '#include <stdlib.h>\n' \
		| $$(go env CC) -x c -fsyntax-only - 2>/dev/null; then \
		race=; export CGO_ENABLED=0; echo '!!! NO C COMPILER: the tests run without the race detector !!!'; \
		[ "$$CI" != true ] || { echo 'with CI=true nothing is skipped' >&2; exit 1; }; \
	fi; \
	[ "$$CI" = true ] || echo '!!! OUTAGES ARE NOT TESTED: make chaos tests them, and make test with CI=true !!!'; \
	go test -v -count=1 -run '^TestProgramsAreInstalled$$' ./internal/testkit/services; \
	set -x; GOGC=$(TEST_GOGC) GORACE=$(TEST_GORACE) go test $(TEST_AT_ONCE) -vet=off $$race -timeout $(TEST_TIMEOUT) $(PACKAGES)

check: fmt-check vet lint test openapi clients-check tidy-check ## Run everything that a change must pass
	@echo 'check: passed'

lint: $(LINT) ## Check for mistakes and for imports that are not allowed
	@$(LINT) run

bench: ## Measure tokens, blocks, the gateway, parsing, saves and events, as ratios to baselines
	@go run ./cmd/bench $(ARGS)
	@go test -run '^$$' -bench '^BenchmarkTokenWithManyBlocked$$' -benchtime 300x ./internal/app
	@go test -run '^$$' -bench '^BenchmarkParse$$' ./internal/statement
	@go test -run '^$$' -bench '^BenchmarkSave$$' -benchtime 5x ./internal/store
	@go test -run '^$$' -bench '^BenchmarkEvents$$' -benchtime 1000x ./internal/webhook
	@go test -run '^$$' -bench '^BenchmarkSaveToWebhook$$' -benchtime 1000x ./internal/app

load: ## Send a day's traffic at a rate, and measure it (ARGS="-soak", ARGS="-store postgres -rate 500", ARGS=-help)
	@go run ./cmd/bench load $(ARGS)

growth: ## Measure how cost grows with replicas, blocks and stored rows (ARGS=-help)
	@go run ./cmd/bench growth $(ARGS)

pgo: ## Record cmd/broker/broker.pgo, by which make build optimizes the broker, under the load of make bench
	@set -e; folder=$$(mktemp -d); trap 'rm -r "$$folder"' EXIT; \
	go run ./cmd/bench -profiles "$$folder" -users 5000 -requests 20000 -rounds 2 $(ARGS); \
	go tool pprof -proto "$$folder"/*.prof > cmd/broker/broker.pgo

fmt: $(LINT) ## Format the Go code
	@$(LINT) fmt

tidy: ## Bring go.mod and go.sum up to date
	@go mod tidy

openapi: ## Check web/openapi.yaml, its examples too
	@go test -count=1 -run '^TestOpenAPIFileIsValid$$' ./internal/testkit/apitest

clients: ## Generate the clients in web/clients from web/openapi.yaml
	@web/clients/generate

chaos: ## Kill, freeze and fill what the broker needs, under load, for ten minutes (internal/outage)
	CASBROKER_CHAOS=1 go test -count=1 -v -timeout 30m $(ARGS) ./internal/outage
	go test -count=1 -v -run 'PgBouncer|FormerPrimary|MoreConnections' ./internal/store ./internal/app

fuzz: ## Run each fuzz target in FUZZ_IN (all) for FUZZTIME (10s)
	@set -e; for file in $$(find $(FUZZ_IN) -name '*_test.go' -exec grep -l '^func Fuzz' {} +); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "$$target in $$file"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$$(dirname "$$file")"; \
		done; \
	done

vuln: ## Check for known vulnerabilities (asks vuln.go.dev)
	@GOFLAGS= go run golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION) ./...

vet:
	@go vet ./...

fmt-check:
	@bad=$$(gofmt -l cmd internal web); [ -z "$$bad" ] || { \
		echo 'not formatted, run make fmt:' >&2; echo "$$bad" >&2; exit 1; }

clients-check:
	@web/clients/generate --check

tidy-check:
	@go mod tidy -diff

# GOFLAGS meant for this module must not bend the build of a tool.
$(LINT):
	@echo "building golangci-lint $(LINT_VERSION), which takes some minutes the first time"
	@GOFLAGS= GOBIN="$(CURDIR)/bin" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv bin/golangci-lint $@
