#!/bin/bash
# The include direction of docs/design.md, checked by grep:
#   base <- envs, replay, nets <- algos <- experiments; envs, replay and nets never include one
#   another; <mujoco.h> only in envs/mujoco, <hdf5.h> only in replay (and tests).
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0

check() { # folder, pattern of layers it may include
    local folder=$1 allowed=$2 found
    found=$(grep -rnE '^\s*#\s*include\s+"' --include='*.[ch]' "$folder" |
        grep -vE "#\s*include\s+\"($allowed)/" || true)
    [ -z "$found" ] || { echo "$folder may include only $allowed:"; echo "$found"; bad=1; }
}
check base base
check envs 'base|envs'
check replay 'base|replay'
check nets 'base|nets'
check algos 'base|envs|replay|nets|algos'
check experiments 'base|envs|replay|nets|algos|experiments'

only() { # header pattern, folders that may include it
    local found
    found=$(grep -rnE "^\s*#\s*include\s+<($1)" --include='*.[ch]' base envs replay nets algos \
        experiments | grep -vE "^($2)/" || true)
    [ -z "$found" ] || { echo "<$1> is for $2 only:"; echo "$found"; bad=1; }
}
only mujoco 'envs/mujoco'
only hdf5 'replay'
only yaml 'base'
only 'cblas|libxsmm' 'nets'
only 'torch|ATen|c10' 'no C file'
cxx=$(git ls-files '*.cpp' '*.cc' '*.hpp' | grep -v '^nets/torch/' || true)
[ -z "$cxx" ] || { echo "C++ is for nets/torch only: $cxx"; bad=1; }

# The grep itself must be able to see something.
grep -rqE '^#include "base/' --include='*.[ch]' envs || { echo 'no include found at all'; bad=1; }
exit $bad
