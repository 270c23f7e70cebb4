#!/bin/bash
# rein_torch.h alone is C17 for a pedantic compiler and C++; the function lists name each of its
# functions; no program is linked with libtorch.
set -euo pipefail
build=$1
bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo '#include "nets/torch/rein_torch.h"' >"$work/alone.c"
for compiler in "${CC:-cc}" clang; do
    command -v "$compiler" >/dev/null || continue
    "$compiler" -std=c17 -Wpedantic -Wall -Wextra -Werror -I. -c -o "$work/alone.o" "$work/alone.c"
done

# names before "(" at the start of a declaration, against names of the lists
declared=$(sed -n 's/^\(rein_status\|void\) \(rein_t[a-z_0-9]*\)(.*/\2/p' nets/torch/rein_torch.h | sort)
listed=$(grep -o 'X(rein_t[a-z_0-9]*' nets/torch/functions.h | sed 's/X(//' | sort)
[ "$(echo "$declared" | wc -l)" -gt 100 ] || { echo 'found hardly any function'; bad=1; }
diff <(echo "$declared") <(echo "$listed") || { echo 'rein_torch.h and functions.h differ'; bad=1; }

! ldd "$build/rein" | grep -E 'libtorch|libc10' || { echo 'rein is linked with libtorch'; bad=1; }
if [ -e "$build/librein_torch.so" ]; then # one symbol leaves the module
    exported=$(nm -D --defined-only "$build/librein_torch.so" | grep -c ' T rein_' || true)
    [ "$exported" = 1 ] || { echo "librein_torch.so exports $exported functions"; bad=1; }
fi
exit $bad
