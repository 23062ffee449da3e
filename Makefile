# What people type. Each target first sets up what it needs (runtime/testkit/setup.sh).

.DEFAULT_GOAL := help

# Rust as rustup leaves it, for a shell that was open before.
export PATH := $(HOME)/.cargo/bin:$(PATH)

SETUP := runtime/testkit/setup.sh
# Without its default features the runner is compiled in seconds.
TESTRUN := cargo run --package lavka-testkit --no-default-features --bin testrun --
# make test TEST='--package lavka-tests rest'
TEST := --workspace --no-fail-fast

.PHONY: help demo test soak bench lint format setup

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name what; do \
		printf '  make %-8s %s\n' "$$name" "$$what"; done

demo: ## MQTT to Kafka to scored Parquet in half a minute (BOOTSTRAP=host:port uses a Kafka of yours)
	@$(SETUP) build
	@echo 'demo: building a release'
	cargo build --release --package lavka
	cargo run --quiet --release --package lavka -- demo $(if $(BOOTSTRAP),--bootstrap '$(BOOTSTRAP)')

test: ## all tests, against Apache Kafka and Mosquitto (TEST='--package NAME' narrows them down)
	@$(SETUP) tests
	$(TESTRUN) test $(TEST)

soak: ## the same tests with many more rounds
	@$(SETUP) tests
	LAVKA_SOAK=1 $(TESTRUN) test $(TEST)

bench: ## micro benches, then throughput and memory end to end
	@$(SETUP) tests
	cargo bench --workspace
	@if [ -e tests/src/bin/bench.rs ] || [ -e tests/src/bin/bench/main.rs ]; then set -x; \
		$(TESTRUN) exec cargo run --release --package lavka-tests --bin bench; fi

lint: ## formatting, clippy, licences, bans and sources
	@$(SETUP) lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	@if command -v cargo-deny >/dev/null; then set -x; cargo deny --locked check bans licenses sources; \
		else echo 'lint: licences, bans and sources NOT checked, for cargo-deny is not installed'; fi

format: ## format the code
	cargo fmt --all

setup: ## install all that the targets above need
	@$(SETUP) lint
	@$(SETUP) tests
