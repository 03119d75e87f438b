# What each official command must say about a gateway that serves it; sourced by cli.sh.
#
# `v` is the CLI under test (v9 or v2), `home` its state folder. Facts that only one release prints are chosen by
# `is9`. Facts that only hold for the official gateway are chosen by `ours`.

is9() { [ "$v" = v9 ]; }
ours() { [ "${GATEWAY_KIND:-ours}" = ours ]; }
cli() { run_cli "$v" "$home" "$@"; }
call() { # call <method> [params JSON]
  if [ $# -gt 1 ]; then cli gateway call "$1" --json --params "$2"; else cli gateway call "$1" --json; fi
}

health_facts='.ok == true and (.ts | type) == "number" and (.durationMs | type) == "number"
  and (.defaultAgentId | type) == "string" and (.agents | type) == "array" and (.channels | type) == "object"
  and (.channelOrder | type) == "array" and (.sessions.count | type) == "number"'
status_facts='(.heartbeat.agents | type) == "array" and (.heartbeat.defaultAgentId | type) == "string"
  and (.channelSummary | type) == "array" and (.queuedSystemEvents | type) == "array"
  and (.sessions.count | type) == "number" and (.sessions.recent | type) == "array" and (.sessions.byAgent | type) == "array"'
presence_facts='type == "array" and any(.[]; .mode == "gateway" and .reason == "self" and (.text | type) == "string" and (.ts | type) == "number")'

# `gateway status` looks at this host's gateway even in remote mode; AIM points it at the other one.
AIM=()

# The commands of a person who looks whether it works. $1: scenario name for the titles.
check_looks() {
  local at="$1 $v"
  cli health; check_text "$at: health names the agent and the heartbeat" '^Agents: .+'
  cli health --json; check_json "$at: health --json" "$health_facts"
  cli status; check_text "$at: status says reachable and how it authenticated" 'reachable [0-9.]+m?s · auth (token|password)'
  cli status --json; check_json "$at: status --json reached the gateway" '.gateway.reachable == true and .gateway.misconfigured == false and .gateway.error == null'
  cli status --deep --json
  check_json "$at: status --deep --json reached the gateway" ".gateway.reachable == true and $status_facts"
  check_json "$at: status --deep --json carries the gateway's health" ".health | $health_facts"
  check_json "$at: status --deep --json carries lastHeartbeat" 'has("lastHeartbeat")'
  cli status --all; check_text "$at: status --all says reachable" 'reachable [0-9.]+m?s'
  if is9; then
    cli gateway status "${AIM[@]}"; check_text "$at: gateway status connects" '^Connectivity probe: ok'
    cli gateway status --require-rpc "${AIM[@]}"; check_text "$at: gateway status --require-rpc reads" '^Read probe: ok'
    cli gateway status --json --require-rpc "${AIM[@]}"
    check_json "$at: gateway status --json: rpc ok with a capability" '.rpc.ok == true and (.rpc.capability | test("^(read_only|write_capable|admin_capable|pairing_pending|connected_no_operator_scope)$"))'
  else
    cli gateway status "${AIM[@]}"; check_text "$at: gateway status: RPC probe ok" '^RPC probe: ok'
    cli gateway status --json "${AIM[@]}"; check_json "$at: gateway status --json: rpc ok" '.rpc.ok == true'
  fi
  cli gateway health; check_text "$at: gateway health says OK" '^OK \([0-9]+ms\)'
  cli gateway health --json; check_json "$at: gateway health --json" "$health_facts"
  cli gateway probe; check_text "$at: gateway probe: reachable" '^Reachable: yes'
  cli gateway probe --json
  check_json "$at: gateway probe --json connected" '.ok == true and any(.targets[]; .connect.ok == true)'
  is9 || check_json "$at: gateway probe --json read everything" 'any(.targets[]; .connect.ok and .self.platform != null and .config.valid == true and .health.ok == true and (.summary.sessions.count | type) == "number")'
  cli gateway call health --json; check_json "$at: gateway call health" "$health_facts"
}

# Every method that only reads.
check_read_methods() {
  local at="$1 $v: call"
  call status; check_json "$at status" "$status_facts"
  call system-presence; check_json "$at system-presence lists the gateway itself" "$presence_facts"
  call system-event '{"text":"e2e wake up"}'; check_json "$at system-event" '.ok == true'
  call system-event '{}'; check_refused "$at system-event without text is refused" 'text'
  call last-heartbeat; check_json "$at last-heartbeat is null or a heartbeat" '. == null or (.ts | type) == "number"'
  if is9 || ours; then
    call gateway.identity.get
    check_json "$at gateway.identity.get" '(.deviceId | test("^[0-9a-f]{64}$")) and (.publicKey | test("^[A-Za-z0-9_-]{43}$"))'
    call config.schema.lookup '{"path":"gateway.port"}'
    check_json "$at config.schema.lookup knows gateway.port" '.path == "gateway.port" and (.schema.type == "integer" or .schema.type == "number") and .schema.maximum == 65535 and (.children | type) == "array"'
    call config.schema.lookup '{"path":"gateway"}'
    check_json "$at config.schema.lookup gateway has children" '(.children | length) > 3'
    call config.schema.lookup '{"path":"gateway.nosuchkey"}'; check_refused "$at config.schema.lookup of an unknown path" 'config schema path not found|not found|unknown'
  fi
  call logs.tail '{"limit":5}'
  check_json "$at logs.tail" '(.file | type) == "string" and (.cursor | type) == "number" and (.size | type) == "number" and (.lines | type) == "array" and (.lines | length) <= 5 and (.lines | length) > 0 and (.truncated | type) == "boolean"'
  call logs.tail '{"limit":0}'; check_refused "$at logs.tail with limit 0" 'invalid logs.tail params'
  call config.get
  check_json "$at config.get" '.exists == true and .valid == true and (.hash | type) == "string" and (.raw | type) == "string" and (.path | type) == "string" and (.config.gateway | type) == "object" and (.issues == [])'
  check_json "$at config.get redacts the secret" '(.parsed.gateway.auth | (.token // .password)) == "__OPENCLAW_REDACTED__"'
  call config.schema; check_json "$at config.schema" '(.schema.properties.gateway.properties.port | type) == "object" and (.uiHints | type) == "object" and (.version | type) == "string"'
  call channels.status '{"probe":false,"timeoutMs":2000}'
  check_json "$at channels.status" '(.ts | type) == "number" and (.channelOrder | type) == "array" and (.channels | type) == "object" and (.channelAccounts | type) == "object" and (.channelDefaultAccountId | type) == "object"'
  call device.pair.list; check_json "$at device.pair.list" '(.pending | type) == "array" and (.paired | type) == "array"'
  call no.such.method; check_refused "$at of an unknown method" 'unknown method: no\.such\.method'
  call device.pair.approve '{"requestId":"no-such"}'; check_refused "$at device.pair.approve of nothing" 'unknown requestId|device pairing approval denied'
  call device.pair.reject '{"requestId":"no-such"}'; check_refused "$at device.pair.reject of nothing" 'unknown requestId'
  call device.pair.remove '{"deviceId":"no-such"}'; check_refused "$at device.pair.remove of nothing" 'unknown deviceId'
}

# The three writers of the configuration: a right one, a stale one, a wrong one each time.
check_config_writes() {
  local at="$1 $v: call" hash raw
  base_hash() { call config.get; hash=$(jq -r .hash < "$work/out"); }
  call config.set '{"raw":"{}"}'; check_refused "$at config.set without a base hash" 'config base hash required; re-run config.get and retry'
  call config.patch '{"raw":"{}","baseHash":"stale"}'; check_refused "$at config.patch with a stale hash" 'config changed since last load; re-run config.get and retry'
  base_hash
  call config.patch "$(jq -nc --arg h "$hash" '{raw:"{ui:{seamColor:\"#102030\"}}", baseHash:$h}')"
  check_json "$at config.patch" '.ok == true and (.path | type) == "string" and .config.ui.seamColor == "#102030"'
  wait_settled
  call config.get; check_json "$at config.patch is in the file and kept the rest" '.parsed.ui.seamColor == "#102030" and .parsed.gateway.mode == "local" and .valid'
  base_hash
  raw=$(jq -c '.ui.seamColor = "#405060"' < "$gw_home/openclaw.json")
  call config.set "$(jq -nc --arg h "$hash" --arg r "$raw" '{raw:$r, baseHash:$h}')"
  check_json "$at config.set" '.ok == true and .config.ui.seamColor == "#405060"'
  wait_settled
  base_hash
  call config.set "$(jq -nc --arg h "$hash" '{raw:"{gateway:{port:\"not a port\"}}", baseHash:$h}')"
  check_refused "$at config.set with a wrong value" 'invalid config|gateway\.port|Validation'
  call config.set "$(jq -nc --arg h "$hash" '{raw:"{ this is not JSON5", baseHash:$h}')"
  check_refused "$at config.set of text that is no JSON5" 'JSON5|parse|invalid'
  call config.get; check_json "$at config.set refused left the file alone" '.parsed.ui.seamColor == "#405060" and .valid'
  base_hash
  raw=$(jq -c '.ui.seamColor = "#708090"' < "$gw_home/openclaw.json")
  call config.apply "$(jq -nc --arg h "$hash" --arg r "$raw" '{raw:$r, baseHash:$h}')"
  check_json "$at config.apply" '.ok == true and .config.ui.seamColor == "#708090"'
  wait_settled
  call config.get; check_json "$at config.apply is in the file, the secret with it" '.parsed.ui.seamColor == "#708090" and .valid'
  JQ_ARGS=(--arg s "$secret")
  if json_is "$gw_home/openclaw.json" '.gateway.auth | (.token // .password) == $s'; then pass "$at config writes kept the secret"
  else fail "$at config writes kept the secret" "the file's gateway.auth is $(jq -c '.gateway.auth | map_values(.[0:6])' "$gw_home/openclaw.json")"; fi
  JQ_ARGS=()
}

# A config write may restart the official gateway: wait until it answers again.
wait_settled() { ours || sleep 3; wait_ready "$url_http" 60 || true; }

# device <key name> <args...>: a raw client on the same URL, its JSON line in $work/device
device() {
  local key=$1 proto=4; shift
  is9 || proto=3
  in_ns "$NS" "$node" "$here/device.mjs" --url "$url_ws" --key "$work/key-$key" --protocol "$proto" "$@" > "$work/device" 2>&1 || true
}
device_says() { # device_says <title> <jq filter about the line>
  if json_is "$work/device" "$2"; then pass "$1"
  else fail "$1 -- expected of the raw client: $2" "$(head -c 1500 "$work/device")"; fi
}

# pending_device <key name>: pairs an operator silently, then asks for the node role, which needs a person
pending_device() {
  device "$1" --token "$secret" --scopes operator.pairing
  device_id=$(jq -r .deviceId < "$work/device")
  device_token=$(jq -r '.hello.auth.deviceToken // empty' < "$work/device")
  device "$1" --token "$secret" --role node --client node-host/node
  request_id=$(jq -r '.error.details.requestId // empty' < "$work/device")
  device_says "$2: asking for another role is PAIRING_REQUIRED" '.error.code == "NOT_PAIRED" and .error.details.code == "PAIRING_REQUIRED" and .error.details.reason == "role-upgrade" and .close.code == 1008'
}

check_devices() {
  local at="$1 $v:"
  pending_device a "$at device a"
  cli devices list; check_text "$at devices list shows the pending one" 'Pending \(1\)'
  cli devices list --json
  JQ_ARGS=(--arg r "$request_id" --arg d "$device_id")
  check_json "$at devices list --json shows it" 'any(.pending[]; .requestId == $r and .deviceId == $d and .role == "node" and (.publicKey | length) == 43 and (.ts | type) == "number") and any(.paired[]; .deviceId == $d and .role == "operator" and (.tokens[0].scopes | index("operator.pairing")) != null and (.createdAtMs | type) == "number")'
  check_json "$at devices list --json never lists a token" '[.. | objects | select(has("token"))] == []'
  cli devices approve "$request_id" --json; check_json "$at devices approve" '.requestId == $r and .device.deviceId == $d and (.device.roles | sort) == ["node","operator"]'
  cli devices approve "$request_id" --json; check_refused "$at devices approve a second time" 'unknown requestId|No pending|not found|no pending'
  device a --token "$secret" --role node --client node-host/node
  device_says "$at the approved node gets in with a device token" '.hello.auth.role == "node" and (.hello.auth.deviceToken | length) == 43'
  JQ_ARGS=(--arg d "$device_id")

  cli devices rotate --device "$device_id" --role operator --json
  check_json "$at devices rotate" '.deviceId == $d and .role == "operator" and (.rotatedAtMs | type) == "number" and (.scopes | index("operator.pairing")) != null'
  device a --device-token "$device_token" --scopes operator.pairing
  device_says "$at the rotated-away token is refused" '.error.details.code == "AUTH_DEVICE_TOKEN_MISMATCH" and .close.code == 1008'
  cli devices list --json; check_json "$at devices list --json shows when it was rotated" 'any(.paired[]; .deviceId == $d and any(.tokens[]; .role == "operator" and (.rotatedAtMs | type) == "number"))'
  device a --token "$secret" --scopes operator.pairing
  device_token=$(jq -r '.hello.auth.deviceToken // empty' < "$work/device")
  device a --device-token "$device_token" --scopes operator.pairing
  device_says "$at the new token gets in" '.hello.auth.role == "operator"'
  call device.token.rotate "{\"deviceId\":\"$device_id\",\"role\":\"operator\"}"
  check_json "$at call device.token.rotate" '.deviceId == $d and .role == "operator" and (.rotatedAtMs | type) == "number"'
  call device.token.rotate "{\"deviceId\":\"$device_id\",\"role\":\"operator\",\"scopes\":[\"operator.admin\"]}"
  check_refused "$at call device.token.rotate beyond what was approved" 'device token rotation denied|unknown deviceId/role|scope'
  cli devices revoke --device "$device_id" --role node --json
  check_json "$at devices revoke" '.deviceId == $d and .role == "node" and (.revokedAtMs | type) == "number"'
  call device.token.revoke "{\"deviceId\":\"$device_id\",\"role\":\"operator\"}"
  check_json "$at call device.token.revoke" '.deviceId == $d and .role == "operator" and (.revokedAtMs | type) == "number"'
  device a --device-token "$device_token" --scopes operator.pairing
  device_says "$at the revoked token is refused" '.error.details.code == "AUTH_DEVICE_TOKEN_MISMATCH"'
  cli devices list --json; check_json "$at devices list --json shows the revocation" 'any(.paired[]; .deviceId == $d and any(.tokens[]; .role == "node" and (.revokedAtMs | type) == "number"))'

  pending_device b "$at device b"
  JQ_ARGS=(--arg r "$request_id" --arg d "$device_id")
  call device.pair.approve "{\"requestId\":\"$request_id\"}"
  # 9.6 calls with the method's own scope only, and a node is for an administrator to approve; 2.26 comes as one.
  if is9; then check_refused "$at call device.pair.approve of a node without operator.admin" 'device pairing approval denied|missing scope: operator.admin'
  else check_json "$at call device.pair.approve" '.requestId == $r and .device.deviceId == $d'; fi
  if is9 || ours; then
    call device.pair.rename "{\"deviceId\":\"$device_id\",\"label\":\"kitchen\"}"
    check_json "$at call device.pair.rename" '.deviceId == $d and .label == "kitchen"'
  fi
  if is9; then
    cli devices rename --device "$device_id" --name "living room" --json
    check_json "$at devices rename" '.deviceId == $d and .label == "living room"'
    cli devices list; check_text "$at devices list shows the label" 'living'
  fi
  cli devices remove "$device_id" --json; check_json "$at devices remove" '.deviceId == $d'
  cli devices list --json; check_json "$at devices list --json no longer shows it" '[.paired[], .pending[] | select(.deviceId == $d)] == []'

  pending_device c "$at device c"
  JQ_ARGS=(--arg r "$request_id" --arg d "$device_id")
  cli devices reject "$request_id" --json; check_json "$at devices reject" '.requestId == $r and .deviceId == $d'
  pending_device d "$at device d"
  JQ_ARGS=(--arg r "$request_id" --arg d "$device_id")
  call device.pair.reject "{\"requestId\":\"$request_id\"}"; check_json "$at call device.pair.reject" '.requestId == $r and .deviceId == $d'
  call device.pair.remove "{\"deviceId\":\"$device_id\"}"; check_json "$at call device.pair.remove" '.deviceId == $d'
  JQ_ARGS=()
}

check_logs() {
  local at="$1 $v:"
  cli logs --limit 20; check_text "$at logs names the file" '^Log file: /'
  cli logs --json --limit 20
  if [ "$RC" -eq 0 ] && jq -es '.[0].type == "meta" and (.[0].file | type) == "string" and any(.[]; .type == "log" and (.message | type) == "string" and (.level | type) == "string" and (.time | type) == "string")' < "$work/out" > /dev/null; then pass "$at logs --json: meta, then parsed lines"
  else fail "$at logs --json: meta, then parsed lines" "$(evidence)"; fi
  follow_logs "$at"
}

# Follows for a few seconds; a new device knocks meanwhile, and its id must come by.
follow_logs() {
  local at=$1 out=$work/follow-$v seen=1 enter=() marker follower
  [ -z "$NS" ] || enter=(ip netns exec "$NS")
  "${enter[@]}" env -i "${bare_env[@]}" HOME="$home" OPENCLAW_STATE_DIR="$home" "${CLI_ENV[@]}" \
    timeout -k 2 40 "$node" "$cache/$v/node_modules/openclaw/openclaw.mjs" logs --follow --json --limit 5 --interval 500 > "$out" 2>&1 < /dev/null &
  follower=$!
  for _ in $(seq 60); do grep -q '"type":"meta"' "$out" 2>/dev/null && break; sleep 0.25; done
  device "knock-$RANDOM" --token "$secret" --password "$secret" --scopes operator.read
  marker=$(jq -r '.deviceId // "no device"' < "$work/device")
  for _ in $(seq 60); do grep -q "$marker" "$out" && { seen=0; break; }; sleep 0.25; done
  kill "$follower" 2>/dev/null || true
  wait "$follower" 2>/dev/null || true
  if [ $seen -eq 0 ]; then pass "$at logs --follow shows what happens meanwhile"
  else fail "$at logs --follow shows what happens meanwhile -- expected a line with the new device's id $marker" "$(tail -c 1500 "$out")"; fi
}

# A wrong secret, none at all, and --url without any. $1 scenario, $2 flag of the secret (--token or --password)
check_refusals() {
  local at="$1 $v:" kind=${2#--} keep=$home
  cli gateway call health --json --url "$url_ws" "$2" "$secret"; check_json "$at --url with the right $kind" "$health_facts"
  for command in "gateway call health" "gateway health" "devices list"; do
    # shellcheck disable=SC2086
    cli $command --url "$url_ws"; check_refused "$at $command --url without credentials" 'gateway url override requires explicit credentials'
  done
  cli logs --url "$url_ws"; check_refused "$at logs --url without credentials" 'explicit credentials|Gateway not reachable'
  # From here a home that never paired: 2.26 falls back to its stored device token when the password is wrong.
  home=$(new_home "bare-$1-$v" "{\"gateway\":{\"mode\":\"local\",\"port\":$port},\"logging\":{\"file\":\"$work/bare-$1-$v/cli.log\"}}")
  cli gateway call health --json --url "$url_ws" "$2" wrong-secret-000000; check_refused "$at wrong $kind" "gateway $kind mismatch"
  cli gateway health --url "$url_ws" "$2" wrong-secret-000000; check_refused "$at wrong $kind, gateway health" "$kind mismatch"
  cli gateway call health --json; check_refused "$at no $kind at all" "$kind missing|device identity required|credentials|gateway auth"
  cli status --json; check_json "$at status without $kind names the error" '(.gateway.error // .gateway.authWarning // "") | length > 0'
  if is9; then
    cli gateway status --require-rpc; check_refused "$at gateway status --require-rpc without $kind fails" 'probe: failed|device identity|missing|secret|auth'
  fi
  home=$keep
}
