# What one does in this repository. "make" alone lists it.
#
# Nothing has to be set up before: the targets that need PostgreSQL, Redis or PgBouncer
# install them first where they are missing (scripts/setup says what and why), and the
# tests and the example start private servers of them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Both modules: the library, and the examples, which have a go.mod of their own.
PACKAGES := ./... ./examples/...

# Settings, for the command line or the environment: make test PG=18 TESTFLAGS=-v
PG ?=
TESTFLAGS ?=
BENCH ?= .
BENCHARGS ?=
FUZZTIME ?= 20s
OPS ?= 1000000
JOBS ?= 1000
ARGS ?=

# PG=18 runs on that PostgreSQL, fetched by scripts/fetch-postgres, and not on the system's.
with_postgres = $(if $(PG),export TENANTWALL_PG_BIN && TENANTWALL_PG_BIN=$$(scripts/fetch-postgres $(PG)) &&)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what tests and example need and this machine lacks
	@$(with_postgres) scripts/setup

# The program is built and then takes make's place for the shell, because "go run" keeps
# SIGTERM from its child.
.PHONY: run
run: ## start the Notes example with all its servers; Ctrl-C ends them (ARGS="-addr :9090")
	@$(with_postgres) scripts/setup example && go build -o bin/notes ./examples/notes && exec bin/notes $(ARGS)

# One package's tests after the other (-p 1): servers and browsers of two at once wait so long
# for two cores that tests which wait for them give up. Vet goes first, and with -race it
# compiles on all cores what the tests then need.
.PHONY: test
test: ## format check, vet, and all tests of both modules with the race detector (PG=18)
	@$(with_postgres) scripts/setup && $(MAKE) --no-print-directory check-format && \
	  export CGO_ENABLED=1 && go vet -race $(PACKAGES) && \
	  go test -race -vet=off -shuffle=on -timeout 20m -p 1 $(TESTFLAGS) $(PACKAGES)

.PHONY: test-short
test-short: ## the quick tests alone, without the race detector
	@$(with_postgres) scripts/setup && go test -short -timeout 3m $(TESTFLAGS) $(PACKAGES)

.PHONY: vet
vet: ## go vet
	@go vet $(PACKAGES)

.PHONY: check-format
check-format: ## gofmt, changing nothing
	@unformatted=$$(gofmt -l .) && { [[ -z $$unformatted ]] || { echo "not formatted, \"make format\" mends it:"; echo "$$unformatted"; exit 1; }; }

.PHONY: format
format: ## gofmt, in place
	@gofmt -w .

.PHONY: lint
lint: ## golangci-lint by .golangci.yml, go.mod tidy, each module alone, shellcheck
	@scripts/lint

.PHONY: tidy
tidy: ## go mod tidy in both modules
	@go mod tidy && cd examples && go mod tidy

.PHONY: bench
bench: ## what a tenant costs, side by side (BENCHARGS="-rounds 5"), then all benchmarks (BENCH=regexp)
	@$(with_postgres) scripts/setup && go run ./internal/bench $(BENCHARGS) && \
	  go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m $(TESTFLAGS) $(PACKAGES)

.PHONY: torture
torture: ## isolation in its long form: of sessions (OPS=1000000 operations), and of jobs (JOBS=1000)
	@$(with_postgres) scripts/setup && \
	  TENANTWALL_TORTURE_OPS=$(OPS) go test -run Torture -count=1 -v -timeout 60m $(TESTFLAGS) ./tenantdb/... && \
	  TENANTWALL_TEMPORAL_JOBS=$(JOBS) go test -run JobsOfFiftyTenants -count=1 -v -timeout 60m $(TESTFLAGS) ./examples/internal/temporalxtests

.PHONY: fuzz
fuzz: ## each fuzz target for a while (FUZZTIME=20s)
	@$(with_postgres) scripts/setup && scripts/fuzz $(FUZZTIME)

.PHONY: clean
clean: ## remove what these targets have built
	@rm -rf bin
