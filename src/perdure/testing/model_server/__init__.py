"""A scripted model server for tests and benches: real HTTP, answers spelled out by the last message.

Speaks OpenAI chat completions and Responses, Anthropic messages, Gemini, embeddings and the model
lists of several vendors. Start it by `python -m perdure.testing.model_server --port N`, or in a test by
`with ModelServer() as server: ... server.url`. What a vendor would refuse is refused with its status and a
reason (`testing/oracle`). The verbs are described in `script.py`.
"""

from perdure.testing.model_server.server import ModelServer

__all__ = ["ModelServer"]
