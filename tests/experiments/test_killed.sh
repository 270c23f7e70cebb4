#!/bin/bash
# SIGKILL at twenty random moments each, PPO, DQN and recurrent PPO: every rollout file left behind
# opens in h5py and agrees with metrics.jsonl; the resumed run ends with the fingerprint, the metrics
# (but for time fields) and the rollout bytes of a run that was never stopped.
# usage: test_killed.sh BUILD_DIR [KILLS]
set -euo pipefail
rein=$1/rein
kills=${2:-20}
here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3
"$python" -c 'import h5py' 2>/dev/null || { echo 'skipped: no h5py'; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OMP_WAIT_POLICY=passive # threads that spin would take the time of other tests

timeless() { sed -E 's/, *"(time_s|sps)": *[-0-9.e+]+//g' "$1"; }

killed() { # name, then the arguments of train
    local name=$1 run="$out/$1" pid kill code restarts=0
    shift
    "$rein" train "$@" run.out="$out" run.name="$name-whole" >"$out/$name-whole.log"
    local whole_ms
    whole_ms=$(sed -n 's/.*"wall_time_s": *\([0-9.]*\).*/\1/p' "$out/$name-whole/summary.json" |
        awk '{printf "%d", $1 * 1000}')
    "$rein" train "$@" run.out="$out" run.name="$name" >"$out/$name.log" 2>&1 &
    pid=$!
    for ((kill = 1; kill <= kills; kill++)); do
        # up to a fifth of a whole run further each time, beginning at nothing
        sleep "$(awk -v w="$whole_ms" -v r=$RANDOM 'BEGIN {printf "%.3f", 0.002 + w / 5000 * r / 32768}')"
        kill -KILL $pid 2>/dev/null || true
        code=0
        wait $pid 2>/dev/null || code=$?
        left "$run" "$out/left/$name-$kill"
        if [ $code = 0 ]; then # it was through: begin again for the kills left
            finished "$name"
            restarts=$((restarts + 1))
            rm -rf "$run"
        elif [ $code != 137 ]; then # it ended by itself
            cat "$out/$name.log"
            exit 1
        fi
        if [ -e "$run/config.yaml" ]; then
            "$rein" resume "$run" >"$out/$name.log" 2>&1 &
        else # killed before there was anything to resume
            rm -rf "$run"
            "$rein" train "$@" run.out="$out" run.name="$name" >"$out/$name.log" 2>&1 &
        fi
        pid=$!
    done
    wait $pid || { cat "$out/$name.log"; exit 1; }
    "$python" "$here/check_rollouts.py" "$out/left/$name"-*
    "$python" "$here/check_rollouts.py" --complete "$run"
    finished "$name"
    rm -rf "$out/left"
    echo "$name: $kills kills, $((restarts + 1)) runs came through, $(tail -n 1 "$out/$name.log")"
}

left() { # keep what a killed run left, to be checked with others by one Python
    mkdir -p "$2"
    local part
    for part in rollouts rollouts.h5 metrics.jsonl; do
        [ ! -e "$1/$part" ] || cp -r "$1/$part" "$2"
    done
}

finished() { # the run that was killed equals the whole one
    cmp <(tail -n 1 "$out/$1.log") <(tail -n 1 "$out/$1-whole.log")
    cmp <(timeless "$out/$1/metrics.jsonl") <(timeless "$out/$1-whole/metrics.jsonl")
    diff -r "$out/$1/rollouts" "$out/$1-whole/rollouts"
    cmp "$out/$1/rollouts.h5" "$out/$1-whole/rollouts.h5"
    cmp "$out/$1/policy.rein" "$out/$1-whole/policy.rein"
}

often="run.threads=2 log.checkpoint_every_s=0.05 log.eval_episodes=2"
# shellcheck disable=SC2086  # lists of words
{
killed ppo ppo/hopper algo.n_steps=256 algo.n_minibatches=4 algo.n_epochs=4 \
    run.total_timesteps=15360 $often
killed dqn dqn/cartpole algo.learning_starts=1000 algo.buffer_size=3000 \
    run.total_timesteps=60000 $often
killed ppo_recurrent ppo_recurrent/t_maze env.n_envs=6 algo.n_steps=64 algo.n_minibatches=2 \
    algo.core_size=32 run.total_timesteps=153600 $often
}
