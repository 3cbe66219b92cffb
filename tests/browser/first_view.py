#!/usr/bin/env python3
"""Measures the dashboard's first view in headless Chromium: 100,000 entries, 1,000 peers.

  first_view.py BENCH_BIN     BENCH_BIN: where large_hub is (build/bench/bin after ./dev bench)

Prints medians in milliseconds: until something can be read, until the view's own data is on the
screen, until the browser has checked the log. A measurement, no test: it asserts nothing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main():
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None or shutil.which("node") is None:
        sys.exit("it needs chromium and node")
    hub = subprocess.Popen([Path(sys.argv[1]) / "large_hub"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)
    try:
        url = hub.stdout.readline().strip()
        subprocess.run(["node", ROOT / "tests/browser/first_view.mjs", url, chromium], check=True)
    finally:
        hub.stdin.close()
        hub.wait(30)


if __name__ == "__main__":
    main()
