#!/bin/bash
# Run every fuzz target of tests/fuzz for some seconds each on its seed corpus.
# usage: scripts/fuzz.sh [seconds each, default 60]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
cmake -S . -B build/fuzz -G Ninja --log-level=WARNING -DCMAKE_C_COMPILER=clang \
    -DCMAKE_BUILD_TYPE=Debug -DREIN_FUZZ=ON -DREIN_SANITIZE=address,undefined >/dev/null
cmake --build build/fuzz -j "$(nproc)" --target fuzz_targets -- --quiet
for target in build/fuzz/tests/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    grown=$(mktemp -d) # new inputs stay out of the tree
    echo "-- $name, $seconds s"
    if ! "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -close_fd_mask=3 \
        -print_final_stats=1 -artifact_prefix=build/fuzz/ "$grown" \
        "tests/fuzz/corpus/${name#fuzz_}" 2>build/fuzz/"$name.log"; then
        tail -n 40 build/fuzz/"$name.log"
        exit 1
    fi
    grep number_of_executed_units build/fuzz/"$name.log"
    rm -rf "$grown"
done
