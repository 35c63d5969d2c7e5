"""Calling tools: the contract, schemas, rules, dispatch. Knows no tool of the domain."""
