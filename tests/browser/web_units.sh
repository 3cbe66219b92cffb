#!/bin/sh
# Types and unit tests of the dashboard. 77: skipped, where its packages are not there.
cd "$(dirname "$0")/../../web" || exit 1
if ! command -v npm >/dev/null 2>&1 || [ ! -d node_modules/vitest ]; then
  echo "skipped: Node or the dashboard's packages are missing (./dev build fetches them)"
  exit 77
fi
npm run -s check && npm run -s test
