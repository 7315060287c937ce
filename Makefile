# The commands of the repository. `make run` and `make test` need nothing but Debian and a Rust
# toolchain; what tests need beyond that is installed by `make test` itself.

ARGS ?=
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: run test unit clients bench soak ci fmt tidy cargo nextest packages

# Builds and starts the gateway. Provider keys in the environment choose what is served; without any
# it starts in demo mode. `make run ARGS="-c weighbridge.yaml"` passes arguments on.
run: cargo
	@cargo run --release --package gateway --bin weighbridge -- serve $(ARGS)

# Everything that can fail.
test: unit clients

unit: cargo nextest
	cargo nextest run --workspace $(ARGS)
	cargo test --doc --workspace --quiet

# The vendors' own SDKs, from their registries, against the gateway and simulated providers.
CLIENTS := $(wildcard clients/run)
clients: cargo packages
	$(if $(CLIENTS),./$(CLIENTS),@echo "clients: no scripts in this tree")

# Ratios to a null proxy in the same run; see bench/.
bench: cargo
	./bench/run $(ARGS)

# What takes longer than a merge may: every fuzz target for FUZZ_SECONDS, then strange requests by
# the ten thousand against the gateway itself; see fuzz/ and soak/.
FUZZ_SECONDS ?= 300
soak: cargo packages
	for target in fuzz/targets/*.rs; do ./fuzz/run "$$(basename "$$target" .rs)" $(FUZZ_SECONDS); done
	./soak/run $(ARGS)

ci: cargo
	./.ci/run

fmt: cargo
	cargo fmt --all

tidy: cargo
	cargo xtask tidy

cargo:
	@command -v cargo >/dev/null || { \
	  echo "Weighbridge is built from source with Rust, and cargo was not found on this machine."; \
	  echo "Install the toolchain with rustup (https://rustup.rs), then run the same command again:"; \
	  echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"; \
	  echo "A C compiler is needed too: apt-get install build-essential"; \
	  exit 1; } >&2
	@command -v cc >/dev/null || { \
	  echo "A C compiler is needed to build SQLite: apt-get install build-essential" >&2; exit 1; }

nextest: cargo
	@command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

# Debian packages of the client tests; nothing is asked for and nothing installed that is there.
packages:
	@missing=""; \
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	if [ -n "$$missing" ]; then \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing; \
	fi
