# Plain `make` lists the targets.
SHELL := /bin/bash
GO ?= go
VERSION := $(shell git describe --tags --match 'v*' 2>/dev/null | sed 's/^v//')
# Relocations of position-independent programs are packed: 9 MB less memory of all components.
LDFLAGS := -linkmode=external -extldflags=-Wl,-z,pack-relative-relocs -s -w -X libra/pkg/daemon.Version=$(or $(VERSION),0.1.0) -X libra/pkg/cli.Version=$(or $(VERSION),0.1.0)
BIN := build/bin
PROGRAMS := $(notdir $(wildcard cmd/libra*))

.DEFAULT_GOAL := help
.PHONY: help setup build release run lab test check bench faults soak load accuracy hostile fuzz install uninstall clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install the Debian packages that the targets below need (root)
	@scripts/setup

build: ## compile the programs into build/bin
	@mkdir -p $(BIN)
	$(GO) build -buildmode=pie -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ $(PROGRAMS:%=./cmd/%)

release: build ## pack a release, which libra upgrade and scripts/deploy take
	@scripts/release

run: ## set up, start the appliance, inspect a real page
	@scripts/setup
	@$(MAKE) --no-print-directory build
	@scripts/run

lab: ## set up, start an appliance to load and break on purpose (docs/lab.md)
	@scripts/setup
	@$(MAKE) --no-print-directory build
	@scripts/lab

test: ## set up, then run every test: unit, integration, appliance, browser
	@scripts/setup
	@$(MAKE) --no-print-directory build
	@scripts/test

check: ## formatting, vet, staticcheck, known vulnerabilities
	@scripts/setup
	@scripts/check

bench: ## set up, then measure start, memory, recovery and speed
	@scripts/setup wrk
	@$(MAKE) --no-print-directory build
	@scripts/bench

accuracy: ## set up, then compare with Chromium on real pages, scripts off and on
	@scripts/accuracy

hostile: ## inspect pages of servers that misbehave, and print the results
	$(GO) test -count=1 -v ./pkg/inspect/hostile | grep -vE '^(=== |    --- |--- )'; exit $${PIPESTATUS[0]}

fuzz: ## run every fuzz target for a minute
	@scripts/fuzz

faults: ## set up, then break Libra in every way of docs/survival.md, and check the promises
	@scripts/setup
	@$(MAKE) --no-print-directory build
	@scripts/faults

soak: ## set up, then inject random faults for MINUTES=10, and check the totals
	@scripts/setup
	@$(MAKE) --no-print-directory build
	@scripts/soak $(or $(MINUTES),10)

load: ## set up, then ask too much of Libra, and print what was wanted beside what was measured
	@scripts/setup
	@$(MAKE) --no-print-directory build
	@scripts/load

install: build ## install programs and units on a host that runs systemd (root)
	@scripts/install

uninstall: ## remove them; the state in /var/lib/libra stays (root)
	@scripts/uninstall

clean: ## stop the appliances of this tree, and remove build/
	@for d in build/appliance/*/; do [ -d "$$d" ] && APPLIANCE_NAME=$$(basename "$$d") scripts/appliance down; done; true
	@rm -rf build
