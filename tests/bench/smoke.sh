#!/usr/bin/env bash
# Every figure of the bench with tiny counts: each must be a number, none is judged. $1: a release binary (else it is
# built). The bench itself needs no optimisation for that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/openclaw-target}
if [ $# -gt 0 ]; then
  binary=$(realpath "$1")
else
  cargo build --release --bin openclaw
  binary=$(realpath "$CARGO_TARGET_DIR/release/openclaw")
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo bench --profile dev --bench gateway -- --smoke --gateway "$binary" --json "$work/table.json" --plot "$work/plots"
test -s "$work/table.json"
test -s "$work/plots/memory.svg"
