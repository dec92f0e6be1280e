# The two commands: `make run` starts a node, `make test` proves it. `make help` lists the rest.
# Everything is built in .venv; compiled Rust is kept outside the clone (CARGO_TARGET_DIR), so that clones share it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := $(or $(QUIDDITCH_CACHE),$(XDG_CACHE_HOME),$(HOME)/.cache)/quidditch
export CARGO_TARGET_DIR ?= $(CACHE)/target
export PIP_DISABLE_PIP_VERSION_CHECK := 1
KERNEL_SOURCES := $(shell find kernel -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.lock' -o -name '*.py' -o -name '*.pyi' \))
ARGS ?=
WORKERS ?= 3

.DEFAULT_GOAL := help
KUBE := etcd etcdctl etcdutl kube-apiserver kube-controller-manager kube-scheduler kubectl helm
.PHONY: help run demo test test-rust test-python lint fmt compat bench bench-control bench-fanout bench-replication bench-failover chaos test-sim lock protos clean system etcd-if-possible kube-binaries kube-up kube-down test-kube $(KUBE)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.kernel ## start a node on 127.0.0.1:9200 (ARGS='--http-port 9201' passes flags on)
	@exec $(BIN)/quidditch run $(ARGS)

demo: $(VENV)/.kernel ## index the documentation of this Python installation and search it
	@exec $(BIN)/quidditch demo $(ARGS)

test: test-rust test-python ## everything that must not break; on Kubernetes where its binaries are built (make test-kube builds them)

test-rust: system
	cd kernel && cargo test --release --locked -p quidditch-core

test-python: $(VENV)/.dev etcd-if-possible
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not slow' $(ARGS)

lint: $(VENV)/.dev ## layers, types, style, stub drift, clippy
	$(BIN)/ruff check src tests benchmarks tools kernel/python
	$(BIN)/ruff format --check src tests benchmarks tools kernel/python
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest quidditch_kernel --ignore-missing-stub
	cd kernel && cargo fmt --check && cargo clippy --release --locked -p quidditch-core -- -D warnings

fmt: $(VENV)/.dev ## format everything
	$(BIN)/ruff check --fix src tests benchmarks tools kernel/python || true
	$(BIN)/ruff format src tests benchmarks tools kernel/python
	cd kernel && cargo fmt

compat: $(VENV)/.dev ## all of OpenSearch's REST tests; writes docs/compatibility.md
	$(BIN)/python -m tests.compat --table docs/compatibility.md $(ARGS)

bench: $(VENV)/.dev ## figures as ratios in one run; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks $(ARGS)

bench-control: $(VENV)/.dev etcd-if-possible ## the control plane beside bare etcd in one run; writes docs/benchmarks-control.md
	$(BIN)/python -m benchmarks.control $(ARGS)

bench-fanout: $(VENV)/.dev etcd-if-possible ## searches over several shards on two nodes beside one shard; writes docs/benchmarks-fanout.md
	$(BIN)/python -m benchmarks.fanout $(ARGS)

bench-replication: $(VENV)/.dev etcd-if-possible ## writes with a replica and recoveries beside bare copies; writes docs/benchmarks-replication.md
	$(BIN)/python -m benchmarks.replication $(ARGS)

bench-failover: $(VENV)/.dev etcd-if-possible ## how long writes wait when a primary's node dies, hangs or is cut off; writes docs/benchmarks-failover.md
	$(BIN)/python -m benchmarks.failover $(ARGS)

chaos: $(VENV)/.dev etcd-if-possible ## documents (or metadata) while nodes are killed, paused, cut off and filled up, by chance (ARGS='--minutes 30 --seed 7')
	$(BIN)/python -m tests.chaos $(ARGS)

SEEDS ?= 1000
test-sim: $(VENV)/.dev ## simulated clusters in which everything goes wrong (SEEDS=100; START=7 shows what happens in one)
	$(BIN)/python -m tests.sim $(if $(START),--start $(START) --seeds 1 --trace,--seeds $(SEEDS)) $(ARGS)
	$(if $(START),,$(BIN)/python -m pytest --timeout 1200 tests/sim/test_mutations.py)

etcd: ## an etcd on PATH, or one built with Go and kept outside the clone; prints where it is
$(KUBE):
	@sh tools/kube/get.sh $@

etcd-if-possible:
	@sh tools/kube/get.sh etcd >/dev/null || [ $$? -eq 3 ]

KUBE_CLUSTER := etcd kube-apiserver kube-controller-manager kube-scheduler kubectl helm
kube-binaries:
	@for name in $(KUBE_CLUSTER); do sh tools/kube/get.sh $$name >/dev/null || exit 1; done

kube-up: $(VENV)/.dev kube-binaries ## a Kubernetes on this machine whose pods are processes (root; ARGS='--nodes 5 --zones a,b')
	@$(BIN)/python -m tools.kube up $(ARGS)

kube-down: ## end it and all that it started
	@$(BIN)/python -m tools.kube down $(ARGS)

test-kube: $(VENV)/.dev kube-binaries ## what needs a whole Kubernetes
	$(BIN)/python -m pytest tests/kube $(ARGS)

protos: $(VENV)/.dev ## renew what is generated from .proto files
	$(BIN)/python -m grpc_tools.protoc -I src --python_out=src --pyi_out=src quidditch/store/etcd/wire.proto

lock: $(VENV)/.dev ## renew the locked dependencies
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-package quidditch-kernel --group run --group dev -o requirements/dev.txt pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-package quidditch-kernel --group run -c requirements/dev.txt -o requirements/run.txt pyproject.toml

clean: ## remove the virtual environment and caches of the clone
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

system:
	@PYTHON=$(PYTHON) sh tools/check_system.sh

$(VENV)/.run: requirements/run.txt pyproject.toml | system
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --require-hashes -r requirements/run.txt
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.kernel: $(VENV)/.run $(KERNEL_SOURCES)
	@echo "building the kernel (some minutes the first time)"
	cd kernel && VIRTUAL_ENV=$(abspath $(VENV)) $(abspath $(BIN))/maturin develop --release --locked -q
	@touch $@

$(VENV)/.dev: $(VENV)/.kernel requirements/dev.txt
	$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@touch $@
