#!/bin/bash
# Formatting, layer rules, shell syntax.
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v clang-format >/dev/null; then
    git ls-files '*.c' '*.h' '*.cpp' '*.hpp' | xargs clang-format --dry-run -Werror
else
    echo 'clang-format is missing: formatting not checked' >&2
    exit 1
fi
tests/test_includes.sh
for script in scripts/*.sh tests/*.sh .ci/run; do bash -n "$script"; done
echo 'lint: clean'
