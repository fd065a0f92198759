# `make` lists what there is. Everything installed goes to .venv; the site goes to site/.
PYTHON ?= python3
ADDRESS ?= 127.0.0.1:8000

bin := .venv/bin
# Material prints a notice about MkDocs 2 at each start; this is its documented way to be quiet.
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
# The targets share .venv and site/: one after the other, also under `make -j`.
.NOTPARALLEL:
.PHONY: help site serve test check lock bench clean installed-site installed-dev

help:
	@echo 'make site    run every block of every page and build the site in site/'
	@echo 'make serve   show the site on http://$(ADDRESS)/ and rebuild what is edited (ADDRESS=host:port)'
	@echo 'make test    run the tests, on every CPython of this machine (TESTS=tests/test_race.py: only those)'
	@echo 'make check   ruff, mypy --strict, and the links and anchors of the pages'
	@echo 'make bench   measure this project beside its peers'
	@echo 'make lock    renew requirements/*.txt'
	@echo 'make clean   remove all that make has made'
	@echo
	@echo 'PYTHON=python3.13 picks the interpreter that builds (3.11 or newer; now: $(PYTHON)).'

# Built beside the last good site, which is replaced only by a whole new one. Not with --quiet:
# that hides warnings from --strict too. COLUMNS keeps each message on a line of its own.
site: installed-site
	@mkdir -p .build && new=$$(mktemp -d .build/site.XXXXXX) && status=0 && \
	trap 'rm -rf "$$new"' EXIT && trap 'exit 130' INT TERM && \
	COLUMNS=9999 $(bin)/mkdocs build --strict --site-dir "$$new/site" 2>"$$new/log" || status=$$?; \
	grep -v '^INFO' "$$new/log" >&2; [ $$status = 0 ] && \
	trap '' INT TERM && { [ ! -e site ] || mv site "$$new/old"; } && mv "$$new/site" site && \
	echo 'The site is in site/: open site/index.html, or type `make serve`.'

# --livereload: without it, MkDocs 1.6 with click 8.2.2 to 8.3 watches nothing (mkdocs#4032).
is_free = import socket, sys; host, _, port = sys.argv[1].rpartition(":"); \
	socket.create_server((host, int(port))).close()
serve: installed-site
	@$(bin)/python -c '$(is_free)' '$(ADDRESS)' 2>/dev/null || { echo \
	'$(ADDRESS) is no free address: name another, as in `make serve ADDRESS=127.0.0.1:8001`.' >&2; exit 1; }
	@$(bin)/mkdocs serve --livereload --watch src --dev-addr '$(ADDRESS)'

# In the order of the files: the browser's tests come first, and keep one worker busy longest.
test: installed-dev
	@$(bin)/python -m pytest --quiet -n 2 --no-loadscope-reorder $(TESTS)

# MkDocs checks the links and anchors in Markdown (`validation:` in mkdocs.yml), hence the build.
check: installed-dev
	@$(bin)/ruff check --quiet .
	@$(bin)/ruff format --check --quiet . || { echo 'Type `$(bin)/ruff format`.' >&2; exit 1; }
	@$(bin)/mypy --strict --no-error-summary src tests tools $(wildcard benchmarks)
	@$(MAKE) --no-print-directory site

bench: installed-dev
	@$(bin)/python benchmarks/run.py

resolve = $(bin)/uv pip compile --quiet --upgrade --universal --generate-hashes \
	--annotation-style line --custom-compile-command 'make lock' --python-version
compile = $(resolve) 3.11 pyproject.toml --group build
lock:
	@$(call bootstrap,requirements/lock.txt)
	@$(compile) --extra site --output-file requirements/site.txt
	@$(compile) --extra site --group dev --constraint requirements/site.txt \
		--output-file requirements/dev.txt
	@$(compile) --group lock --constraint requirements/site.txt --output-file requirements/lock.txt
	@$(resolve) 3.11 benchmarks/peers.in --constraint requirements/site.txt \
		--output-file benchmarks/peers.txt
	@$(resolve) 3.12 benchmarks/explorers.in --output-file benchmarks/explorers.txt

clean:
	@rm -rf site .build .cache .venv dist .mypy_cache .pytest_cache .ruff_cache
	@find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

installed-site:
	@$(call bootstrap,requirements/site.txt)

installed-dev:
	@$(call bootstrap,requirements/dev.txt)

define bootstrap
command -v '$(PYTHON)' >/dev/null 2>&1 || { \
	echo 'There is no $(PYTHON): name a Python 3.11 or newer, as in `make site PYTHON=python3.12`.' >&2; \
	exit 1; }; '$(PYTHON)' tools/bootstrap.py $(1)
endef
