# Each target is the only command to type: it makes .venv and fetches the sandbox first.
.PHONY: demo test check lint types contracts drift crash docs pictures lock setup

bin := .venv/bin

demo: setup
	@$(bin)/aifactory demo $(DEMO)

test: setup
	@$(bin)/python -m pytest -q $(PYTEST)

check: lint types contracts drift

lint: setup
	@$(bin)/ruff check --quiet

types: setup
	@$(bin)/mypy

contracts: setup
	@$(bin)/lint-imports --no-logo --no-cache

drift: setup
	@$(bin)/python docs/generate.py --check

crash: setup
	@$(bin)/python -m pytest -q tests/crash $(PYTEST)

docs: setup
	@$(bin)/python docs/generate.py

# On a terminal only: they show a real run of the demo.
pictures: setup
	@$(bin)/python docs/picture.py

# After a change of dependencies in pyproject.toml; the only target that needs uv.
lock:
	uv lock
	uv export -q --locked --no-emit-project --group dev -o .ci/requirements.txt

setup:
	@.ci/setup
