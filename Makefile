# make demo   draws a catalog, trains on a part of it, classifies all of it, searches, matches and tags it
# make first-week   types all of docs/first-week.md again, and compares; WRITE=1 writes what is printed
# make test   every test that this machine can run
# make test-fast   those that need no Ray, no server, no process to kill and no network to convert
# make test-faults   kills and disturbs runs at every step, for 30 minutes at most; SEED=1 draws others
# make test-cluster  submits jobs to nodes that share no disk, and loses whole nodes
# make report-shots  runs a week on the drawn catalog, and takes pictures of its reports
# make desk-shots    takes pictures of all pages of the desk, of what the demo has made
# make test-mlflow   logs trainings on an MLflow server of its own
# make test-review  lets Label Studio's own SDK read what is exported, and takes its answers in
# make test-text     reads titles with a text encoder of its own
# make test-examples   runs the examples of schedulers in Airflow, Dagster, systemd and cron
# make fuzz   feeds each reader of what comes from outside with odd bytes, for five minutes each;
#             SECONDS=60: for one
# make sbom   writes sbom.json: every library that requirements.lock installs, with its licence
# make audit  looks up the known faults of these libraries, where there is a network to do it
# make check  format, lint, types
# make layers shows the rooms of the code, what each imports, and whether the rules hold
# make lock   pins every dependency anew
# make bench           classifies beside Ray Data, Daft and two scripts, for 15 minutes at most
# make bench-accuracy  trains beside fastai, timm's recipe and a frozen head, for an hour at most;
#                      QUICK=1: one draw of 10 labels, for 10 minutes at most
# make bench-train     trains under Ray beside a torchrun script, and kills a worker
# make bench-listing   freezes 10 million items from an inventory and from a listing
# make bench-night     holds 10 million items against a labels table of 10 million
# make bench-kills     kills one run at fifty random moments
# make bench-backfill  moves a table of a million rows to a new taxonomy
# make bench-changed   takes in the one item in a hundred that has changed, of 100,000 on S3
# make bench-hostile   classifies 200 small files of 64 million pixels each, in bounded memory
# make bench-decode    decodes large photos whole, and smaller than they are: time, pixels, labels
# make bench-search    indexes and asks a million embeddings, beside faiss and scikit-learn
# make bench-desk-order counts the decisions until a catalog is labelled right, in the desk's order and any
# make bench-match     matches a million made-up titles with 100,000, and labelled pairs beside peers
# make bench-desk      has twenty people work at a desk on a table of a million items
# make bench-copies    finds altered photos among photos, beside imagededup's hashes
# make bench-engine    streams a million items through the whole engine, with nothing to classify
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m

.PHONY: fuzz sbom audit demo first-week report-shots desk-shots test test-fast test-faults test-cluster test-examples test-mlflow test-review test-text \
  check layers lock bench bench-listing bench-night bench-changed bench-kills bench-engine \
  bench-desk bench-desk-order bench-search bench-match bench-copies bench-hostile bench-backfill \
  bench-accuracy bench-train bench-decode
demo: $(VENV)/.installed
	$(RUN) jobs.demo

first-week: $(VENV)/.installed
	$(RUN) tests.helpers.first_week $(if $(WRITE),--write)

# torch's threads wait asleep: two processes' that spin take the cores from each other; the files
# come in the order of tests/conftest.py, slow ones first
test: $(VENV)/.installed
	OMP_WAIT_POLICY=passive $(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder

# what is left out here takes seconds to import: Ray, and torchvision's models
test-fast: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN) pytest -n 2 --dist loadfile \
	  -m "not ray and not s3 and not faults and not processes and not networks" \
	  --ignore tests/cluster --ignore tests/faults --ignore tests/pipelines \
	  --ignore tests/models/test_architectures.py

SEED ?= 0
FAULTS := tests/faults tests/inference/test_crash.py tests/pipelines/test_classify.py \
  tests/images/test_isolated.py tests/images/test_memory_limit.py \
  tests/pipelines/test_killed_training.py tests/pipelines/test_killed_backfill.py \
  tests/pipelines/test_hostile_strings.py
test-faults: $(VENV)/.installed
	RESHELVE_FAULT_SEED=$(SEED) timeout --signal=INT --kill-after=60 1740 \
	  $(RUN) pytest -m '' -s $(FAULTS)

test-cluster: $(VENV)/.installed
	$(RUN) pytest -m '' tests/cluster/test_submit.py tests/cluster/test_lost_nodes.py \
	  tests/cluster/test_decode_helpers.py

# beside the environment, not in it: the extra, and the server that only these tests need
MLFLOW := .mlflow
$(MLFLOW)/.installed: tests/tracking/requirements.txt $(VENV)/.installed
	$(RUN) pip install --quiet --no-deps --target $(MLFLOW) --upgrade --requirement $<
	touch $@

test-mlflow: $(MLFLOW)/.installed
	PYTHONPATH=$(CURDIR)/$(MLFLOW) $(RUN) pytest tests/tracking tests/pipelines/test_train_mlflow.py

# sentence-transformers, beside the environment, too
TEXT := .text
$(TEXT)/.installed: tests/names/requirements.txt $(VENV)/.installed
	$(RUN) pip install --quiet --no-deps --target $(TEXT) --upgrade --requirement $<
	touch $@

test-text: $(TEXT)/.installed
	PYTHONPATH=$(CURDIR)/$(TEXT) $(RUN) pytest tests/names/test_text_encoder.py \
	  tests/pipelines/test_train_names.py -k encoder

# Label Studio's SDK, beside the environment, too
LABEL_STUDIO := .label-studio
$(LABEL_STUDIO)/.installed: tests/review/label_studio_requirements.txt $(VENV)/.installed
	$(RUN) pip install --quiet --no-deps --target $(LABEL_STUDIO) --upgrade --requirement $<
	touch $@

test-review: $(LABEL_STUDIO)/.installed
	PYTHONPATH=$(CURDIR)/$(LABEL_STUDIO) $(RUN) pytest tests/review/test_label_studio_sdk.py

# each in an environment of its own: they want other versions of what Reshelve needs
SCHEDULERS := benchmarks/out/schedulers
$(SCHEDULERS)/%/.installed: tests/examples/%_requirements.txt $(VENV)/.installed
	$(RUN) uv venv --quiet --clear --python $(VENV)/bin/python $(@D)
	$(RUN) uv pip install --quiet --python $(@D)/bin/python --requirement $<
	touch $@

test-examples: $(SCHEDULERS)/airflow/.installed $(SCHEDULERS)/dagster/.installed
	$(RUN) pytest tests/examples/test_schedulers.py

FUZZ := benchmarks/out/fuzz/packages
$(FUZZ)/.installed: tests/fuzz/requirements.txt $(VENV)/.installed
	$(RUN) pip install --quiet --no-deps --target $(FUZZ) --upgrade --requirement $<
	touch $@

SECONDS := 300
fuzz: $(FUZZ)/.installed
	PYTHONPATH=$(CURDIR)/$(FUZZ) $(RUN) tests.fuzz $(SECONDS)

sbom: $(VENV)/.installed
	$(RUN) uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py environment \
	  --pyproject pyproject.toml --output-reproducible --output-file sbom.json $(VENV)/bin/python

audit: $(VENV)/.installed
	$(RUN) uv tool run --quiet pip-audit==2.10.1 --strict --disable-pip --require-hashes \
	  --requirement requirements.lock

check: $(VENV)/.installed
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --require-hashes --requirement requirements.lock
	$(RUN) pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

report-shots: $(VENV)/.installed
	$(RUN) tests.helpers.report_shots

desk-shots: $(VENV)/.installed
	$(RUN) tests.helpers.desk_shots

layers: $(VENV)/.installed
	$(RUN) tests.helpers.layers

lock: $(VENV)/.installed
	$(RUN) uv pip compile --universal --python-version 3.11 --group dev --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet pyproject.toml -o requirements.lock
	for each in apache-airflow dagster; do echo $$each | $(RUN) uv pip compile --universal \
	  --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	  --quiet - -o tests/examples/$${each#apache-}_requirements.txt || exit; done

# beside the environment, not in it: Daft wants an older pyarrow than Reshelve
PEERS := benchmarks/out/peers
$(PEERS)/.installed: benchmarks/peers/requirements.txt $(VENV)/.installed
	$(RUN) pip install --quiet --target $(PEERS) --upgrade --requirement $<
	touch $@

bench: $(PEERS)/.installed
	$(RUN) benchmarks.bench_classify

FASTAI := benchmarks/out/fastai
$(FASTAI)/.installed: benchmarks/peers/fastai_requirements.txt $(VENV)/.installed
	$(RUN) pip install --quiet --no-deps --target $(FASTAI) --upgrade --requirement $<
	touch $@

bench-accuracy: $(FASTAI)/.installed
	$(RUN) benchmarks.bench_accuracy $(if $(QUICK),--quick)

bench-train: $(VENV)/.installed
	$(RUN) benchmarks.bench_train

bench-listing: $(VENV)/.installed
	$(RUN) benchmarks.bench_listing

bench-night: $(VENV)/.installed
	$(RUN) benchmarks.bench_night

bench-changed: $(VENV)/.installed
	$(RUN) benchmarks.bench_changed

bench-kills: $(VENV)/.installed
	$(RUN) benchmarks.bench_kills

bench-engine: $(VENV)/.installed
	$(RUN) benchmarks.bench_engine

bench-desk: $(VENV)/.installed
	$(RUN) benchmarks.bench_desk

bench-hostile: $(VENV)/.installed
	$(RUN) benchmarks.bench_hostile

bench-decode: $(VENV)/.installed
	$(RUN) benchmarks.bench_decode

bench-backfill: $(VENV)/.installed
	$(RUN) benchmarks.bench_backfill

SEARCH_PEERS := benchmarks/out/search-peers
$(SEARCH_PEERS)/.installed: benchmarks/peers/search_requirements.txt $(VENV)/.installed
	$(RUN) pip install --quiet --no-deps --target $(SEARCH_PEERS) --upgrade --requirement $<
	touch $@

bench-search: $(SEARCH_PEERS)/.installed
	$(RUN) benchmarks.bench_search

bench-desk-order: $(VENV)/.installed
	$(RUN) benchmarks.bench_desk_order

bench-match: $(VENV)/.installed
	$(RUN) benchmarks.bench_match

COPIES_PEERS := benchmarks/out/copies-peers
$(COPIES_PEERS)/.installed: benchmarks/peers/copies_requirements.txt $(VENV)/.installed
	$(RUN) pip install --quiet --no-deps --target $(COPIES_PEERS) --upgrade --requirement $<
	touch $@

bench-copies: $(COPIES_PEERS)/.installed
	$(RUN) benchmarks.bench_copies
