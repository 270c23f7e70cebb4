#!/bin/bash
# docs/config.md is what the program prints; links in docs lead somewhere; every shipped config is
# accepted, and says its source and result.
# usage: test_docs.sh BUILD_DIR
set -euo pipefail
cd "$(dirname "$0")/.."
rein=$1/rein
diff docs/config.md <(scripts/docs.sh "$rein") || { echo 'scripts/docs.sh > docs/config.md'; exit 1; }

bad=0
for page in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md ./*/README.md ./*/*/README.md; do
    for link in $(grep -oE '\]\([^)#]+' "$page" | sed 's/](//' | grep -v '^https\?:'); do
        [ -e "$(dirname "$page")/$link" ] || { echo "$page: no $link"; bad=1; }
    done
done
for folder in base envs envs/classic envs/grid envs/mujoco replay nets algos experiments; do
    [ "$(wc -l <"$folder/README.md")" -le 40 ] || { echo "$folder/README.md: over 40 lines"; bad=1; }
done
for config in configs/*/*.yaml; do
    grep -q '^# Result: ' "$config" || { echo "$config: no result"; bad=1; }
    out=$(mktemp -d)
    # a run this short ends at once; it shows that the config is one
    short=run.total_timesteps=1
    [[ $config == */dqn/* ]] && short='run.total_timesteps=200 algo.learning_starts=100'
    # shellcheck disable=SC2086  # a list of words
    "$rein" train "$config" $short run.out="$out" run.threads=1 log.rollouts=none \
        log.eval_episodes=0 >/dev/null || { echo "$config: refused"; bad=1; }
    rm -rf "$out"
done
exit $bad
