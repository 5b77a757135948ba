# What there is to do here; `make help` lists it.
CARGO ?= cargo
PREFIX ?= $(HOME)/.local
# For `make dist`: a platform in Rust's words, the machine's own if empty; `dev` builds faster, and no release.
TARGET ?=
DIST_PROFILE ?= release
DIST = $(CARGO) run --locked --quiet --example dist --
KREW ?= krew
# For `make fuzz`.
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help build install demo check lint audit setup test coverage soak cluster bench fuzz dist dist-index krew-check sign release-notes

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

build: ## the binary, optimised, in target/release
	$(CARGO) build --release --locked

install: build ## the binary in $(PREFIX)/bin, under the names that kubectl, idpbuilder and docker look for
	install -D -m 755 target/release/idpbuilder-push $(PREFIX)/bin/idpbuilder-push
	ln -sf idpbuilder-push $(PREFIX)/bin/kubectl-idpbuilder_push
	ln -sf idpbuilder-push $(PREFIX)/bin/docker-credential-idpbuilder

demo: ## builds, starts a registry of its own, and pushes testdata into it; no cluster needed
	$(CARGO) build --locked
	$(CARGO) run --locked --quiet --example demo

lint: ## formatting, clippy, documentation
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --lib --quiet

audit: ## licences, sources and unused dependencies; installs the two tools that look
	command -v cargo-machete >/dev/null || $(CARGO) install --locked --quiet cargo-machete
	command -v cargo-deny >/dev/null || $(CARGO) install --locked --quiet cargo-deny
	$(CARGO) machete
	$(CARGO) deny --all-features check bans licenses sources

check: lint ## all that needs no real server
	$(CARGO) test --locked --lib --bins --test it

setup: ## installs and builds the servers that `make test` starts
	tests/servers/setup

test: setup ## everything, against real servers too
	$(CARGO) test --locked

soak: setup ## the long tests, with figures: a million traces, hundreds of kills and signals, a thousand pushes
	PROPTEST_CASES=1000000 $(CARGO) test --locked --lib registry::upload
	IDPBUILDER_PUSH_SOAK=1 $(CARGO) test --locked --test it soak:: -- --nocapture --test-threads=1
	IDPBUILDER_PUSH_SOAK=1 $(CARGO) test --locked --test e2e -- killed_at_any_moment
	IDPBUILDER_PUSH_SOAK=1 $(CARGO) test --locked --test e2e -- a_gitea_that_stands_still
	IDPBUILDER_PUSH_SOAK=1 $(CARGO) test --locked --lib fuzz::tests

coverage: setup ## lines that tests run, without and with real servers
	tests/coverage --all

cluster: setup ## a cluster of the tests' own servers to try the program on, until Enter
	$(CARGO) test --locked --test e2e -- hold

bench: setup ## against skopeo, crane and others on this machine; WORK=web PEERS=skopeo,crane ROUNDS=5 for a part
	tests/servers/setup peers
	$(CARGO) bench --locked --bench peers

dist: ## the archive of a release for this machine, its sum and the manifest for krew, in target/dist; TARGET=TRIPLE for another
	$(DIST) archive --profile $(DIST_PROFILE) $(if $(TARGET),--target $(TARGET))

dist-index: ## sums, the manifest for krew and the list of what is built in, for all archives in target/dist
	$(DIST) index

krew-check: ## installs the archive of `make dist` by the real krew, into a folder of its own; KREW=FILE
	tests/krew-check $(KREW)

release-notes: ## what CHANGELOG.md says of TAG=vX.Y.Z, which must be the version that is built
	@$(DIST) notes $(TAG)

sign: ## a signature of target/dist/SHA256SUMS; needs cosign and somebody who may sign
	cosign sign-blob --yes --bundle target/dist/SHA256SUMS.sigstore.json target/dist/SHA256SUMS

fuzz: ## looks for bytes that a parser does not bear; TARGET=tar SECONDS=60; the list is in src/fuzz.rs
	command -v cargo-fuzz >/dev/null || $(CARGO) install --locked --quiet cargo-fuzz
	cp Cargo.lock fuzz/Cargo.lock
	mkdir -p fuzz/corpus/$(or $(TARGET),tar)
	TARGET=$(or $(TARGET),tar) $(CARGO) +nightly fuzz run parsers fuzz/corpus/$(or $(TARGET),tar) fuzz/seeds/$(or $(TARGET),tar) -- \
		-max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=512
