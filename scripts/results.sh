#!/bin/bash
# Train every shipped config with seeds 0 to 4 and remake docs/results.md and each config's
# "# Result:" lines. Runs are cut into one thread each, one per core; the bytes do not depend on it.
# usage: scripts/results.sh [ppo/cartpole ...]      default: all of configs/
set -euo pipefail
cd "$(dirname "$0")/.."
out=${REIN_RESULTS:-build/results}
seeds="0 1 2 3 4"
configs=("$@")
if [ ${#configs[@]} -eq 0 ]; then
    mapfile -t configs < <(cd configs && ls ./*/*.yaml | sed 's|^\./||; s|\.yaml$||')
fi
mkdir -p "$out"

train() { # config seed
    local name=${1//\//-}-$2
    [ -e "$out/$name/summary.json" ] && return
    rm -rf "${out:?}/$name"
    build/rein train "$1" run.seed="$2" run.threads=1 run.out="$out" run.name="$name" \
        log.rollouts=none >"$out/$name.log" 2>&1 || { echo "$name failed:"; tail -n 3 "$out/$name.log"; exit 1; }
}
export -f train
export out
for config in "${configs[@]}"; do
    for seed in $seeds; do echo "$config $seed"; done
done | xargs -P "$(nproc)" -L 1 bash -c 'train "$0" "$1"'

value() { # file key
    sed -n "s/.*\"$2\": *\([-0-9.e+]*\).*/\1/p" "$1" | head -n 1
}

# mean, half of the 95 % t-interval (n = 5: 2.776), smallest and largest of five numbers
statistics() {
    awk '{s += $1; q[NR] = $1} END {
        m = s / NR; for (i = 1; i <= NR; i++) v += (q[i] - m)^2
        lo = hi = q[1]; for (i in q) { if (q[i] < lo) lo = q[i]; if (q[i] > hi) hi = q[i] }
        t[2] = 12.706; t[3] = 4.303; t[4] = 3.182; t[5] = 2.776
        h = NR > 1 ? t[NR] * sqrt(v / (NR - 1) / NR) : 0
        d = (hi > 20 || hi < -20) ? 1 : 3
        printf "%.*f ± %.*f|%.*f to %.*f\n", d, m, d, h, d, lo, d, hi }'
}

table=$out/table.md
: >"$table"
for config in "${configs[@]}"; do
    name=${config//\//-}
    files=$(for seed in $seeds; do echo "$out/$name-$seed/summary.json"; done)
    steps=$(value "$out/$name-0/summary.json" steps)
    returns=$(for f in $files; do value "$f" episode_return_mean; done | statistics)
    evals=$(for f in $files; do value "$f" eval_return_mean; done | statistics)
    seconds=$(for f in $files; do value "$f" wall_time_s; done | awk '{s += $1} END {printf "%.1f", s / NR}')
    echo "| \`$config\` | $steps | ${returns%|*} | ${returns#*|} | ${evals%|*} | $seconds |" >>"$table"
    sed -i '/^# Result:/d' "configs/$config.yaml"
    line="# Result: ${returns%|*} (mean of the last 100 training episodes, $steps steps, seeds 0 to 4, 95 % interval); evaluation ${evals%|*}."
    awk -v line="$line" '!done && !/^#/ {print line; done = 1} {print}' "configs/$config.yaml" >"$out/config.tmp"
    cat "$out/config.tmp" >"configs/$config.yaml"
    rm "$out/config.tmp"
done
[ $# -eq 0 ] || { cat "$table"; exit 0; }
{
    cat <<'HEAD'
# Results

Every shipped config, seeds 0 to 4, none left out: mean over seeds and 95 % t-interval of the mean return of the last
100 training episodes, its range over seeds, and the mean return of ten deterministic evaluation episodes at the end.
Remade by `make results` (one thread a run). Wall time is of one run with another one beside it on the second core, on the machine of
[benchmarks.md](benchmarks.md); the returns are the same bytes for any number of threads on one kind of processor.

One row alone: `build/rein train <config> run.seed=<0..4>`.

| config | steps | training return | range | evaluation return | s |
|---|---:|---:|---:|---:|---:|
HEAD
    cat "$table"
    cat docs/results-notes.md
} >docs/results.md
echo 'docs/results.md remade'
