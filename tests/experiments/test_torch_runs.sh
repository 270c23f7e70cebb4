#!/bin/bash
# The torch engine under whole runs: the same bytes with 1, 2 and 3 threads, feed-forward,
# recurrent, attention and a script; a run killed and resumed, whose script's file is gone by then,
# ends as one that was left alone; its policy is one file.
# usage: test_torch_runs.sh BUILD_DIR
set -euo pipefail
rein=$1/rein
[ -e "$1/librein_torch.so" ] || exit 77 # built without libtorch
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OMP_WAIT_POLICY=passive
# GCC 12's leak check itself dies where threads wait while libtorch is loaded, or nothing has run
# yet: it looks at whole trainings with one thread.
options=${ASAN_OPTIONS-}
without_leaks=$options:detect_leaks=0

timeless() { sed -E 's/, *"(time_s|sps)": *[-0-9.e+]+//g' "$1"; }
bytes() { # of a run folder: what must not differ
    timeless "$out/$1/metrics.jsonl"
    (cd "$out/$1" && sha256sum rollouts.h5 rollouts/*.h5)
    sed -n 's/.*"fingerprint": *"\([0-9a-f]*\)".*/\1/p' "$out/$1/summary.json"
}

compare() { # name, then the arguments of train
    local name=$1 threads
    shift
    for threads in 1 2 3; do
        [ $threads = 1 ] || export ASAN_OPTIONS=$without_leaks
        "$rein" train "$@" log.eval_episodes=2 run.threads=$threads run.out="$out" \
            run.name="$name-$threads" >"$out/log"
        bytes "$name-$threads" >"$out/$name-$threads.bytes"
        cmp "$out/$name-1.bytes" "$out/$name-$threads.bytes"
    done
    export ASAN_OPTIONS=$options
    grep -q '^[0-9a-f]\{16\}$' "$out/$name-1.bytes"
    echo "$name: the same bytes with 1, 2 and 3 threads, $(tail -n 1 "$out/$name-1.bytes")"
}

cp tests/golden/script_body.pt "$out/body.pt"
doorkey='ppo/minigrid_doorkey_5x5 env.n_envs=6 algo.n_steps=64 algo.n_minibatches=3 algo.n_epochs=2'
# shellcheck disable=SC2086  # lists of words
{
compare ppo ppo/cartpole net.engine=torch env.n_envs=70 algo.n_steps=32 run.total_timesteps=6720
compare dqn dqn/cartpole net.engine=torch env.n_envs=5 algo.batch_size=200 \
    algo.learning_starts=500 run.total_timesteps=1500
compare lstm ppo_recurrent/t_maze net.engine=torch env.n_envs=36 algo.n_minibatches=2 \
    algo.n_steps=32 run.total_timesteps=3456
compare gru ppo_recurrent/t_maze net.engine=torch "net.layers=[linear 16, tanh, gru 16]" \
    env.n_envs=36 algo.n_minibatches=2 algo.n_steps=32 run.total_timesteps=3456
compare attention $doorkey "net.layers=[attention heads=2 dim=16 layers=1, flatten]" \
    run.total_timesteps=768
compare script $doorkey net.script="$out/body.pt" run.total_timesteps=1536

# Killed at its first checkpoint and twice more; the script's file goes in between.
export ASAN_OPTIONS=$without_leaks
"$rein" train $doorkey net.script="$out/body.pt" log.eval_episodes=2 log.checkpoint_every_s=0.05 \
    run.total_timesteps=1536 run.threads=1 run.out="$out" run.name=killed >"$out/log" &
child=$!
while [ ! -e "$out/killed/checkpoint.h5" ] && kill -0 $child 2>/dev/null; do sleep 0.05; done
kill -KILL $child 2>/dev/null || true
wait $child 2>/dev/null || true
rm "$out/body.pt"
for seconds in 0.8 1.2; do
    timeout -s KILL $seconds "$rein" resume "$out/killed" >"$out/log" 2>&1 || true
done
"$rein" resume "$out/killed" >"$out/log"
}
bytes killed >"$out/killed.bytes"
cmp "$out/script-1.bytes" "$out/killed.bytes"
cmp "$out/script-1/policy.rein" "$out/killed/policy.rein"
cp "$out/killed/policy.rein" "$out/alone.rein"
rm -r "$out/killed"
"$rein" eval "$out/alone.rein" --episodes 1 --threads 1 >"$out/log"
echo 'script: killed and resumed without its file, the same bytes; the policy is one file'
