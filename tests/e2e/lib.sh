# Shared by the scripts beside it; sourced, never run.
#
# A script calls `begin`, starts gateways with `start_gateway`, runs official programs with `run_cli`, states what
# it expects with `check_*`, and ends with `finish`, which prints "N passed, N failed". Everything started or made
# (processes by pid, namespaces by name, one temporary folder) is taken away again by the exit trap.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${OPENCLAW_E2E_CACHE:-$HOME/.cache/openclaw-e2e}
node=$cache/node
shared=${OPENCLAW_SHARED:-$here/../../../shared}
token=tok-e2e-3f9c0d5be7a14c7e9b6f
password=pw-e2e-71c2a90be4d84f5d

passed=0 failed=0
OUT='' ERR='' RC=0 NS='' LAST=''
CLI_ENV=()
declare -a pids=() spaces=()

begin() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/openclaw-e2e.XXXXXX")
  trap clean EXIT
  trap 'exit 130' INT TERM
  [ -x "$node" ] || { echo "run tests/e2e/install.sh first: no $node" >&2; exit 1; }
}

clean() {
  local pid space
  for pid in "${pids[@]}"; do kill -KILL -- "-$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  for space in "${spaces[@]}"; do ip netns del "$space" 2>/dev/null || true; done
  [ -n "${KEEP_WORK:-}" ] && echo "kept: $work" >&2 || rm -rf "$work"
}

finish() {
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}

section() { printf '\n== %s\n' "$*"; }
pass() { passed=$((passed + 1)); printf 'ok    %s\n' "$1"; }

# fail <what was expected> [what came instead]
fail() {
  failed=$((failed + 1))
  printf 'FAIL  %s\n' "$1"
  [ -z "${2:-}" ] || printf '%s\n' "$2" | head -c 2500 | sed 's/^/      | /' || true
}

# ---------------------------------------------------------------- processes

free_port() { # a TCP port that nobody listens on, on any address
  python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'
}

in_ns() { # in_ns <namespace or ""> <command...>
  local space=$1; shift
  if [ -n "$space" ]; then ip netns exec "$space" "$@"; else "$@"; fi
}

bare_env=(PATH="$PATH" LANG=C.UTF-8 TERM=dumb NO_COLOR=1 CI=true OPENCLAW_SKIP_CHANNELS=1)

# new_home <name> [config JSON]: a state folder of its own; prints its path
new_home() {
  local dir=$work/$1
  mkdir -m 700 -p "$dir"
  if [ -n "${2:-}" ]; then printf '%s\n' "$2" > "$dir/openclaw.json"; chmod 600 "$dir/openclaw.json"; fi
  echo "$dir"
}

# gateway_command: the program under test, as an array in `program`
gateway_command() {
  case "${GATEWAY_KIND:-ours}" in
    ours) program=("$gateway_binary") ;;
    official) program=("$node" "$cache/v9/node_modules/openclaw/openclaw.mjs") ;;
    official-2.26) program=("$node" "$cache/v2/node_modules/openclaw/openclaw.mjs") ;;
    *) echo "unknown GATEWAY_KIND '$GATEWAY_KIND'" >&2; exit 1 ;;
  esac
}

# launch_gateway <home> <args...>: starts it in namespace $NS, without waiting; pid in `gateway_pid`
launch_gateway() {
  local home=$1; shift
  gateway_command
  local enter=()
  [ -z "$NS" ] || enter=(ip netns exec "$NS")
  # A group of its own: the official gateway has children, and all of them must go when the script ends.
  setsid "${enter[@]}" env -i "${bare_env[@]}" HOME="$home" OPENCLAW_STATE_DIR="$home" "${GATEWAY_ENV[@]}" \
    "${program[@]}" gateway run "$@" > "$home/gateway.out" 2>&1 < /dev/null &
  gateway_pid=$!
  pids+=("$gateway_pid")
}
GATEWAY_ENV=()

# wait_ready <url> <seconds>: polls /healthz, gives up when the gateway is gone. The official 9.6 answers that
# before it accepts clients, so there it is /readyz.
wait_ready() {
  local end=$((SECONDS + $2)) path=healthz
  [ "${GATEWAY_KIND:-ours}" != official ] || path=readyz
  while [ $SECONDS -lt "$end" ]; do
    in_ns "$NS" curl -fsS -m 2 "$1/$path" >/dev/null 2>&1 && return 0
    kill -0 "$gateway_pid" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# start_gateway <home> <url for readiness> <args...>
start_gateway() {
  local home=$1 url=$2; shift 2
  launch_gateway "$home" "$@"
  if wait_ready "$url" 60; then return 0; fi
  fail "the gateway answers $url/healthz within 60 s (args: $*)" "$(tail -n 20 "$home/gateway.out")"
  return 1
}

# wait_gone <pid> <seconds>: 0 when the process ended in time; its exit code in `gone_rc`
wait_gone() {
  local end=$((SECONDS + $2))
  while kill -0 "$1" 2>/dev/null; do
    [ $SECONDS -lt "$end" ] || return 1
    sleep 0.1
  done
  gone_rc=0; wait "$1" 2>/dev/null || gone_rc=$?
} 2> /dev/null # the shell's own "Killed" lines

stop_gateway() { # stop_gateway <pid>: SIGTERM, then SIGKILL after 15 s
  kill -TERM "$1" 2>/dev/null || true
  wait_gone "$1" 15 || { kill -KILL -- "-$1" 2>/dev/null || true; wait_gone "$1" 5 || true; }
}

# run_cli <v9|v2|path of a binary> <home> <args...>: output in OUT, ERR, exit code in RC; at most CLI_TIMEOUT s
run_cli() {
  local which=$1 home=$2 cmd; shift 2
  case "$which" in
    v9 | v2) cmd=("$node" "$cache/$which/node_modules/openclaw/openclaw.mjs") ;;
    *) cmd=("$which") ;;
  esac
  LAST="$(basename "$which") $*"
  once "$home" "${cmd[@]}" "$@"
  # Seen with the official clients on a busy machine: everything is said, and the process does not end.
  if [ "$RC" -eq 124 ] && [ ${#cmd[@]} -eq 2 ]; then echo "note  again, it did not end in time: $LAST"; once "$home" "${cmd[@]}" "$@"; fi
  OUT=$(tr -d '\0' < "$work/out") ERR=$(tr -d '\0' < "$work/err")
}

once() {
  local home=$1; shift
  RC=0
  in_ns "$NS" env -i "${bare_env[@]}" HOME="$home" OPENCLAW_STATE_DIR="$home" "${CLI_ENV[@]}" \
    timeout -k 2 "${CLI_TIMEOUT:-45}" "$@" > "$work/out" 2> "$work/err" < /dev/null || RC=$?
}

evidence() { printf '$ %s\nrc=%s\nstdout: %s\nstderr: %s\n' "$LAST" "$RC" "${OUT:0:${EVIDENCE:-900}}" "${ERR:0:600}"; }

# ---------------------------------------------------------------- expectations about the last run_cli

# json_is <file> <jq filter>: the file is exactly one JSON value, and the filter is true of it. (`jq -e` alone is
# content with an empty file.)
json_is() { jq -es "${JQ_ARGS[@]}" "length == 1 and (.[0] | ($2))" < "$1" > /dev/null 2>&1; }

# check_json <title> <jq filter that must be true of stdout>: exit code must be 0
check_json() {
  if [ "$RC" -eq 0 ] && json_is "$work/out" "$2"; then pass "$1"
  else fail "$1 -- expected exit 0 and JSON with: $2" "$(evidence)"; fi
}
JQ_ARGS=()

# check_text <title> <extended regex in stdout>: exit code must be 0
check_text() {
  if [ "$RC" -eq 0 ] && grep -qE -- "$2" "$work/out"; then pass "$1"
  else fail "$1 -- expected exit 0 and stdout matching: $2" "$(evidence)"; fi
}

# check_refused <title> <extended regex in stdout or stderr>: exit code must be 1 (never a crash or a timeout)
check_refused() {
  if [ "$RC" -eq "${REFUSED_RC:-1}" ] && grep -qE -- "$2" "$work/out" "$work/err"; then pass "$1"
  else fail "$1 -- expected exit ${REFUSED_RC:-1} and output matching: $2" "$(evidence)"; fi
}

# check_no_secret <title> <gateway home>: no secret of this run stands in what the gateway printed and logged
check_no_secret() {
  local title=$1 files hit
  files=$(find "$2" -maxdepth 2 -type f \( -name gateway.out -o -name '*.log' \))
  if [ "$(wc -l <<< "$files")" -lt 2 ]; then fail "$title -- expected an output and a log file to look at" "$files"; return 0; fi
  hit=$(grep -lF -e "$token" -e "$password" $files || true)
  if [ -z "$hit" ]; then pass "$title"; else fail "$title" "found in: $hit"; fi
}

# ---------------------------------------------------------------- network namespaces

can_netns() { # root and the right to make one
  [ "$(id -u)" = 0 ] || return 1
  local probe=oce2e-p$$
  ip netns add "$probe" 2>/dev/null || return 1
  ip netns del "$probe"
}

# new_ns <short name>: a namespace with loopback up; its full name in `ns_name`
new_ns() {
  ns_name=oc$$-$1-${#spaces[@]}
  ip netns add "$ns_name"
  spaces+=("$ns_name")
  ip -n "$ns_name" link set lo up
}

# join_ns <a> <a-dev> <a-cidr> <b> <b-dev> <b-cidr>: a veth pair between two namespaces
join_ns() {
  ip link add "v$$a" netns "$1" type veth peer name "v$$b" netns "$4"
  ip -n "$1" link set "v$$a" name "$2"
  ip -n "$4" link set "v$$b" name "$5"
  ip -n "$1" addr add "$3" dev "$2"
  ip -n "$4" addr add "$6" dev "$5"
  ip -n "$1" link set "$2" up
  ip -n "$4" link set "$5" up
}

# listening <port>: the listeners on that port in namespace $NS as the kernel tells it, one "address:port" a line
listening() {
  in_ns "$NS" ss -ltnH "sport = :$1" | awk '{print $4}' | sort -u
}

# check_sockets <title> <address:port...>: exactly these on $port; one that begins with "?" may be absent
check_sockets() {
  local title=$1 got missing extra; shift
  got=$(listening "$port")
  missing=$(comm -23 <(printf '%s\n' "$@" | grep -v '^?' | sort -u) <(echo "$got"))
  extra=$(comm -13 <(printf '%s\n' "${@#\?}" | sort -u) <(echo "$got"))
  if [ -z "$missing$extra" ]; then pass "$title: $(echo $got)"
  else fail "$title -- expected exactly the sockets: $*" "$got"; fi
}
