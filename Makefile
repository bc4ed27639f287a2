# `make` alone says what there is. CI runs `make test check-rest release e2e image bench`; each can run anywhere.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Steps of one target may run side by side, targets that build may not: cargo would only wait for itself.
.NOTPARALLEL:

CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR

# How cargo-deny is installed: without optimisation, which takes a third of the time and costs a second at run time.
CARGO_DENY := env -u CARGO_TARGET_DIR cargo install cargo-deny --locked --debug

.PHONY: help
help: ## Say what there is
	@printf 'Cirque: a load balancer that reads nginx.conf\n\n'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  docker compose up -d  the same in containers, on http://localhost/\n'

# -- run it -----------------------------------------------------------------------------------------------------------

.PHONY: demo demo-stop switch down
# DEMO_PROGRAMS: a folder that has the programs, instead of compiling them.
demo: demo-tools $(if $(DEMO_PROGRAMS),,build) ## Four backends and lb on 127.0.0.1:8080 and :8443 (HTTPS), without Docker; Ctrl-C ends it
	@exec deploy/demo.sh start

demo-stop: ## End a demo that runs in the background
	@deploy/demo.sh stop

switch: docker-tools ## Put another balancer in front: TO=pingora, TO=nginx or TO=original
	@deploy/switch.sh "$(TO)"

down: ## Stop and remove every container of the stack, whatever profile it belongs to
	@COMPOSE_PROFILES='*' docker compose down

# -- build and prove --------------------------------------------------------------------------------------------------

.PHONY: build release image test check check-rest judge fuzz edge e2e bench bench-bodies bench-edge
build: build-tools ## Compile the programs, into target/release
	@cargo build --release --locked --workspace --bins

release: release-tools ## Compile them as they are shipped, lb by what a run under load counted, into target/shipped
	@deploy/release.sh

image: docker-tools release ## Make the images cirque/lb, cirque/backend and cirque/loadgen of what release leaves
	@deploy/lay-out.sh $(CARGO_TARGET_DIR)/shipped target/image
	@PROGRAMS=shipped docker compose --profile '*' build lb backend loadgen
	@built=$$(docker run --rm cirque/lb -V 2>&1); printf '%s\n' "$$built"; [[ $$built == *profile-guided* ]]

# The tests wait more than they compute: two for a processor at a time.
test: test-tools ## Run the tests of the workspace
	@RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$((2 * $$(getconf _NPROCESSORS_ONLN)))} cargo test --locked --workspace

check: test check-rest ## Everything but containers and measurements

check-rest: check-format check-lints check-docs check-dependencies check-examples check-compose judge fuzz edge ## Check without the tests
	@echo 'check: all is well'

e2e: e2e-tools docker-tools ## Test the containers: shares, switching, scaling, failing, reloading
	@deploy/stand-in-images.sh
	@deploy/e2e/run

# ROUNDS: how many random configurations are played besides the cases, drawn from SEED.
judge: bench-tools debug-lb ## Put lb and NGINX to the same configurations and requests: cases, and ROUNDS=200 drawn at random
	@status=0; \
	nginx-compat/judge/run $(CARGO_TARGET_DIR)/debug/lb || status=$$?; \
	nginx-compat/judge/contexts || status=$$?; \
	nginx-compat/judge/generate.py $(CARGO_TARGET_DIR)/debug/lb --rounds $(or $(ROUNDS),200) --seed $(or $(SEED),1) \
	    $(JUDGE_OPTIONS) || status=$$?; \
	exit $$status

# FUZZ_SECONDS: how long, all targets together.
fuzz: fuzz-tools ## Feed what reads strangers' bytes with bytes that reach new code, from the corpus in fuzz/, for FUZZ_SECONDS=60
	@fuzz/run $(FUZZ_OPTIONS)

# EDGE_RELOADS: how many reloads the load is to survive (20).
edge: edge-tools debug-lb ## Test TLS, HTTP/2 and gRPC with the programs of others: openssl, curl, nghttp, h2load, grpcio
	@deploy/edge/run $(CARGO_TARGET_DIR)/debug/lb $(CARGO_TARGET_DIR)/debug/backend
	@deploy/edge/run-grpc $(CARGO_TARGET_DIR)/debug/lb

bench: bench-tools release ## Measure lb against nginx and loadgen against wrk: CPU per request, memory per idle connection
	@bench/run $(CARGO_TARGET_DIR)/shipped/lb
	@bench/loadgen $(CARGO_TARGET_DIR)/shipped/loadgen

# BENCH_LB: the lb to measure, in place of the one that make release leaves.
bench-edge: bench-tools ## Measure TLS, HTTP/2 and gRPC against nginx
	@nginx=$$(deploy/nginx-current.sh); \
	bench/edge --nginx "$$nginx" $(BENCH_OPTIONS) $(or $(BENCH_LB),$(CARGO_TARGET_DIR)/shipped/lb)

bench-bodies: bench-tools ## Measure compressed answers against nginx
	@deploy/nginx-current.sh
	@bench/bodies $(BENCH_OPTIONS) $(or $(BENCH_LB),$(CARGO_TARGET_DIR)/shipped/lb)

# -- the parts of check -----------------------------------------------------------------------------------------------

.PHONY: debug-lb check-format check-lints check-docs check-dependencies check-examples check-compose
# The lb that the tests use. Built by itself it would take dependencies with other features, and compile them anew.
debug-lb: build-tools
	@cargo test --quiet --locked --workspace --no-run

check-format: check-tools
	@cargo fmt --all --check

check-lints: check-tools
	@cargo clippy --locked --workspace --all-targets -- -D warnings

# Naming examples, of which there are none, is what makes cargo take the dependencies with the features that the tests
# ask of them, as clippy has just checked them.
check-docs: build-tools
	@RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --workspace --no-deps --lib --bins --examples

check-dependencies: build-tools
	@cargo deny --version >/dev/null 2>&1 || { echo 'installing cargo-deny (a minute or two)'; $(CARGO_DENY) --quiet; }
	@deploy/check-dependencies.sh

# Every configuration that we ship or show must be one that lb takes. The one for the original names servers that only
# its own network knows; the container tests load it there.
check-examples: debug-lb
	@deploy/check-examples.sh $(CARGO_TARGET_DIR)/debug/lb

check-compose: docker-tools
	@for profile in pingora nginx original loadgen '*'; do \
	    docker compose --profile "$$profile" config --quiet; \
	done

# -- tools ------------------------------------------------------------------------------------------------------------

.PHONY: install-tools build-tools demo-tools fuzz-tools edge-tools release-tools test-tools check-tools e2e-tools bench-tools docker-tools
install-tools: ## Install what the targets need, or say what to install
	@deploy/require.sh build demo test check fuzz e2e edge bench
	@deploy/require.sh release
	@cargo deny --version 2>/dev/null || $(CARGO_DENY)
	@deploy/install-docker-tools.sh

build-tools:
	@deploy/require.sh build

demo-tools:
	@deploy/require.sh demo

fuzz-tools:
	@deploy/require.sh build fuzz

edge-tools:
	@deploy/require.sh build edge

release-tools:
	@deploy/require.sh build release

test-tools:
	@deploy/require.sh build test

check-tools:
	@deploy/require.sh build check

e2e-tools:
	@deploy/require.sh e2e

bench-tools:
	@deploy/require.sh build bench

docker-tools:
	@deploy/install-docker-tools.sh
