# Everything runs in .venv, which the first target that needs it makes.
# On Linux the default torch brings several GB of CUDA; for the CPU build set TORCH_INDEX to the address of PyTorch's
# CPU package index (pytorch.org, "Get Started", compute platform "CPU"): make demo TORCH_INDEX=https://...

PYTHON ?= python3
VENV := .venv
STUDY ?= demo
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo plan test test-all test-slurm lint format clean prerequisites

demo: $(VENV)/.installed
	@$(IN_VENV) snakemake --workflow-profile profiles/demo --config study=demo
	@$(IN_VENV) python scripts/show.py --site results/site/demo \
		--leaderboards results/leaderboards/hgsc_summary.csv results/leaderboards/dsb_sample_summary.csv

plan: $(VENV)/.installed
	@$(IN_VENV) python scripts/plan.py --study $(STUDY)

test: $(VENV)/.installed-dev
	@$(IN_VENV) python -m pytest -m "not slow and not slurm"

test-all: $(VENV)/.installed-dev
	@$(IN_VENV) python -m pytest -m "not slurm"

test-slurm: $(VENV)/.installed-dev
	@$(IN_VENV) python -m pytest -m slurm

lint: $(VENV)/.installed-dev
	@$(IN_VENV) ruff check .
	@$(IN_VENV) ruff format --check .
	@$(IN_VENV) snakefmt --check Snakefile rules
	@$(IN_VENV) snakemake --lint

format: $(VENV)/.installed-dev
	@$(IN_VENV) ruff check --fix .
	@$(IN_VENV) ruff format .
	@$(IN_VENV) snakefmt Snakefile rules

clean:
	rm -rf results resources .snakemake

prerequisites:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing; as root: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 demo" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: the venv module is missing; as root: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/bin/pip: | prerequisites
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV)/bin/pip
	@echo "installing requirements.txt into $(VENV) (once; some minutes)"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "installing requirements-dev.txt into $(VENV)"
	@$(PIP) -r requirements-dev.txt
	@touch $@
