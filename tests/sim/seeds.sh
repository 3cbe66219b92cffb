#!/usr/bin/env bash
# seeds.sh HARAMBEE SOURCE: every seed that ever failed, and some that the commit gives.
set -euo pipefail
harambee=$1 source=$2
while read -r arguments; do
  case $arguments in '' | '#'*) continue ;; esac
  # shellcheck disable=SC2086  # words
  "$harambee" simulate $arguments
done <"$source/sim/seeds-that-failed.txt"
commit=$(git -C "$source" rev-parse --short=8 HEAD 2>/dev/null || echo 1)
seed=$((16#$commit))
"$harambee" simulate --seed "$seed" --seeds 60
"$harambee" simulate --seed "$seed" --seeds 6 --rounds 14
"$harambee" simulate --seed "$seed" --seeds 4 --peers 100 --rounds 12
"$harambee" simulate --seed "$seed" --peers 1200 --rounds 3 --faults none
# Crowds, of whom few are asked: the minds of the rest are compared.
"$harambee" simulate --seed "$seed" --seeds 3 --peers 300 --rounds 30 --faults none
"$harambee" simulate --seed "$seed" --seeds 2 --peers 300 --rounds 20 --faults \
  attackers,liars,crash,delay,loss,duplicate,sleep,slow,hub-crash,coordinator
