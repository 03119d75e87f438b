#!/usr/bin/env bash
# replay.sh <gateway binary>: plays the recorded transcripts of both releases against our gateway.
# GATEWAY_KIND=official plays each release's transcripts against that release, which proves the player.
# GROUPS_ONLY="pair sig" and VERSIONS="2026.9.6" choose a part; then unused allow-list entries are no failure.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
gateway_binary=${1:-}
kind=${GATEWAY_KIND:-ours}
begin
captures=$shared/protocol/captures
[ -d "$captures" ] || { echo "no transcripts at $captures: set OPENCLAW_SHARED" >&2; exit 1; }
differences=$work/differences.jsonl
groups=$("$node" "$here/replay.mjs" groups --captures "$captures")

setup_config() { # setup_config <token|proxied|password> <token> <password> <log>
  jq -nc --arg kind "$1" --arg token "$2" --arg pw "$3" --arg log "$4" --argjson port "$port" '
    {gateway: {mode: "local", port: $port, bind: "loopback",
      auth: (if $kind == "password" then {mode: "password", password: $pw} else {mode: "token", token: $token} end)},
     logging: {file: $log}} | if $kind == "proxied" then .gateway.trustedProxies = ["127.0.0.1"] else . end'
}

for version in ${VERSIONS:-2026.9.6 2026.2.26}; do
  case "$version" in 2026.9.6) digits=960 GATEWAY_KIND=$kind ;; *) digits=226 GATEWAY_KIND=$([ "$kind" = ours ] && echo ours || echo official-2.26) ;; esac
  while read -r group setup; do
    [ -z "${GROUPS_ONLY:-}" ] || [[ " $GROUPS_ONLY " == *" $group "* ]] || continue
    # 2.26 takes a foreign Host for a remote client, and knows no other way without a proxy.
    [ "$GATEWAY_KIND-$setup" != official-2.26-proxied ] || setup=token
    port=$(free_port)
    home=$(new_home "gw-$group-$digits" "$(setup_config "$setup" "tok-fake-${digits}0000000000000" "pw-fake-${digits}000" "$work/gw-$group-$digits/gateway.log")")
    start_gateway "$home" "http://127.0.0.1:$port" || continue
    pid=$gateway_pid
    timeout 300 "$node" "$here/replay.mjs" play --url "ws://127.0.0.1:$port" --captures "$captures" --version "$version" --group "$group" \
      --kind "$kind" --out "$differences" --pid "$pid" ${ONLY:+--only "$ONLY"} || fail "$group $version could be played"
    stop_gateway "$pid"
  done <<< "$groups"
done
[ "$failed" -eq 0 ] || { finish; exit 1; }
[ -z "${KEEP_DIFFERENCES:-}" ] || cp "$differences" "$KEEP_DIFFERENCES"
"$node" "$here/replay.mjs" judge --kind "$kind" --out "$differences" ${GROUPS_ONLY:+--partial yes} ${VERSIONS:+--partial yes} ${VERBOSE:+--verbose yes}
