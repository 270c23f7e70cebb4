#!/bin/bash
# Agents learn: shipped configs as they are, seed 0, one bar each below the five-seed results.
# usage: test_learning.sh BUILD_DIR
set -euo pipefail
rein=$1/rein
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

learns() { # config, smallest mean return of the last 100 training episodes
    local name=${1//\//-} got
    "$rein" train "$1" run.out="$out" run.name="$name" log.rollouts=none >"$out/$name.log"
    got=$(sed -n 's/.*"episode_return_mean": *\([-0-9.e]*\).*/\1/p' "$out/$name/summary.json")
    awk -v got="$got" -v bar="$2" 'BEGIN {exit !(got >= bar)}' ||
        { echo "$1: return $got, expected at least $2"; exit 1; }
    echo "$1: return $got"
}
learns ppo/cartpole 450
learns ppo/minigrid_empty_5x5 0.93
learns dqn/cartpole 450
learns ppo_recurrent/t_maze 0.95 # without memory 0.5 at best; 0.97 or more with each of 35 seeds
