#!/usr/bin/env bash
# cli.sh <gateway binary>: the official CLIs, unchanged, against our gateway.
#
# GATEWAY_KIND=official runs the same expectations against the official gateway of each CLI's own release, which
# proves the expectations themselves. CLIS="v9 v2" and SCENARIOS="token password lan custom" choose a part.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$here/cli-checks.sh"
gateway_binary=${1:-}
kind=${GATEWAY_KIND:-ours}
clis=${CLIS:-v9 v2}
scenarios=${SCENARIOS:-token password lan custom}
[ -n "$gateway_binary" ] || [ "$kind" != ours ] || { echo "usage: cli.sh <gateway binary>" >&2; exit 2; }
begin

# config <auth mode> <secret> <extra gateway keys as JSON> <log file>
config() {
  jq -nc --arg m "$1" --arg s "$2" --argjson extra "$3" --arg log "$4" --argjson port "$port" \
    '{gateway: ({mode: "local", port: $port, auth: {mode: $m, ($m): $s}} + $extra), logging: {file: $log}}'
}

# The official gateway speaks one protocol, so each CLI gets the one of its own release.
kind_for() { [ "$kind" = ours ] && echo ours || { [ "$v" = v9 ] && echo official || echo official-2.26; }; }

run_loopback() { # run_loopback <token|password>
  local mode=$1 name=loopback-$1
  if [ "$mode" = token ]; then secret=$token; else secret=$password; fi
  port=$(free_port) url_http=http://127.0.0.1:$port url_ws=ws://127.0.0.1:$port
  section "$name, $v"
  gw_home=$(new_home "gw-$name-$v" "$(config "$mode" "$secret" '{"bind":"loopback"}' "$work/gw-$name-$v/gateway.log")")
  home=$(new_home "cli-$name-$v" "$(config "$mode" "$secret" '{"bind":"loopback"}' "$work/cli-$name-$v/cli.log")")
  start_gateway "$gw_home" "$url_http" || return 0
  local pid=$gateway_pid
  check_sockets "$name $v" "127.0.0.1:$port" "[::1]:$port"
  check_looks "$name"
  check_refusals "$name" "--$mode"
  if [ "$mode" = token ]; then
    check_read_methods "$name"
    check_devices "$name"
    check_config_writes "$name"
  else
    call status; check_json "$name $v: call status" "$status_facts"
    call config.get; check_json "$name $v: config.get redacts the password" '.parsed.gateway.auth.password == "__OPENCLAW_REDACTED__"'
    cli devices list --json; check_json "$name $v: devices list --json" '(.pending | type) == "array"'
  fi
  check_logs "$name"
  check_no_secret "$name $v: no secret in the gateway's output and log" "$gw_home"
  stop_gateway "$pid"
}

# A gateway host and a client host with a network between them; the client is a stranger with the right secret.
run_network() { # run_network <lan|custom>
  local mode=$1 name=$1 gw_ns cl_ns local_home remote_home remote_url pid
  if [ "$GATEWAY_KIND-$mode" = official-2.26-custom ]; then
    echo "note  the official 2.26 with bind=custom opens no loopback socket, and its own CLI looks only there: nothing to prove"
    return 0
  fi
  secret=$token port=18789
  section "$name, $v"
  new_ns "g$v"; gw_ns=$ns_name
  new_ns "c$v"; cl_ns=$ns_name
  join_ns "$gw_ns" eth0 10.77.0.1/24 "$cl_ns" eth0 10.77.0.2/24
  local extra='{"bind":"lan"}'
  [ "$mode" = lan ] || extra='{"bind":"custom","customBindHost":"10.77.0.1"}'
  gw_home=$(new_home "gw-$name-$v" "$(config token "$secret" "$extra" "$work/gw-$name-$v/gateway.log" | jq -c '.gateway.controlUi = {allowedOrigins: ["http://10.77.0.1:18789"]}')")
  local_home=$(new_home "cli-$name-$v" "$(config token "$secret" "$extra" "$work/cli-$name-$v/cli.log")")
  remote_url=ws://10.77.0.1:$port
  if ! is9; then
    remote_url=ws://127.0.0.1:$port
    setsid ip netns exec "$cl_ns" "$node" "$here/relay.mjs" "$port" 10.77.0.1 "$port" < /dev/null &
    pids+=("$!")
  fi
  remote_home=$(new_home "remote-$name-$v" "{\"gateway\":{\"mode\":\"remote\",\"remote\":{\"url\":\"$remote_url\",\"token\":\"$secret\"}},\"logging\":{\"file\":\"$work/remote-$name-$v/cli.log\"}}")
  NS=$gw_ns url_http=http://127.0.0.1:$port url_ws=ws://127.0.0.1:$port
  start_gateway "$gw_home" "http://10.77.0.1:$port" || { NS=''; return 0; }
  pid=$gateway_pid
  if [ "$mode" = lan ]; then check_sockets "$name $v" "0.0.0.0:$port"; else check_sockets "$name $v" "127.0.0.1:$port" "10.77.0.1:$port" "?[::1]:$port"; fi

  NS=$gw_ns home=$local_home
  # With bind=custom 9.6 asks its status of the custom address, where it is no local client and may not read.
  [ "$mode" = lan ] || AIM=(--url "$url_ws" --token "$secret")
  check_looks "$name local"
  NS=$cl_ns home=$remote_home url_ws=$remote_url
  CLI_ENV=(OPENCLAW_ALLOW_INSECURE_PRIVATE_WS=1)
  cli logs --json --limit 1; check_refused "$name remote $v: a stranger with the right token needs approval" 'pairing required'
  approve_remote "$name" "$gw_ns" "$local_home"
  AIM=(--url "$url_ws" --token "$secret")
  check_looks "$name remote"
  call status; check_json "$name remote $v: call status" "$status_facts"
  call system-presence; check_json "$name remote $v: call system-presence" "$presence_facts"
  call device.pair.list
  if is9; then check_refused "$name remote $v: a wider scope waits for approval" 'scope upgrade pending approval|pairing required'
  else check_json "$name remote $v: call device.pair.list shows the caller's address" 'any(.paired[]; .remoteIp == "10.77.0.2")'; fi
  check_refusals_remote "$name"
  follow_logs "$name remote $v:"
  approve_by_call "$name" "$gw_ns" "$cl_ns" "$local_home"
  rotate_remote "$name" "$gw_ns" "$local_home" "$remote_home"
  CLI_ENV=() AIM=() NS=''
  check_no_secret "$name $v: no secret in the gateway's output and log" "$gw_home"
  stop_gateway "$pid"
}

# The person at the gateway approves what is pending until the stranger may do all it asks for: each command asks
# for the scopes it needs, so a wider one asks again. At most six rounds.
approve_remote() {
  local name=$1 gw_ns=$2 local_home=$3 remote_home=$home remote_ns=$NS remote_env=("${CLI_ENV[@]}") round request
  # 9.6 asks for the one scope that its command needs; 2.26 asks for nearly all, except for the commands that read.
  local wanted=("logs --json --limit 1")
  is9 || wanted+=("gateway call status --json" "devices list --json" "status --deep --json")
  for round in "${!wanted[@]}"; do
    NS=$remote_ns home=$remote_home CLI_ENV=("${remote_env[@]}")
    # shellcheck disable=SC2086
    cli ${wanted[$round]}
    NS=$gw_ns home=$local_home CLI_ENV=()
    cli devices list --json
    [ "$round" -ne 0 ] || stranger=$(jq -r '.pending[0].deviceId // empty' < "$work/out")
    [ "$round" -ne 0 ] || check_json "$name $v: devices list on the gateway host shows the stranger and its address" '(.pending | length) == 1 and .pending[0].remoteIp == "10.77.0.2" and .pending[0].role == "operator"'
    request=$(jq -r '.pending[0].requestId // empty' < "$work/out")
    [ -n "$request" ] || continue
    cli devices approve "$request" --json
    check_json "$name $v: devices approve of the stranger (round $round)" '(.device.approvedAtMs | type) == "number"'
  done
  NS=$remote_ns home=$remote_home CLI_ENV=("${remote_env[@]}")
  cli gateway call status --json; check_json "$name remote $v: approved, the stranger gets in" "$status_facts"
}

# A second stranger that asks for no more than the caller holds: `gateway call` may approve it.
approve_by_call() {
  local name=$1 gw_ns=$2 cl_ns=$3 local_home=$4 remote_home=$home remote_env=("${CLI_ENV[@]}") request
  device stranger --token "$secret" --scopes operator.pairing
  device_says "$name remote $v: a second stranger needs approval" '.error.details.reason == "not-paired" and .error.code == "NOT_PAIRED"'
  request=$(jq -r '.error.details.requestId // empty' < "$work/device")
  NS=$gw_ns home=$local_home CLI_ENV=()
  call device.pair.approve "{\"requestId\":\"$request\"}"
  JQ_ARGS=(--arg r "$request"); check_json "$name $v: call device.pair.approve" '.requestId == $r and (.device.deviceId | length) == 64'; JQ_ARGS=()
  NS=$cl_ns home=$remote_home CLI_ENV=("${remote_env[@]}")
  device stranger --token "$secret" --scopes operator.pairing --call device.pair.list
  device_says "$name remote $v: the second stranger gets in and may list" '.hello.auth.deviceToken != null and .calls[0].ok == true'
}

check_refusals_remote() {
  local at="$1 remote $v:"
  cli gateway call health --json --url "$url_ws" --token wrong-secret-000000; check_refused "$at wrong token" 'token mismatch'
  cli gateway call health --json --url "$url_ws"; check_refused "$at --url without credentials" 'gateway url override requires explicit credentials'
}

rotate_remote() {
  local name=$1 gw_ns=$2 local_home=$3 remote_home=$4 device=$stranger
  local remote_ns=$NS remote_env=("${CLI_ENV[@]}")
  NS=$gw_ns home=$local_home CLI_ENV=()
  cli devices rotate --device "$device" --role operator --json
  check_json "$name $v: devices rotate of the remote device" '(.rotatedAtMs | type) == "number"'
  NS=$remote_ns home=$remote_home CLI_ENV=("${remote_env[@]}")
  cli gateway call status --json; check_json "$name remote $v: after a rotation the shared secret fetches the new token" "$status_facts"
  NS=$gw_ns home=$local_home CLI_ENV=()
  cli devices revoke --device "$device" --role operator --json; check_json "$name $v: devices revoke of the remote device" '(.revokedAtMs | type) == "number"'
  NS=$remote_ns home=$remote_home CLI_ENV=("${remote_env[@]}")
  cli logs --json --limit 1
  # Protocol 4 asks again; the official 2.26 issues a new token silently.
  if is9 || ours; then check_refused "$name remote $v: a revoked device must be approved again" 'pairing required|pending approval'
  else check_text "$name remote $v: 2.26 forgives a revoked device that holds the secret" '"type":"meta"'; fi
  NS=$gw_ns home=$local_home CLI_ENV=()
  cli devices remove "$device" --json; check_json "$name $v: devices remove of the remote device" '(.deviceId | length) == 64'
  NS=$remote_ns home=$remote_home CLI_ENV=("${remote_env[@]}")
  cli logs --json --limit 1; check_refused "$name remote $v: a removed device must be approved again" 'pairing required|pending approval'
}

# Both command lines at once: they share nothing, and most of the time each waits for the other end.
if [ "$(wc -w <<< "$clis")" -gt 1 ]; then
  for v in $clis; do CLIS=$v "$here/cli.sh" "$gateway_binary" > "$work/$v.out" 2>&1 & pids+=("$!"); done
  for pid in "${pids[@]}"; do wait "$pid" || true; done
  for v in $clis; do
    grep -vE '^[0-9]+ passed, [0-9]+ failed$' "$work/$v.out"
    read -r p f <<< "$(awk '/^[0-9]+ passed, [0-9]+ failed$/ { print $1, $3 }' "$work/$v.out" | tail -n 1)"
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
  done
  pids=()
  finish
  exit
fi

for v in $clis; do
  GATEWAY_KIND=$(kind_for)
  for scenario in $scenarios; do
    case "$scenario" in
      token | password) run_loopback "$scenario" ;;
      lan | custom)
        can_netns || { fail "$scenario needs a network namespace, and none can be made here"; continue; }
        run_network "$scenario" ;;
      *) echo "unknown scenario $scenario" >&2; exit 2 ;;
    esac
  done
done
finish
