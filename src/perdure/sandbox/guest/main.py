"""The script that starts a zygote: finds its package beside itself; leaves no trace in `sys.path`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from guest.zygote import main

del sys.path[0]
main(int(sys.argv[1]))
