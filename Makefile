# TOPS, the Onion Pay Stream. `make help` lists what there is.

GO       ?= go
ROOT     := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
# Tests with a Tor network need a network namespace, and that needs root.
AS_ROOT  := $(if $(ROOT),-exec "$(ROOT)")
PACKAGES ?= ./...
# Worlds of real processes with rounds of a second or two: one at a time, so that
# none is late because of another.
REALTIME := /cmd/tops /internal/e2e /internal/killtest /internal/plugin /internal/testnet /internal/tor /test/controllers

.PHONY: help build deb release reproducible vulncheck demo picture test test-world test-compose screenshots soak check bench fuzz clean tools-tor tools-cc tools-bench tools-chromium tools-world tools-docker tools-packages

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/tops
	$(GO) build -trimpath -o bin/tops ./cmd/tops

deb: ## dist/tops_…_ARCH.deb for this machine's architecture, or those of ARCH
	@scripts/release $(or $(ARCH),$(shell $(GO) env GOARCH))
	@ls dist/*.deb

release: ## dist: packages and tarballs for amd64 and arm64, SBOM, SHA256SUMS
	@scripts/release
	@cat dist/SHA256SUMS

reproducible: ## build the release again from a copy of the source, elsewhere and from nothing, and compare
	@scripts/reproducible

vulncheck: ## known vulnerabilities, where their database can be reached
	@scripts/vulncheck

demo: tools-tor build ## see it all happen: real tor, play money, two minutes
	$(ROOT) bin/tops demo

picture: tools-tor build ## draw docs/demo.svg, which README shows, from a run of the demonstration
	$(ROOT) bin/tops demo | $(GO) run ./scripts/picture 'make demo' >bin/demo.svg
	grep -q 'demo: ok' bin/demo.svg && mv bin/demo.svg docs/demo.svg

test: tools-tor tools-cc check ## every test, with the race detector and real tor
ifeq ($(PACKAGES),./...)
	scripts/again $(GO) test -race -timeout 10m $(AS_ROOT) $$($(GO) list ./... | grep -v $(addprefix -e ,$(REALTIME)))
	scripts/again $(GO) test -race -timeout 10m -p 1 $(AS_ROOT) $(addprefix .,$(filter-out /internal/killtest,$(REALTIME)))
	scripts/again $(GO) test -race -v -timeout 10m ./internal/killtest # last and aloud: its figures are to be seen
else
	$(GO) test -race -timeout 10m $(AS_ROOT) $(PACKAGES)
endif

test-world: tools-tor tools-cc tools-world tools-packages tools-bench build ## what README says first, timed; the pages followed; the books on PostgreSQL; the status page in Chromium; apps with three paid exits; docker-compose.yml; controllers from Debian's packages through the proxy; the release twice, and the package on a Debian with systemd; with STEM=checkout, stem's own suite
	$(GO) vet -tags world ./test/... ./ledger ./internal/chromium ./internal/web ./internal/e2e
	TOPS=$(CURDIR)/bin/tops scripts/again $(GO) test -tags world -v -timeout 10m $(AS_ROOT) -run 'TestWalk|TestNewcomer' ./test/pages
	scripts/again $(GO) test -race -tags world -timeout 10m ./ledger ./test/fleet
	scripts/again $(GO) test -race -tags world -timeout 5m ./internal/web
	scripts/again $(GO) test -race -tags world -v -timeout 5m $(AS_ROOT) -run 'TestPage$$' ./internal/e2e
	scripts/again $(GO) test -race -tags world -v -timeout 10m $(AS_ROOT) -run 'TestApps$$' ./internal/e2e
	TOPS=$(CURDIR)/bin/tops scripts/again $(GO) test -race -tags world -v -timeout 7m $(AS_ROOT) -run TestPrograms ./test/controllers
	$(GO) vet -tags world ./test/packages ./test/fleet
	scripts/reproducible
	scripts/again $(GO) test -tags world -count 1 -v -timeout 15m $(AS_ROOT) ./test/packages
	$(MAKE) test-compose
	@echo "left out: bitcoind and lnd, which are no packages of Debian's"
	@if [ -n "$(STEM)" ]; then $(ROOT) env STEM=$(STEM) TOPS=$(CURDIR)/bin/tops test/controllers/stem_suite.py; \
	else echo "left out: stem's own suite, since STEM names no checkout of it"; fi

test-compose: tools-docker ## the world of docker-compose.yml with the simulator: from nothing, paid, cut, down, nothing left
	scripts/again $(GO) test -tags world -v -timeout 30m $(AS_ROOT) ./test/compose

screenshots: tools-chromium ## take the pictures of docs/screenshots anew
	TOPS_SCREENSHOTS=1 $(GO) test -tags world -count 1 -run TestScreenshots ./internal/web

soak: tools-tor tools-cc ## 300 kills of payer and payee each, a minute without a node, 1,000 bad controllers, each parser of the control port fuzzed for 10 minutes
	$(GO) test -race -v -timeout 60m ./internal/killtest -soak
	$(GO) test -race -v -timeout 20m $(AS_ROOT) -run TestClient ./test/controllers -soak
	@scripts/fuzz $(or $(FUZZTIME),10m) controlspec proxy policies/access internal/tor

check: ## formatting, vet, staticcheck, no skipped tests
	@scripts/check

bench: tools-tor tools-bench ## ratios against a direct connection
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m -p 1 $(AS_ROOT) $(PACKAGES)

fuzz: ## each parser for FUZZTIME (default 10s)
	@scripts/fuzz $(or $(FUZZTIME),10s)

clean: ## remove what was built
	rm -rf bin dist

# What comes from Debian's packages, when it is missing.
tools-tor:
	@scripts/need tor tor

tools-cc:
	@scripts/need gcc gcc libc6-dev

tools-chromium:
	@scripts/need chromium chromium fonts-dejavu-core

tools-world: tools-chromium
	@scripts/need /usr/lib/postgresql postgresql
	@scripts/need nyx nyx
	@scripts/need onionshare-cli onionshare-cli
	@scripts/need tmux tmux
	@scripts/need /usr/lib/python3/dist-packages/txtorcon python3-txtorcon
	@scripts/need /usr/lib/python3/dist-packages/stem python3-stem

tools-docker:
	@scripts/need mmdebstrap mmdebstrap
	@scripts/need docker docker.io
	@scripts/need curl curl
	@scripts/need docker-compose docker-compose
	@$(ROOT) docker info >/dev/null || { echo "Docker's daemon does not answer" >&2; exit 1; }

tools-packages: tools-docker
	@scripts/need mandoc mandoc
	@scripts/need man man-db
	@scripts/need lintian lintian
	@scripts/need zsh zsh
	@scripts/need fish fish

tools-bench:
	@scripts/need socat socat
