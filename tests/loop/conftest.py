"""An organization with an agent for each test of turns, as tests of runs have it."""

from tests.runs.conftest import actor, agent_id

__all__ = ["actor", "agent_id"]
