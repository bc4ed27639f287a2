#!/usr/bin/env bash
# The demo without Docker: four backends and lb on loopback ports, from the release build. HTTPS is spoken with a
# certificate made on the spot.
#
#   deploy/demo.sh start   runs them until Ctrl-C (make demo)
#   deploy/demo.sh stop    ends a demo that runs elsewhere (make demo-stop)
#
# Logs and pid files stand in target/demo. DEMO_PROGRAMS: a folder to take the programs from instead.
set -euo pipefail

cd "$(dirname "$0")/.."
programs=${DEMO_PROGRAMS:-${CARGO_TARGET_DIR:-target}/release}
home=$PWD/target/demo
pid_file=$home/demo.pid
backend_ports=(5001 5002 5003 5004)
front=127.0.0.1:8080
secure=127.0.0.1:8443
admin=127.0.0.1:9145

fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

listening() { (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; }

# Ours, and not some process that got the same number later.
demo_runs() { [[ -s $pid_file ]] && grep --quiet --text demo.sh "/proc/$(<"$pid_file")/cmdline" 2>/dev/null; }

stop() {
    demo_runs || { printf 'no demo is running\n'; return; }
    local pid
    pid=$(<"$pid_file")
    kill -TERM "$pid"
    for _ in {1..100}; do
        kill -0 "$pid" 2>/dev/null || { printf 'the demo has stopped\n'; return; }
        sleep 0.1
    done
    fail "the demo (process $pid) did not stop within 10 seconds"
}

# lb first, so that no request meets a backend that is gone.
end_all() {
    trap - EXIT INT TERM
    local pid
    [[ -z ${lb_pid:-} ]] || { kill -QUIT "$lb_pid" 2>/dev/null || true; wait "$lb_pid" 2>/dev/null || true; }
    for pid in "${backend_pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${backend_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -f "$pid_file"
}

# Waits until a command succeeds, for ten seconds, as long as the process lives.
wait_for() { # PID COMMAND…
    local pid=$1
    shift
    for _ in {1..100}; do
        if "$@" >/dev/null 2>&1; then return; fi
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

start() {
    demo_runs && fail "a demo is running already (process $(<"$pid_file")): make demo-stop"
    local port address
    for address in "${backend_ports[@]/#/127.0.0.1:}" "$front" "$secure" "$admin"; do
        ! listening "$address" || fail "$address is taken by another program; who it is: ss -ltnp 'sport = :${address#*:}'"
    done
    for program in backend lb; do
        [[ -x $programs/$program ]] || fail "$programs/$program is not built: make demo builds it"
    done
    mkdir -p "$home"
    deploy/certificate.sh "$home" || fail "openssl could not make a certificate"
    printf '%s\n' $$ >"$pid_file"
    backend_pids=() lb_pid=""
    trap end_all EXIT
    trap 'exit 0' INT TERM

    for port in "${backend_ports[@]}"; do
        "$programs/backend" --bind 127.0.0.1 --port "$port" --name "backend-${port: -1}" \
            >"$home/backend-$port.log" 2>&1 &
        backend_pids+=($!)
    done
    for i in "${!backend_ports[@]}"; do
        port=${backend_ports[i]}
        wait_for "${backend_pids[i]}" "$programs/backend" healthcheck "http://127.0.0.1:$port/health" ||
            fail "the backend on port $port does not answer: $(tail -n 3 "$home/backend-$port.log")"
    done
    "$programs/lb" -p "$home" -c "$PWD/deploy/demo.conf" -g 'daemon off;' --admin "$admin" &
    lb_pid=$!
    wait_for "$lb_pid" "$programs/lb" healthcheck "http://$admin/healthz" || fail "lb did not start"

    cat <<END

Four backends and lb are running. Open

  http://$front/             one request; again, and another backend answers
  http://$front/rps-display  the live page
  https://$secure/rps-display  the same over TLS and HTTP/2; the certificate was made here, so a browser asks
  http://$admin/metrics      lb's counters

and give it some load:  $programs/loadgen -n 20000 -c 50 -u http://$front

lb's log is below, access log and backends' logs are in target/demo. Ctrl-C stops everything.

END
    # Until the first of them ends, which none does unasked.
    wait -n || true
    fail "a program of the demo ended; see above and target/demo"
}

case ${1:-start} in
    start) start ;;
    stop) stop ;;
    *) fail "start or stop?" ;;
esac
