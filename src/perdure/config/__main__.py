"""Prints the configuration reference: `python -m perdure.config > docs/configuration.md`."""

import sys

from perdure.config.reference import reference

sys.stdout.write(reference())
