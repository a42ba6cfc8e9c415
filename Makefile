# Everything here needs python3 (3.11 or newer) and make; the environment is made on first use, in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo architecture docs linkcheck schema dist wheel test test-all test-faults test-installed test-oldest \
  calibration publish figures bench bench-clean format check coverage clean

install: .venv/.installed

.venv/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bnstudy needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	touch $@

.venv/.installed: .venv/.created pyproject.toml
	@echo "installing into .venv, some minutes and gigabytes the first time"
	$(BIN)/python -m pip install --quiet -e .
	touch $@

.venv/.dev: .venv/.installed
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

# The whole path on scikit-learn's small digits (not MNIST): train, answer, draw.
demo: .venv/.installed
	$(BIN)/bnstudy demo

.venv/.bench: .venv/.installed
	$(BIN)/python -m pip install --quiet -e '.[bench]'
	touch $@

test: check
	$(BIN)/python -m pytest -n 2

# About half an hour, and nothing else should run. What was measured before is kept: `make bench-clean` starts afresh.
bench: .venv/.bench
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/analysis.py > benchmarks/analysis.jsonl
	$(BIN)/python benchmarks/results.py

bench-clean: .venv/.bench
	$(BIN)/python benchmarks/speed.py --forget
	rm -f benchmarks/scale.json benchmarks/analysis.jsonl

.venv/.dist: .venv/.dev
	$(BIN)/python -m pip install --quiet -e '.[dist]'
	touch $@

# What is handed out, in dist/: the sdist, and the wheel that is built of it.
dist: .venv/.dist
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m pytest tests/test_distribution.py

# A wheel for this platform that carries the kernel, for whoever has no C++ compiler; minutes of building.
wheel: dist
	$(BIN)/python distribution/carry_kernel.py $$(ls dist/*-none-any.whl) dist

# Installed by pip, pipx and uv tool into nothing, each with gigabytes of PyTorch while its test runs.
test-installed: .venv/.dist
	$(BIN)/python -m pytest -m dist

# The quick tests with the oldest versions of everything that pyproject.toml allows, in an environment of their own.
OLDEST := build/oldest
test-oldest: .venv/.dist
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OLDEST)
	$(BIN)/uv pip install --quiet --python $(OLDEST) --resolution lowest-direct -e '.[dask,parquet,tensorboard]'
	$(BIN)/uv pip install --quiet --python $(OLDEST) -e '.[dev]'
	$(OLDEST)/bin/python -m pytest -n 2

# All but injected faults.
test-all: check
	$(BIN)/python -m pytest -n 2 -m 'not faults and not dist'

# What the tests run of the package, its subprocesses included; a line a file that is not covered whole.
coverage: .venv/.dev
	$(BIN)/python -m pytest -n 2 -m 'not faults and not dist' --cov --cov-report=term

# Every fault in full, half an hour or more; each prints its figure. docs/explanation/reliability.md holds them as measured.
test-faults: .venv/.dev
	$(BIN)/python -m pytest -m faults -s

# Made-up studies with known truth through the analysis: docs/explanation/calibration.*. Minutes.
calibration: .venv/.installed
	$(BIN)/python -m benchmarks.calibration

# What the repository publishes, from finished studies in results/: datasets with checksums, pictures, one page.
DATA := studies/data
THEORY := gradient-growth phase-diagram bn-depth
RATES := learning-rate
PUBLISHED := $(notdir $(patsubst %/,%,$(wildcard $(DATA)/*/)))
publish: .venv/.installed
	for name in $(PUBLISHED); do \
	  test -f results/$$name/curves.nc || continue; \
	  cp results/$$name/curves.nc results/$$name/manifest.jsonl studies/data/$$name/ || exit 1; \
	  if test -f results/$$name/diagnostics.nc; then cp results/$$name/diagnostics.nc studies/data/$$name/; fi; done
	cd studies/data && sha256sum */*.nc > SHA256SUMS
	$(MAKE) figures

# Every picture of the repository again, from its datasets.
figures: .venv/.installed
	cd studies/data && sha256sum --check --quiet SHA256SUMS
	$(BIN)/bnstudy figures $(addprefix $(DATA)/,$(filter-out $(THEORY) $(RATES),$(PUBLISHED)))
	$(BIN)/bnstudy report $(DATA)/init-sweep --out figures/init-sweep/report.html
	$(BIN)/bnstudy figures $(addprefix $(DATA)/,$(RATES)) --only gain-by-rate,accuracy-by-rate,forest --out figures/rates
	$(BIN)/bnstudy figures $(addprefix $(DATA)/,$(THEORY)) --only phase-diagram,accuracy-by-depth,growth --out figures/theory

# The picture of docs/explanation/architecture.md, from the imports; fails where one points up.
architecture: .venv/.dev
	$(BIN)/python docs/generate/draw_architecture.py

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	touch $@

# The documentation, its tutorial executed, into docs/_build/html: minutes, no network. Warnings are errors, and no link
# within it may lead nowhere.
docs: .venv/.docs
	$(BIN)/python -m sphinx -q -W --keep-going -j auto -b html docs docs/_build/html
	$(BIN)/python docs/generate/check_links.py docs/_build/html
	@echo "The documentation: docs/_build/html/index.html"

# Links that leave the documentation; needs a network.
linkcheck: .venv/.docs
	$(BIN)/python -m sphinx -q -W --keep-going -b linkcheck -D nb_execution_mode=off docs docs/_build/linkcheck

# The JSON schema of study files, from their fields.
schema: .venv/.installed
	$(BIN)/python docs/generate/study_schema.py

KERNEL := $(wildcard bnstudy/training/replicas/lanes/cpp/*.*)
# All of them, and a failure in the end where one failed.
check: .venv/.dev
	@failed=0; run() { echo "$$*"; "$$@" || failed=1; }; \
	run $(BIN)/ruff check bnstudy tests benchmarks docs distribution; \
	run $(BIN)/ruff format --check bnstudy tests benchmarks docs distribution; \
	run $(BIN)/clang-format --dry-run -Werror $(KERNEL); \
	run $(BIN)/mypy; \
	run $(BIN)/lint-imports; \
	exit $$failed

format: .venv/.dev
	$(BIN)/ruff check --fix bnstudy tests benchmarks docs distribution
	$(BIN)/ruff format bnstudy tests benchmarks docs distribution
	$(BIN)/clang-format -i $(KERNEL)

clean:
	rm -rf .venv build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
