#!/usr/bin/env bash
# bind.sh <gateway binary>: which sockets are really open, read from the kernel, for each bind mode and each odd host.
# Every case has a network namespace of its own; the rows in the titles are those of the attack table.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
gateway_binary=${1:?usage: bind.sh <gateway binary>}
GATEWAY_KIND=ours
begin
can_netns || { fail "bind needs root and network namespaces"; finish; exit 1; }
port=18789
case_number=0

# host [plain|ipv4-only|ipv6-only|no-loopback]: a new namespace with eth0 10.77.0.1, eth1 10.78.0.1 and fd77::1
host() {
  case_number=$((case_number + 1))
  new_ns "b$case_number"; NS=$ns_name
  ip -n "$NS" link add eth0 type veth peer name far0
  ip -n "$NS" link add eth1 type veth peer name far1
  for dev in eth0 far0 eth1 far1; do ip -n "$NS" link set "$dev" up; done
  if [ "${1:-plain}" != ipv6-only ]; then
    ip -n "$NS" addr add 10.77.0.1/24 dev eth0
    ip -n "$NS" addr add 10.78.0.1/24 dev eth1
  fi
  ip -n "$NS" -6 addr add fd77::1/64 dev eth0 nodad
  case "${1:-plain}" in
    ipv4-only) ip netns exec "$NS" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 ;;
    ipv6-only) ip -n "$NS" addr del 127.0.0.1/8 dev lo ;;
    no-loopback) ip -n "$NS" link set lo down; ip -n "$NS" addr flush dev lo ;;
  esac
  state=$(new_home "state$case_number")
}

# config <JSON5>: the file; gateway.mode is "local" unless it says otherwise
config() {
  jq -c '.gateway = {mode: "local"} + .gateway' <<< "$1" > "$state/openclaw.json" 2>/dev/null || printf '%s\n' "$1" > "$state/openclaw.json"
  chmod 600 "$state/openclaw.json"
}
with_token() { jq -nc --arg t "$token" --argjson g "$1" '{gateway: ({auth: {mode: "token", token: $t}} + $g)}'; }

# opens <title> <url for readiness> <sockets as for check_sockets...>: starts and compares the kernel's list
opens() {
  local title=$1 url=$2; shift 2
  start_gateway "$state" "$url" "${ARGS[@]}" || return 0
  check_sockets "$title" "$@"
}
ARGS=()

# refuses <title> <regex in its output>: exit code 78, within seconds, says why and what to do, no socket opened
refuses() {
  local title=$1 wanted=$2
  launch_gateway "$state" "${ARGS[@]}"
  if ! wait_gone "$gateway_pid" 10; then
    fail "$title -- expected a refusal" "still running, listening on: $(echo $(listening "$port"))
$(tail -n 5 "$state/gateway.out")"
    stop_gateway "$gateway_pid"
    return 0
  fi
  if [ "$gone_rc" -ne "${CODE:-78}" ]; then fail "$title -- expected exit code ${CODE:-78}" "exit code $gone_rc
$(cat "$state/gateway.out")"
  elif ! grep -qE -- "$wanted" "$state/gateway.out"; then fail "$title -- expected output matching: $wanted" "$(cat "$state/gateway.out")"
  elif [ -n "${HINT-yes}" ] && ! grep -q 'hint:' "$state/gateway.out"; then fail "$title -- expected a hint: line" "$(cat "$state/gateway.out")"
  else pass "$title: $(grep -m1 -E -- "$wanted" "$state/gateway.out" | cut -c1-150)"; fi
}

answers() { # answers <title> <url>: the health endpoint there says live
  if in_ns "$NS" curl -fsS -m 3 "$2/healthz" > "$work/healthz" 2>/dev/null && json_is "$work/healthz" '.ok == true'; then pass "$1"
  else fail "$1 -- expected $2/healthz to answer" "$(in_ns "$NS" curl -sS -m 3 -i "$2/healthz" 2>&1 | head -5)"; fi
}
hold() { # hold <address> [user id]: somebody else listens there; its pid in `holder`
  python3 - "$1" "$port" "${2:-0}" "$NS" > "$work/holder" 2>&1 <<'PY' &
import ctypes, os, socket, sys, time
fd = os.open("/run/netns/" + sys.argv[4], os.O_RDONLY)
if ctypes.CDLL(None, use_errno=True).setns(fd, 0) != 0: raise OSError(ctypes.get_errno(), "setns")
os.setuid(int(sys.argv[3]))
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(); print("ready", flush=True)
time.sleep(60)
PY
  holder=$!
  for _ in $(seq 50); do grep -q ready "$work/holder" && return 0; sleep 0.1; done
  fail "the test's own holder of $1:$port starts" "$(cat "$work/holder")"
}
release() { kill "$holder" 2>/dev/null || true; wait "$holder" 2>/dev/null || true; }

section "each mode opens exactly its sockets"
host; config "$(with_token '{"bind":"loopback"}')"
opens "loopback (A22)" "http://127.0.0.1:$port" "127.0.0.1:$port" "[::1]:$port"; stop_gateway "$gateway_pid"
[ -z "$(listening "$port")" ] && pass "after a stop nothing listens" || fail "after a stop nothing listens" "$(listening "$port")"
host; opens "no configuration at all" "http://127.0.0.1:$port" "127.0.0.1:$port" "[::1]:$port"; stop_gateway "$gateway_pid"
secret_files=$(find "$state" -type f -perm /077 ! -name gateway.out -print)
[ -z "$secret_files" ] && pass "no file of a new state directory is open to others" || fail "no file of a new state directory is open to others" "$secret_files"
host ipv4-only; config "$(with_token '{"bind":"loopback"}')"
opens "loopback, IPv6 switched off (A22)" "http://127.0.0.1:$port" "127.0.0.1:$port"; stop_gateway "$gateway_pid"
host; config "$(with_token '{"bind":"lan"}')"
opens "lan" "http://10.77.0.1:$port" "0.0.0.0:$port"; answers "lan answers on the second interface" "http://10.78.0.1:$port"; stop_gateway "$gateway_pid"
host; config "$(with_token '{"bind":"custom","customBindHost":"10.78.0.1"}')"
opens "custom, one of several interfaces" "http://10.78.0.1:$port" "10.78.0.1:$port" "127.0.0.1:$port" "?[::1]:$port"
answers "custom answers on loopback too" "http://127.0.0.1:$port"
if in_ns "$NS" curl -sS -m 2 "http://10.77.0.1:$port/healthz" > /dev/null 2>&1; then fail "custom is not on the other interface"; else pass "custom is not on the other interface"; fi
stop_gateway "$gateway_pid"
host; config "$(with_token '{"bind":"custom","customBindHost":"fd77::1"}')"
opens "custom, an IPv6 address" "http://[fd77::1]:$port" "[fd77::1]:$port" "127.0.0.1:$port" "?[::1]:$port"; stop_gateway "$gateway_pid"
host; config "$(with_token '{"bind":"custom","customBindHost":"::ffff:127.0.0.1"}')"
ARGS=(); launch_gateway "$state"
if wait_ready "http://127.0.0.1:$port" 10; then
  got=$(listening "$port" | grep -vE "^(127\.0\.0\.1|\[::1\]):$port$" || true)
  [ -z "$got" ] && pass "custom, mapped loopback is loopback (A12)" || fail "custom, mapped loopback is loopback (A12)" "$got"
  stop_gateway "$gateway_pid"
else
  wait_gone "$gateway_pid" 5 || true
  [ "${gone_rc:-0}" -eq 78 ] && pass "custom, mapped loopback is refused (A12)" || fail "custom, mapped loopback: loopback or a refusal (A12)" "$(cat "$state/gateway.out")"
fi
host; config "$(with_token '{"bind":"auto"}')"
if [ -e /.dockerenv ] || [ -e /run/.containerenv ] || grep -qE 'docker|containerd|kubepods|lxc' /proc/1/cgroup 2>/dev/null; then
  opens "auto inside a container (A5)" "http://127.0.0.1:$port" "0.0.0.0:$port"
else
  opens "auto" "http://127.0.0.1:$port" "127.0.0.1:$port" "[::1]:$port"
fi
stop_gateway "$gateway_pid"
host; config "$(with_token '{"bind":"loopback"}')"
ARGS=(--bind lan); opens "--bind lan wins over the file" "http://10.77.0.1:$port" "0.0.0.0:$port"; stop_gateway "$gateway_pid"; ARGS=()

section "hosts that lack something"
host no-loopback; config "$(with_token '{"bind":"loopback"}')"
refuses "loopback without a loopback interface (A3)" '127\.0\.0\.1|loopback'
# The host cannot even reach itself now: the kernel's list alone says that it is there.
config "$(with_token '{"bind":"auto"}')"; launch_gateway "$state"
for _ in $(seq 50); do [ -z "$(listening "$port")" ] || break; sleep 0.1; done
check_sockets "auto without loopback, with a token" "0.0.0.0:$port"; stop_gateway "$gateway_pid"
config '{"gateway":{"bind":"auto","auth":{"mode":"none"}}}'; refuses "auto without loopback and without a secret" 'auth|token|password|secret'
config "$(with_token '{"bind":"custom","customBindHost":"10.77.0.1"}')"; refuses "custom without loopback (A21)" '127\.0\.0\.1|loopback'
host ipv6-only; config "$(with_token '{"bind":"loopback"}')"
ARGS=(); launch_gateway "$state"
if wait_ready "http://[::1]:$port" 8; then
  [ "$(listening "$port")" = "[::1]:$port" ] && pass "loopback on an IPv6-only host: [::1] alone" || fail "loopback on an IPv6-only host -- expected [::1]:$port" "$(listening "$port")"
  stop_gateway "$gateway_pid"
else
  wait_gone "$gateway_pid" 5 || stop_gateway "$gateway_pid"
  [ "${gone_rc:-0}" -eq 78 ] && pass "loopback on a host without 127.0.0.1 is refused" || fail "loopback on an IPv6-only host: [::1], or exit 78" "$(cat "$state/gateway.out")"
fi

section "what is asked for cannot be had"
host; config "$(with_token '{"bind":"custom","customBindHost":"10.99.99.99"}')"; refuses "custom address that is not on this host (A8)" '10\.99\.99\.99'
for odd in '127.1' '0' '0x7f.0.0.1' '0177.0.0.1' '2130706433' '127.0.0.01' '10.0.0.300' 'localhost' '' ; do
  config "$(with_token "{\"bind\":\"custom\",\"customBindHost\":\"$odd\"}")"; refuses "customBindHost \"$odd\" (A7, A9, A10)" 'customBindHost'
done
config "$(with_token '{"bind":"custom"}')"; refuses "custom without customBindHost (A7)" 'customBindHost'
for wild in '0.0.0.0' '::' '::ffff:0.0.0.0'; do
  config "$(with_token "{\"bind\":\"custom\",\"customBindHost\":\"$wild\"}")"; refuses "customBindHost \"$wild\" (A11)" 'wildcard|lan|every address|customBindHost'
done
config "$(with_token '{"bind":"custom","customBindHost":"fe80::1%eth0"}')"; refuses "customBindHost with a scope (A13)" 'customBindHost'
for mode in lan auto custom; do
  config "{\"gateway\":{\"bind\":\"$mode\",\"customBindHost\":\"10.77.0.1\",\"auth\":{\"mode\":\"none\"}}}"
  [ "$mode" = auto ] || refuses "$mode with auth none (A25)" 'none|auth'
done
config '{"gateway":{"bind":"lan"}}'; refuses "lan without any secret" 'token|password|auth'
config "$(with_token '{"bind":"lan","tailscale":{"mode":"serve"}}')"; refuses "serve with lan (A24)" 'serve'
config '{"gateway":{"auth":{"mode":"none"},"trustedProxies":["10.0.0.1"]}}'; refuses "none with trusted proxies (A25)" 'trustedProxies|none'
config "$(with_token '{"trustedProxies":["0.0.0.0/0"]}')"; refuses "a trusted proxy of everybody (C12)" 'trustedProxies|0\.0\.0\.0/0'

section "a configuration that is wrong"
config "$(with_token '{"prot":18789}')"; refuses "an unknown key under gateway names the nearest" '`?port`?'
config "$(with_token '{"port":"many"}')"; HINT='' refuses "a wrong type says which one is right" 'gateway\.port.*number'
config "$(with_token '{"bind":"everywhere"}')"; refuses "an unknown bind mode" 'gateway\.bind|everywhere'
jq -nc '{gateway: {port: 18789}}' > "$state/openclaw.json"; refuses "a file that does not say gateway.mode" 'gateway\.mode'
config '{ gateway: { '; refuses "text that is no JSON5 names the file" 'openclaw\.json'
config "$(with_token '{"prot":1,"bind":"everywhere"}')"; refuses "all errors at once" 'prot'
grep -q everywhere "$state/gateway.out" && pass "all errors at once: the second one too" || fail "all errors at once: the second one too" "$(cat "$state/gateway.out")"

section "a busy port"
# Not the configuration's fault: exit code 1, so that a supervisor may try again.
CODE=1
host; config "$(with_token '{"bind":"loopback"}')"
hold 127.0.0.1; refuses "loopback, the port is taken (A3): the holder's pid" "\\b$holder\\b"
config "$(with_token '{"bind":"auto"}')"; refuses "auto, the port is taken: never wider (A4)" "$port"
config "$(with_token '{"bind":"lan"}')"; refuses "lan, somebody already sits on loopback (A19)" "$port"
config "$(with_token '{"bind":"custom","customBindHost":"10.77.0.1"}')"; refuses "custom, loopback is taken (A21)" "$port"
release
hold 10.77.0.1; refuses "custom, its own address is taken" "$port"; release
config "$(with_token '{"bind":"loopback"}')"; hold 127.0.0.1 65534; refuses "the port is taken by another user (A19)" "$port"; release

CODE=78

section "two gateways"
host; config "$(with_token '{"bind":"loopback"}')"
opens "the first" "http://127.0.0.1:$port" "127.0.0.1:$port" "[::1]:$port"; first=$gateway_pid
cp "$state/gateway.out" "$work/first.out"
ARGS=(--port 18790); refuses "a second one on the same state directory names the first one's pid" "\\b$first\\b"
[ -z "$(listening 18790)" ] && pass "the second one opened nothing" || fail "the second one opened nothing" "$(listening 18790)"
ARGS=(); answers "the first one still answers" "http://127.0.0.1:$port"
stop_gateway "$first"

section "an address that goes away"
host; config "$(with_token '{"bind":"custom","customBindHost":"10.78.0.1"}')"
opens "custom" "http://10.78.0.1:$port" "10.78.0.1:$port" "127.0.0.1:$port" "?[::1]:$port"; first=$gateway_pid
ip -n "$NS" addr del 10.78.0.1/24 dev eth1
answers "after the address is gone loopback still answers" "http://127.0.0.1:$port"
got=$(listening "$port" | grep -vE "^(127\.0\.0\.1|\[::1\]|10\.78\.0\.1):$port$" || true)
[ -z "$got" ] && pass "and nothing wider was opened" || fail "and nothing wider was opened" "$got"
stop_gateway "$first"
refuses "a restart without the address is refused" '10\.78\.0\.1'

section "from outside"
# A18: route_localnet lets a neighbour send packets to our 127.0.0.1. Nothing may be said to such a peer.
new_ns lg; gw=$ns_name; new_ns lc; neighbour=$ns_name
join_ns "$gw" eth0 10.77.0.1/24 "$neighbour" eth0 10.77.0.2/24
for ns in "$gw" "$neighbour"; do ip netns exec "$ns" sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.eth0.route_localnet=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0; done
ip -n "$neighbour" link set lo down
ip -n "$neighbour" route flush table local proto kernel 2>/dev/null || true
ip -n "$neighbour" route add local 10.77.0.2 dev eth0 table local 2>/dev/null || true
ip -n "$neighbour" route add 127.0.0.1/32 via 10.77.0.1 dev eth0 src 10.77.0.2
cat > "$work/knock.py" <<'PY'
import socket, sys
s = socket.socket(); s.settimeout(4)
try:
    s.bind(("10.77.0.2", 0)); s.connect(("127.0.0.1", int(sys.argv[1])))
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    data = s.recv(4096)
    print("closed" if not data else "bytes: %r" % data[:60])
except ConnectionResetError: print("closed")
except Exception as e: print("no connection: %s" % e)
PY
NS=$gw state=$(new_home localnet)
ip netns exec "$gw" python3 -m http.server --bind 127.0.0.1 8099 --directory "$work" > /dev/null 2>&1 &
other=$!; pids+=("$other"); sleep 0.5
said=$(ip netns exec "$neighbour" python3 "$work/knock.py" 8099)
case "$said" in bytes*) pass "control: an unguarded server on 127.0.0.1 does answer the neighbour" ;; *) fail "control: an unguarded server on 127.0.0.1 does answer the neighbour" "$said" ;; esac
kill "$other" 2>/dev/null || true
config "$(with_token '{"bind":"loopback"}')"
opens "loopback on a host with route_localnet" "http://127.0.0.1:$port" "127.0.0.1:$port" "[::1]:$port"
said=$(ip netns exec "$neighbour" python3 "$work/knock.py" "$port")
[ "$said" = closed ] && pass "A18: the neighbour is closed without a byte" || fail "A18: the neighbour is closed without a byte" "$said"
answers "A18: and the host itself is served" "http://127.0.0.1:$port"
stop_gateway "$gateway_pid"
# Weak host: with bind=loopback the host's other addresses are shut, also when the packet comes in by another interface.
ip -n "$gw" addr add 10.79.0.1/32 dev lo
ip -n "$neighbour" route add 10.79.0.1/32 via 10.77.0.1 src 10.77.0.2
opens "loopback again" "http://127.0.0.1:$port" "127.0.0.1:$port" "[::1]:$port"
if ip netns exec "$neighbour" curl -sS -m 2 "http://10.79.0.1:$port/healthz" > /dev/null 2>&1; then fail "weak host: an address on lo is not served"; else pass "weak host: an address on lo is not served"; fi
stop_gateway "$gateway_pid"

section "where the bind mode may come from"
host; config "$(with_token '{"bind":"loopback"}')"
mkdir -p "$work/workspace"; printf 'OPENCLAW_GATEWAY_BIND=lan\nOPENCLAW_GATEWAY_PORT=1\n' > "$work/workspace/.env"
(cd "$work/workspace" && launch_gateway "$state" && wait_ready "http://127.0.0.1:$port" 10 && listening "$port" > "$work/dotenv"; stop_gateway "$gateway_pid") || true
[ "$(cat "$work/dotenv" 2>/dev/null)" = "$(printf '127.0.0.1:%s\n[::1]:%s' "$port" "$port")" ] && pass "a .env in the working directory is not believed (A23)" || fail "a .env in the working directory is not believed (A23)" "$(cat "$work/dotenv" 2>/dev/null; tail -3 "$state/gateway.out")"
port=18801; GATEWAY_ENV=(OPENCLAW_GATEWAY_PORT=18801); config "$(with_token '{"port":18802}')"
opens "OPENCLAW_GATEWAY_PORT wins over gateway.port" "http://127.0.0.1:$port" "127.0.0.1:$port" "[::1]:$port"; stop_gateway "$gateway_pid"
port=18803 ARGS=(--port 18803)
opens "--port wins over OPENCLAW_GATEWAY_PORT" "http://127.0.0.1:$port" "127.0.0.1:$port" "[::1]:$port"; stop_gateway "$gateway_pid"
GATEWAY_ENV=() ARGS=()
finish
