#!/bin/bash
# Write what docs/config.md should be to stdout: the tables come from the program.
# usage: scripts/docs.sh [REIN] > docs/config.md
set -euo pipefail
cat <<'HEAD'
# Config reference

Made by `scripts/docs.sh` from the program's own tables (`rein config --markdown`); a test compares. A config has five sections; every key
can be set on the command line as `section.key=value`. Sections `env` and `algo` take further keys from the environment and algorithm chosen.

HEAD
"${1:-build/rein}" config --markdown
