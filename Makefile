# SPDX-License-Identifier: Apache-2.0
# A short front for meson and the scripts: `make help` lists what there is.

BUILD ?= build
PYTEST = /usr/bin/python3 -m pytest
JOBS ?= 5
SETUP = scripts/setup_build

.DEFAULT_GOAL := build
.PHONY: build deps run test unit integration check check-rest format floors compilers sanitizers fuzz-replay tsan fuzz bench \
	reference install clean help

build: ## build build/strait with the compiler in CC (default gcc)
	@$(SETUP) $(BUILD)
	@ninja -C $(BUILD) --quiet

deps: ## install the Debian packages and the dashboard's modules that building and testing need
	@scripts/install_packages build test
	@scripts/fetch_page_modules

deps-build:
	@scripts/install_packages build
	@scripts/fetch_page_modules

run: deps-build build ## install what is missing, build, and start the demo
	@$(BUILD)/strait demo

test: deps ## install what is missing, build, and run all tests
	@$(MAKE) --no-print-directory build unit integration
	@scripts/count_results $(BUILD)/results

unit: build ## the unit tests and the checks of the repository itself
	@scripts/run_unit_tests $(BUILD)
	@$(PYTEST) -q tests/repository --junitxml=$(BUILD)/results/repository.xml

integration: build ## the integration tests, with real servers in network namespaces (root)
	@STRAIT=$(BUILD)/strait $(PYTEST) -q -n $(JOBS) --dist loadgroup -m "not alone" tests/integration \
		--junitxml=$(BUILD)/results/integration.xml
	@STRAIT=$(BUILD)/strait $(PYTEST) -q -m alone tests/integration --junitxml=$(BUILD)/results/integration-alone.xml

check: test check-rest ## everything that has to pass before a change is taken
	@scripts/count_results $(BUILD)/results build-sanitize/results build-clang/results

check-rest: format floors compilers sanitizers fuzz-replay

format: ## fail when a source is not formatted as .clang-format says
	@scripts/check_format

floors: ## fail when a source includes from a floor above its own
	@scripts/check_floors

compilers: ## gcc and clang, warnings as errors, unit tests with both
	@CC=gcc $(SETUP) build-gcc -Dwerror=true -Dtests=true && ninja -C build-gcc --quiet
	@CC=clang $(SETUP) build-clang -Dwerror=true && ninja -C build-clang --quiet
	@scripts/run_unit_tests build-clang

sanitizers: ## all tests again with the address and undefined-behaviour sanitizers
	@$(SETUP) build-sanitize -Db_sanitize=address,undefined && ninja -C build-sanitize --quiet
	@scripts/run_unit_tests build-sanitize
	@STRAIT=build-sanitize/strait $(PYTEST) -q -n $(JOBS) --dist loadgroup tests/integration \
		--junitxml=build-sanitize/results/integration.xml

fuzz-replay: ## run the fuzz corpora through the sanitized fuzz targets once
	@$(SETUP) build-sanitize -Db_sanitize=address,undefined && ninja -C build-sanitize --quiet
	@scripts/replay_corpora build-sanitize

tsan: ## unit and integration tests with the thread sanitizer
	@$(SETUP) build-tsan -Db_sanitize=thread && ninja -C build-tsan --quiet
	@scripts/run_unit_tests build-tsan
	@TSAN_OPTIONS=suppressions=$(CURDIR)/tests/unit/thread_sanitizer_suppressions.txt STRAIT=build-tsan/strait \
		$(PYTEST) -q -n $(JOBS) --dist loadgroup tests/integration --junitxml=build-tsan/results/integration.xml

fuzz: ## fuzz for FUZZ_SECONDS (default 600) with libFuzzer, keeping what it finds in build-fuzz
	@CC=clang $(SETUP) build-fuzz -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link && ninja -C build-fuzz --quiet
	@scripts/run_fuzzers build-fuzz $${FUZZ_SECONDS:-600}

bench: ## compare with haproxy and nginx (ONLY=name for one workload; ONLY=scrape: the cost of /metrics; ONLY=scale: growth; ONLY=costs: single decisions; ONLY=packet-guard: single packets; ONLY=refusals: what others notice)
	@scripts/install_packages build test bench
	@$(SETUP) build-release --buildtype=release && ninja -C build-release --quiet
	@STRAIT=build-release/strait /usr/bin/python3 bench/$(if $(filter scrape scale costs refusals packet-guard,$(ONLY)),$(subst -,_,$(ONLY)).py,run.py $(ONLY))

reference: build ## write the generated reference pages in docs/
	@$(BUILD)/strait explain --reference > docs/configuration.md
	@$(BUILD)/strait explain --api-reference > docs/admin-api.md
	@$(BUILD)/strait explain --metrics-reference > docs/metrics.md
	@scripts/list_alerts --write
	@examples/grafana/make_board.py > examples/grafana/strait.json

install: build ## install the program (DESTDIR and --prefix as meson has them)
	@meson install -C $(BUILD)

clean: ## remove everything that was built
	@rm -rf build build-*

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'
