"""Run the scripted model server: `python -m perdure.testing.model_server --port 9000`."""

import argparse
import sys

import uvicorn

from perdure.testing.model_server.server import Application, configure


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="perdure.testing.model_server", description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    config = configure(Application())
    config.host, config.port = given.host, given.port
    sys.stderr.write(f"scripted model server on http://{given.host}:{given.port}\n")
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
