#!/bin/bash
# The same bytes with 1, 2, 3 and 7 threads: fingerprint, metrics.jsonl but for its time fields,
# every rollout file; PPO on all three kinds of environment, DQN on those with discrete actions;
# recurrent PPO with either cell, one network and two, behind convolutions.
# usage: test_determinism.sh BUILD_DIR
set -euo pipefail
rein=$1/rein
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OMP_WAIT_POLICY=passive # seven threads on few cores should not spin

timeless() { sed -E 's/, *"(time_s|sps)": *[-0-9.e+]+//g' "$1"; }

compare() { # name, then the arguments of train
    local name=$1 threads
    shift
    for threads in 1 2 3 7; do
        "$rein" train "$@" run.threads=$threads run.out="$out" run.name="$name-$threads" \
            >"$out/$name-$threads.log"
        timeless "$out/$name-$threads/metrics.jsonl" >"$out/$name-$threads.metrics"
        (cd "$out/$name-$threads" && sha256sum rollouts.h5 rollouts/*.h5) >"$out/$name-$threads.sums"
        tail -n 1 "$out/$name-$threads.log" >"$out/$name-$threads.print"
        grep -q '^fingerprint [0-9a-f]\{16\}$' "$out/$name-$threads.print"
        for kind in metrics sums print; do
            cmp "$out/$name-1.$kind" "$out/$name-$threads.$kind"
        done
    done
    # The comparison can fail: another seed gives another fingerprint.
    "$rein" train "$@" run.seed=1 run.out="$out" run.name="$name-other" >"$out/$name-other.log"
    ! cmp -s "$out/$name-1.print" <(tail -n 1 "$out/$name-other.log")
    echo "$name: the same bytes with 1, 2, 3 and 7 threads, $(cat "$out/$name-1.print")"
}

small="log.eval_episodes=3 log.checkpoint_every_s=0.2"
# shellcheck disable=SC2086  # lists of words
{
compare ppo-cartpole ppo/cartpole env.n_envs=70 run.total_timesteps=72000 $small
compare ppo-minigrid ppo/minigrid_doorkey_5x5 env.n_envs=72 run.total_timesteps=36864 $small
compare ppo-mujoco ppo/hopper env.n_envs=6 algo.n_steps=256 algo.n_minibatches=3 \
    run.total_timesteps=9216 $small
compare ppo-shared ppo/cartpole env.n_envs=9 algo.shared_net=true algo.n_minibatches=3 \
    run.total_timesteps=11520 $small
compare lstm-t_maze ppo_recurrent/t_maze env.n_envs=72 algo.n_steps=64 algo.n_minibatches=3 \
    run.total_timesteps=18432 $small
compare lstm-shared ppo_recurrent/t_maze env.n_envs=34 algo.n_steps=64 algo.n_minibatches=2 \
    algo.shared_net=true run.total_timesteps=8704 $small
compare gru-mujoco ppo/hopper algo.id=ppo_recurrent algo.core=gru algo.core_size=16 env.n_envs=18 \
    algo.n_steps=64 algo.n_minibatches=1 run.total_timesteps=4608 $small
compare gru-shared ppo/minigrid_doorkey_5x5_conv algo.id=ppo_recurrent algo.core=gru \
    algo.shared_net=true algo.n_steps=32 env.n_envs=36 algo.n_minibatches=2 \
    run.total_timesteps=4608 $small
compare dqn-cartpole dqn/cartpole env.n_envs=5 algo.batch_size=200 algo.learning_starts=1000 \
    run.total_timesteps=6000 $small
compare dqn-minigrid dqn/minigrid_empty_8x8 env.n_envs=65 algo.batch_size=300 \
    algo.learning_starts=1000 algo.train_frequency=65 run.total_timesteps=6500 $small
}
