#!/usr/bin/env bash
# crash.sh <gateway binary> [rounds]: kill -9 at random moments while devices pair and the configuration is written.
# After each restart everything that was acknowledged must hold. GATEWAY_KIND=official proves the script.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
gateway_binary=${1:-}
rounds=${2:-20}
begin
port=$(free_port) url=http://127.0.0.1:$port
home=$(new_home gateway "{\"gateway\":{\"mode\":\"local\",\"port\":$port,\"bind\":\"loopback\",\"auth\":{\"mode\":\"token\",\"token\":\"$token\"}},\"ui\":{\"seamColor\":\"#000000\"},\"logging\":{\"file\":\"$work/gateway/gateway.log\"}}")
drive() { timeout 60 "$node" "$here/crash.mjs" "$1" --url "ws://127.0.0.1:$port" --state "$work" --token "$token" --config "$home/openclaw.json"; }

cut=0
for round in $(seq "$rounds"); do
  start_gateway "$home" "$url" || break
  pid=$gateway_pid
  drive work > "$work/work.out" 2>&1 &
  worker=$!
  # Somewhere in the first 1.5 seconds; short ones hit the first writes after a start.
  sleep "$(awk -v r=$RANDOM 'BEGIN { printf "%.3f", 0.15 + (r / 32768) ^ 2 * 1.4 }')"
  kill -KILL -- "-$pid" 2>/dev/null || true
  wait_gone "$pid" 5 || true
  wait "$worker" 2>/dev/null || true
  if grep -q '^refused ' "$work/work.out"; then fail "round $round: the gateway refuses ordinary work" "$(head -3 "$work/work.out")"; fi
  start_gateway "$home" "$url" || break
  pid=$gateway_pid
  if said=$(drive verify 2>&1 | tee "$work/said") && json_is "$work/said" '.wrong == []'; then
    pass "round $round: $(echo "$said" | jq -r '"\(.acknowledged) acknowledged, in flight: \(.inFlight | join(" "))"')"
    [ "$(echo "$said" | jq '.inFlight | length')" -eq 0 ] || cut=$((cut + 1))
  else fail "round $round: everything acknowledged holds after kill -9" "$said"; fi
  # Every second round ends with a proper stop, so that a crash after a clean start is met as well.
  if [ $((round % 2)) -eq 0 ]; then stop_gateway "$pid"; else kill -KILL -- "-$pid" 2>/dev/null || true; wait_gone "$pid" 5 || true; fi
done
if [ "$cut" -gt 0 ]; then pass "$cut of $rounds kills hit a request in flight"; else fail "no kill hit a request in flight: the rounds prove nothing"; fi
litter=$(find "$home" -maxdepth 2 -name '*.tmp*' -print | head -5 || true)
[ "$(echo "$litter" | grep -c .)" -le 2 ] && pass "no heap of temporary files is left" || fail "no heap of temporary files is left" "$litter"
finish
