#!/usr/bin/env bash
# Every build under build/exactness (compiler × optimisation level) prints one "name sha256" line
# per scenario and SIMD level; lines of one name must agree, across SIMD levels and across builds.
# Usage: compare.sh DIR PROGRAM. Exit 77 (skipped) when fewer than two builds are there.
set -euo pipefail
dir=$1
program=$2
first=
builds=0
for binary in "$dir"/*/bin/"$program"; do
  [ -x "$binary" ] || continue
  builds=$((builds + 1))
  lines=$("$binary")
  [ -n "$lines" ] || { echo "$binary printed nothing"; exit 1; }
  levels=$(sort -u <<<"$lines" | awk '{print $1}' | uniq -d)
  [ -z "$levels" ] || { echo "$binary: SIMD levels disagree on: $levels"; exit 1; }
  lines=$(sort -u <<<"$lines")
  if [ -z "$first" ]; then
    first=$lines
  elif [ "$first" != "$lines" ]; then
    echo "$binary disagrees with the first build:"
    diff <(echo "$first") <(echo "$lines") || true
    exit 1
  fi
  echo "$binary: $(wc -l <<<"$lines") hashes agree"
done
[ "$builds" -ge 2 ] || { echo "fewer than two builds under $dir: nothing to compare"; exit 77; }
