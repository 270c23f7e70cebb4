#!/bin/bash
# Every test: lint, unit, golden, command line, learning; then the same unit tests under
# AddressSanitizer + UBSan and the threaded ones under ThreadSanitizer, and a short fuzz run.
# usage: scripts/test.sh [release|asan|tsan|fuzz|lint ...]     default: all of them
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh test
jobs=$(nproc)
export CTEST_OUTPUT_ON_FAILURE=1

build() { # preset
    cmake --preset "$1" --log-level=WARNING >/dev/null
    cmake --build --preset "$1" -j "$jobs" -- --quiet
}

for stage in "${@:-lint release asan tsan fuzz}"; do
    for step in $stage; do
        echo "== $step"
        case $step in
        lint) scripts/lint.sh ;;
        release)
            build release
            ctest --test-dir build -j "$jobs" --no-tests=error
            ;;
        asan)
            build asan
            LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp \
                ctest --test-dir build/asan -j "$jobs" -LE slow --no-tests=error
            ;;
        tsan)
            build tsan
            TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp \
                ctest --test-dir build/tsan -j "$jobs" -L threads --no-tests=error
            ;;
        fuzz) scripts/fuzz.sh 5 ;;
        *) echo "no stage '$step'" >&2; exit 2 ;;
        esac
    done
done
