# The protocol's clauses and their tests must name each other rightly; part of `make lint`.
.PHONY: lint-clauses
lint-clauses: ## check docs/PROTOCOL.md against code and tests
	$(Q)python3 tests/support/clauses.py
lint: lint-clauses
