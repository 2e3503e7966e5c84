# Fashion Forward: `make run` and `make test` are all a fresh machine needs.
# Variables: PORT and HOST (make run), ARGS (passed on), PYTHON (which interpreter builds .venv), PIP_ARGS (for pip).

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Uncompiled: of 24,000 files most are never imported, and compiling all takes longer than all else that pip does.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-compile --quiet $(PIP_ARGS)

# Threads that wait for each other sleep instead of spinning: beside other work, spinning takes 20 times as long.
export OMP_WAIT_POLICY ?= PASSIVE
# Nothing is compiled when it is installed: what is imported has to be kept, or each process compiles torch anew.
unexport PYTHONDONTWRITEBYTECODE

# Stamps live inside .venv, so deleting .venv forgets them; each is older than its list only when the list changed.
RUN := .venv/.installed-run
DEV := .venv/.installed-dev
BROWSER := .venv/.installed-browser
DATA := .venv/.installed-dataset
CLUSTER := .venv/.installed-cluster
ONNX := .venv/.installed-onnx
SERVERS := .venv/.installed-servers
PEERS := .cache/peers/gradio/.installed .cache/peers/spotlight/.installed

.PHONY: help run cluster test test-unit check lint types format test-faults bench-web bench-cold bench-peers bench-table bench-scale bench-train bench-latency bench-inference bench-load models ablation artifacts plotly clean
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN) ## serve the app on http://127.0.0.1:8050 (PORT and HOST change it)
	@exec $(BIN)/python app.py $(ARGS)

cluster: $(RUN) $(CLUSTER) ## the app with Redis and Celery's workers on this machine (docs/cluster.md)
	@exec $(BIN)/python tools/cluster.py $(ARGS)

CORES := $(shell c=$$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2); echo $$((c < 2 ? 2 : c > 4 ? 4 : c)))
# Whole files, one a core, so that what a file sets up is set up once; tests/conftest.py puts long ones first.
FILES := -n $(CORES) --dist loadfile --no-loadscope-reorder
# Faults wait for heartbeats, leases and processes a third of their time: one for two cores, each by itself.
FAULTS := -n $(shell echo $$(($(CORES) / 2))) --dist worksteal

# Faults run beside the rest, which uses what they leave; at full count (test-faults) each is alone.
test: $(DEV) $(CLUSTER) $(BROWSER) $(DATA) $(SERVERS) ## every test, browser and data set included
	@$(BIN)/python tools/beside.py $(BIN)/python -m pytest $(FILES) -m "not faults" $(ARGS) \
		--beside $(BIN)/python -m pytest $(FAULTS) -m faults $(ARGS)

test-unit: $(DEV) $(CLUSTER) ## what needs neither browser nor faults, on toy data
	$(BIN)/python -m pytest -m "not browser and not faults" $(ARGS)

check: lint types ## formatting, lint and types

lint: $(DEV) ## formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(DEV) ## types alone
	$(BIN)/mypy ml dashboard fashion_forward app.py

format: $(DEV) ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-faults: $(DEV) $(CLUSTER) $(BROWSER) $(DATA) $(SERVERS) ## the fault scenarios at full count (docs/reliability.md)
	$(BIN)/python tools/faults.py $(ARGS)

bench-web: $(DEV) $(BROWSER) ## how fast the pages are, in Chromium
	$(BIN)/python bench/web.py $(ARGS)

bench-cold: $(DEV) $(BROWSER) ## the first explanation and the first visit of /robustness of a process
	$(BIN)/python bench/cold.py $(ARGS)

bench-peers: $(DEV) $(BROWSER) $(ONNX) $(PEERS) ## the app beside Gradio and Renumics Spotlight, in Chromium (1.5 GB)
	$(BIN)/python bench/peers.py $(ARGS)

bench-table: $(RUN) ## the table of docs/performance.md from what benchmarks wrote here
	@$(BIN)/python bench/table.py

bench-load: $(DEV) ## how many people the server answers at once
	$(BIN)/python bench/load.py $(ARGS)

bench-scale: $(DEV) $(BROWSER) ## how the Dashboard holds with a million examples
	$(BIN)/python bench/scale.py $(ARGS)

bench-train: $(DEV) $(DATA) ## how soon the quick preset passes 90.65 %, beside the usual training loop
	$(BIN)/python bench/train.py $(ARGS)

bench-inference: $(RUN) $(ONNX) ## each shipped run as torch, ONNX and int8: size, speed, accuracy
	$(BIN)/python bench/inference.py $(ARGS)

bench-latency: $(RUN) ## what one picture costs each shipped network, on one thread
	$(BIN)/python bench/latency.py $(ARGS)

models: $(DEV) $(DATA) ## train every network that docs/models.md lacks and write the page
	$(BIN)/python tools/models_table.py --train $(ARGS)

ablation: $(DEV) $(DATA) ## train the recipe with each part left out and write docs/ablation.md
	$(BIN)/python tools/ablation.py --train $(ARGS)

artifacts: $(RUN) $(DATA) ## train the shipped runs again and rebuild artifacts/
	$(BIN)/python -m ml artifacts $(ARGS)

plotly: ## bundle the part of plotly.js the app uses into assets/ again (needs npm)
	cd tools/plotly && npm install --no-audit --no-fund && npm run build

clean: ## forget the environment and every cache
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Fashion Forward needs Python 3.11 or newer on the PATH: install it, or say make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -m venv --clear .venv || { echo "$(PYTHON) could not make a virtual environment: on Debian and Ubuntu, apt-get install python3-venv."; exit 1; }

# torch first: torchvision would otherwise choose a build of it. What it needs comes as the list has it, and once.
$(RUN): requirements.txt | $(BIN)/python
	@echo "Installing what the app needs into .venv; the first time takes some minutes."
	$(PIP) --no-deps "$$(grep '^torch==' requirements.txt)"
	$(PIP) -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt requirements-networks.txt requirements-transfer.txt requirements-onnx.txt $(RUN)
	$(PIP) -r requirements-dev.txt
	@touch $@

$(CLUSTER): requirements-cluster.txt $(RUN)
	$(PIP) -r requirements-cluster.txt
	@touch $@

$(ONNX): requirements-onnx.txt $(RUN)
	$(PIP) -r requirements-onnx.txt
	@touch $@

# Each in an environment of its own: Spotlight wants a pandas below 3.
.cache/peers/%/.installed: bench/peer_%.txt | $(BIN)/python
	$(BIN)/python -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --disable-pip-version-check --no-input --no-compile --quiet $(PIP_ARGS) -r $<
	@touch $@

# Without them the cluster's tests fail and say what to install; all others can run.
$(SERVERS): .ci/servers $(RUN)
	@sh .ci/servers && touch $@ || true

$(BROWSER): .ci/browser $(DEV)
	@sh .ci/browser
	@touch $@

$(DATA): .ci/dataset $(RUN)
	@sh .ci/dataset
	@touch $@
