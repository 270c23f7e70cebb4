#!/bin/bash
# The three ways to build: with Debian's libtorch, with the one inside a PyPI wheel, with none.
# Each gets its own build folder and runs the tests that know the difference, then all others.
# usage: scripts/test_torch.sh [FOLDER]    the wheel's folder `torch` (site-packages/torch);
#        without it Python is asked, and the wheel is left out where there is none
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
export CTEST_OUTPUT_ON_FAILURE=1
wheel=${1:-$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null || true)}

run() { # name, cmake options
    local folder=build/torch-$1
    echo "== $1"
    shift
    cmake --preset release -B "$folder" --log-level=WARNING "$@" >/dev/null
    cmake --build "$folder" -j "$jobs" -- --quiet
    ctest --test-dir "$folder" -j "$jobs" --no-tests=error -R torch
    ctest --test-dir "$folder" -j "$jobs" --no-tests=error -E torch -LE slow
}
run debian -DREIN_TORCH=ON
if [ -n "$wheel" ]; then
    run wheel -DREIN_TORCH_ROOT="$wheel"
else
    echo '== wheel: left out, no torch in this Python and no folder given'
fi
run none -DREIN_TORCH=OFF
