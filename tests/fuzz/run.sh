#!/usr/bin/env bash
# Runs one libFuzzer target for a few seconds from its seed inputs. Exit 77 (skipped) when it is
# not built (no clang); libFuzzer's own exit code for a finding is 77 too, so it gets another.
# Usage: run.sh BINARY SEEDS SECONDS
set -euo pipefail
binary=$1
seeds=$2
seconds=$3
[ -x "$binary" ] || { echo "$binary is not built: clang is needed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus"
[ -d "$seeds" ] && cp -r "$seeds"/. "$work/corpus"/
cd "$work"
"$binary" -error_exitcode=1 -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
  -print_final_stats=1 corpus 2>&1 |
  tail -n 20
exit "${PIPESTATUS[0]}"
