#!/usr/bin/env bash
# ours.sh <binary>: our command line against the official gateway 2026.9.6, the other way round.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$here/cli-checks.sh"
binary=${1:?usage: ours.sh <openclaw binary>}
GATEWAY_KIND=official gateway_binary=''
begin
v=v9 name="our CLI"
cli() { run_cli "$binary" "$home" "$@"; }
check_error_json() { # check_error_json <title> <jq filter>: exit 1 and one JSON object that says why
  if [ "$RC" -eq 1 ] && json_is "$work/out" ".ok == false and ($2)"; then pass "$1"
  else fail "$1 -- expected exit 1 and JSON with: .ok == false and ($2)" "$(evidence)"; fi
}

look() { # look <title>: what a person asks first
  local at=$1
  cli health "${AIM[@]}"; check_text "$at: health says healthy" 'healthy'
  cli health --json "${AIM[@]}"; check_json "$at: health --json" "$health_facts"
  cli status "${AIM[@]}"; check_text "$at: status names the version of the gateway" '2026\.9\.6'
  check_text "$at: status says reachable" '[Rr]eachable +yes'
  cli status --json "${AIM[@]}"; check_json "$at: status --json" '.ok and .gateway.reachable and .gateway.server.version == "2026.9.6" and (.status.sessions.count | type) == "number" and .refused == []'
  cli status --deep --json "${AIM[@]}"; check_json "$at: status --deep --json" '.ok and .gateway.reachable and (.health.ok == true) and has("lastHeartbeat") and (.presence | length) > 0'
  cli status --deep "${AIM[@]}"; check_text "$at: status --deep names the agent" 'Agents +main'
  cli status --all "${AIM[@]}"; check_text "$at: status --all names the log file" 'gateway\.log'
  cli status --all --json "${AIM[@]}"; check_json "$at: status --all --json" '.ok and (.devices.paired | type) == "array" and (.logFile | type) == "string"'
  cli gateway status "${AIM[@]}"; check_text "$at: gateway status" 'Probe +ok'
  cli gateway status --json --require-rpc "${AIM[@]}"; check_json "$at: gateway status --json --require-rpc" '.rpc.ok and .rpc.server.version == "2026.9.6" and (.rpc.capability | test("read|write|admin"))'
  cli gateway health "${AIM[@]}"; check_text "$at: gateway health" 'healthy'
  cli gateway probe "${AIM[@]}"; check_text "$at: gateway probe" '^Reachable: yes'
  cli gateway probe --json "${AIM[@]}"; check_json "$at: gateway probe --json" '.ok and any(.targets[]; .connect.ok)'
}

calls() { # every method of this work through `gateway call`
  check_read_methods "$name"
}

people() {
  pending_device a "$name device a"
  cli devices list; check_text "devices list shows the pending one" "${request_id:0:8}|${device_id:0:8}"
  JQ_ARGS=(--arg r "$request_id" --arg d "$device_id")
  cli devices list --json; check_json "devices list --json shows it" 'any(.pending[]; .requestId == $r and .deviceId == $d)'
  cli devices approve "$request_id" --json; check_json "devices approve" '.requestId == $r and .device.deviceId == $d'
  cli devices approve "$request_id" --json; check_error_json "devices approve a second time" '.error.message | test("requestId|request|pending")'
  cli devices rotate --device "$device_id" --role operator --json; check_json "devices rotate" '.deviceId == $d and (.rotatedAtMs | type) == "number"'
  device a --device-token "$device_token" --scopes operator.pairing
  device_says "the rotated-away token is refused" '.error.details.code == "AUTH_DEVICE_TOKEN_MISMATCH"'
  cli devices revoke --device "$device_id" --role operator --json; check_json "devices revoke" '.deviceId == $d and (.revokedAtMs | type) == "number"'
  cli devices rename --device "$device_id" --name kitchen --json; check_json "devices rename" '.deviceId == $d and .label == "kitchen"'
  cli devices remove "$device_id" --json; check_json "devices remove" '.deviceId == $d'
  cli devices list --json; check_json "devices list --json no longer shows it" '[.paired[], .pending[] | select(.deviceId == $d)] == []'
  pending_device b "$name device b"
  JQ_ARGS=(--arg r "$request_id" --arg d "$device_id")
  cli devices reject "$request_id" --json; check_json "devices reject" '.requestId == $r'
  JQ_ARGS=()
}

tail_logs() {
  cli logs --limit 5; check_text "logs prints lines" '.'
  cli logs --json --limit 5
  if [ "$RC" -eq 0 ] && jq -es 'length > 0 and any(.[]; (.message // .raw // .line) != null)' < "$work/out" > /dev/null; then pass "logs --json prints one object a line"
  else fail "logs --json prints one object a line" "$(evidence)"; fi
  follow "logs --follow"
}

follow() {
  local out=$work/follow seen=1
  env -i "${bare_env[@]}" HOME="$home" OPENCLAW_STATE_DIR="$home" timeout -k 2 20 "$binary" logs --follow --limit 3 --interval 300 > "$out" 2>&1 < /dev/null &
  local follower=$!
  for _ in $(seq 40); do [ -s "$out" ] && break; sleep 0.25; done
  cli gateway call no.such.follow --json
  for _ in $(seq 40); do grep -q no.such.follow "$out" && { seen=0; break; }; sleep 0.25; done
  kill "$follower" 2>/dev/null || true; wait "$follower" 2>/dev/null || true
  if [ $seen -eq 0 ]; then pass "$1 shows what happens meanwhile"; else fail "$1 shows what happens meanwhile" "$(head -c 800 "$out")"; fi
}

refusals() { # refusals <--token|--password>
  local flag=$1 kind=${1#--} keep=$home command
  cli gateway call health --json --url "$url_ws" "$flag" wrong-secret-000000; check_error_json "wrong $kind" ".error.message | test(\"$kind mismatch\")"
  cli gateway health --url "$url_ws" "$flag" wrong-secret-000000; check_refused "wrong $kind: one line and a hint" 'hint:'
  for command in "gateway call health" "gateway health" "health" "status" "devices list" "logs" "gateway probe" "gateway status"; do
    # shellcheck disable=SC2086
    cli $command --url "$url_ws"; check_refused "$command --url without credentials" '`?--url`?.*(credential|--token|--password)|credential'
  done
  CLI_ENV=("OPENCLAW_GATEWAY_TOKEN=$secret" "OPENCLAW_GATEWAY_PASSWORD=$secret")
  cli gateway health --url "$url_ws"; check_refused "--url takes no credentials from the environment" 'credential|--token'
  CLI_ENV=()
  home=$(new_home "bare-$kind" "{\"gateway\":{\"mode\":\"local\",\"port\":$port}}")
  cli gateway health; check_refused "no $kind at all" "missing|credential|token|password"
  home=$keep
}

for mode in token password; do
  section "our CLI, official gateway, $mode"
  if [ "$mode" = token ]; then secret=$token; else secret=$password; fi
  port=$(free_port) url_http=http://127.0.0.1:$port url_ws=ws://127.0.0.1:$port
  log=$work/gw-$mode/gateway.log
  conf=$(jq -nc --arg m "$mode" --arg s "$secret" --arg log "$log" --argjson port "$port" '{gateway: {mode: "local", port: $port, bind: "loopback", auth: {mode: $m, ($m): $s}}, logging: {file: $log}}')
  gw_home=$(new_home "gw-$mode" "$conf")
  home=$(new_home "cli-$mode" "$(jq -c 'del(.logging)' <<< "$conf")")
  start_gateway "$gw_home" "$url_http" || continue
  pid=$gateway_pid
  AIM=(); look "$mode, local"
  if [ "$mode" = token ]; then calls; people; tail_logs; fi
  refusals "--$mode"
  AIM=(--url "$url_ws" "--$mode" "$secret") home=$(new_home "empty-$mode"); look "$mode, --url"
  stop_gateway "$pid"
  port=$(free_port); home=$(new_home "nobody-$mode" "{\"gateway\":{\"mode\":\"local\",\"port\":$port,\"auth\":{\"mode\":\"token\",\"token\":\"$token\"}}}"); AIM=()
  cli health; check_refused "no gateway there: says so with a hint" 'hint:'
  cli status --json; check_error_json "no gateway there, status --json" '.gateway.reachable == false'
done
finish
