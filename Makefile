# make train    sets up what it needs and trains the quick start
# make test     sets up what it needs and runs the tests (STACK=addons for TensorFlow 2.15 with Keras 2)
# make setup    sets up the virtual environment alone
# make lint     checks the code's form
# make clean    removes the virtual environments
# FLAGS="--steps=100" goes to bin/train, or to pytest

PYTHON ?= python3
STACK ?= current
FLAGS ?=

ifeq ($(STACK),addons)
VENV ?= .venv-addons
EXTRAS = [dev,addons]
PYTHONS = 3.9 3.10 3.11
else
VENV ?= .venv
EXTRAS = [dev,store,store-server]
PYTHONS = 3.10 3.11 3.12 3.13
endif

READY = $(VENV)/.ready

.PHONY: train test lint clean setup

train: $(READY)
	VIRTUAL_ENV=$(VENV) PATH="$(CURDIR)/$(VENV)/bin:$$PATH" bin/train --flagfile=flags/quickstart.cfg $(FLAGS)

test: $(READY)
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile $(FLAGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

setup: $(READY)

$(READY): setup.py sdgan_tf/version.py
	@case " $(PYTHONS) " in *" $$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])') "*) ;; *) \
	  echo "This stack needs Python $(PYTHONS); $(PYTHON) is $$($(PYTHON) --version). Name one: make PYTHON=python3.11"; \
	  exit 1;; esac
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet -e '.$(EXTRAS)'
	touch $@

clean:
	rm -rf .venv .venv-addons
