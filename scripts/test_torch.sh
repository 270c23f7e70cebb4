#!/bin/bash
# The three ways to build: with Debian's libtorch, with the one inside a PyPI wheel, with none.
# Each gets its own build folder and runs the tests that know the difference, then all others.
# usage: scripts/test_torch.sh [debian|wheel|none ...]      default: all three
# The wheel is the folder `torch` (site-packages/torch) named by REIN_TORCH_ROOT; without it Python
# is asked, and where Python has no torch, the wheel is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh test
jobs=$(nproc)
export CTEST_OUTPUT_ON_FAILURE=1
wheel=${REIN_TORCH_ROOT:-$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null || true)}

run() { # name, cmake options
    local folder=build/torch-$1
    echo "== $1"
    shift
    cmake --preset release -B "$folder" --log-level=WARNING "$@" >/dev/null
    cmake --build "$folder" -j "$jobs" -- --quiet
    ctest --test-dir "$folder" -j "$jobs" --no-tests=error -R torch
    ctest --test-dir "$folder" -j "$jobs" --no-tests=error -E torch -LE slow
}
for stage in "${@:-debian wheel none}"; do
    for step in $stage; do
        case $step in
        debian) run debian -DREIN_TORCH=ON ;;
        wheel)
            if [ -n "$wheel" ]; then
                run wheel -DREIN_TORCH_ROOT="$wheel"
            else
                echo '== wheel: left out, no torch in this Python and no REIN_TORCH_ROOT'
            fi
            ;;
        none) run none -DREIN_TORCH=OFF ;;
        *) echo "no stage '$step'" >&2; exit 2 ;;
        esac
    done
done
