#!/usr/bin/env bash
# Builds the fuzz targets once and runs each for FUZZ_SECONDS (10) with the nightly compiler. Whatever libFuzzer finds or
# keeps stays in a temporary folder, except what fails: that is printed, with the folder that holds it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${FUZZ_SECONDS:-10}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/openclaw-target}/fuzz
export PATH="$HOME/.cargo/bin:$PATH"
[[ $(rustup toolchain list) == *nightly* ]] || rustup toolchain install nightly --profile minimal
command -v cargo-fuzz > /dev/null || cargo install --locked cargo-fuzz

# The versions that the product is built with; cargo adds the fuzzer's own.
cp Cargo.lock tests/fuzz/Cargo.lock
# Without a sanitizer: our crates forbid unsafe code, and the checks are the targets' own assertions.
fuzz=(--fuzz-dir tests/fuzz --sanitizer none)
cargo +nightly fuzz build "${fuzz[@]}"

work=$(mktemp -d)
passed=0 failed=0
for target in $(cargo +nightly fuzz list --fuzz-dir tests/fuzz); do
  mkdir -p "$work/$target/corpus" "$work/$target/artifacts"
  cp "tests/fuzz/seeds/$target"/* "$work/$target/corpus/"
  if cargo +nightly fuzz run "${fuzz[@]}" "$target" "$work/$target/corpus" -- -max_total_time="$seconds" \
    -timeout=10 -rss_limit_mb=2048 -max_len=4096 -artifact_prefix="$work/$target/artifacts/" \
    > "$work/$target/log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok   %s: %s\n' "$target" "$(grep -o 'Done [0-9]* runs.*' "$work/$target/log" | tail -1)"
  else
    failed=$((failed + 1))
    printf 'FAIL %s: kept in %s\n' "$target" "$work/$target"
    grep -m1 -A4 panicked "$work/$target/log" || tail -40 "$work/$target/log"
  fi
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] || exit 1
rm -rf "$work"
