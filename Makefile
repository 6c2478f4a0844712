# SPDX-License-Identifier: Apache-2.0
# What people type. Meson and ninja do the work underneath; `make help` lists the targets.
BUILD ?= build
JOBS ?= $(shell nproc)
MESON_ARGS ?=

.DEFAULT_GOAL := all
.PHONY: all bootstrap bootstrap-apps demo test test-all bench lint fuzz format install clean help

all: $(BUILD)/build.ninja ## build everything
	@ninja -C $(BUILD) -j $(JOBS)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || tools/bootstrap
	meson setup $(BUILD) $(MESON_ARGS)

bootstrap: ## install the Debian/Ubuntu packages that are missing (asks sudo when not root)
	@tools/bootstrap

bootstrap-apps: ## those, and the applications that the slow tests run in the enclave
	@tools/bootstrap --apps

demo: bootstrap all ## show the main job end to end
	@tools/demo $(BUILD)

test: bootstrap all ## run the tests
	@tools/run-tests $(BUILD)

test-all: bootstrap-apps all ## run the tests, slow suites included
	@tools/run-tests $(BUILD) --slow

bench: bootstrap all ## measure native and nacre side by side, into build/bench.json
	@$(BUILD)/src/cli/nacre bench --json $(BUILD)/bench.json

lint: bootstrap ## formatting, layering, forbidden calls, scripts
	@tools/lint.sh

fuzz: bootstrap ## fuzz every target for FUZZ_SECONDS (default 60) with libFuzzer
	@tools/fuzz

format: ## rewrite the C files to the house style
	@git ls-files '*.c' '*.h' ':!*.tbl.h' | xargs clang-format -i

install: all ## install to the prefix given to meson (default /usr/local)
	@meson install -C $(BUILD)

clean: ## remove the build directory
	rm -rf $(BUILD)

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14
