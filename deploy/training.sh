#!/usr/bin/env bash
# Puts an lb that counts its own steps under the loads that lb is there for, under a minute in all, on loopback.
#
#   deploy/training.sh LB PROGRAMS OUTPUT
#
# LB is an instrumented build, PROGRAMS the folder with backend and loadgen, OUTPUT the folder for its counts
# (*.profraw). Whatever hangs is ended by force.
#
# The loads are those of a balancer at work: small answers above all, with and without an access log; large ones;
# bodies; connections of one request; the same over TLS and over HTTP/2. bench/ measures with other programs on purpose:
# what was learned here must be of use there. Only HTTP/2, which loadgen does not speak, has h2load in both places.
set -euo pipefail

lb=$(realpath "$1") programs=$(realpath "$2") output=$(realpath "$3")
cd "$(dirname "$0")/.."

fail() { printf 'training: %s\n' "$*" >&2; exit 1; }

directory=$(mktemp -d)
pids=()

# Whether a process of ours has ended within ten seconds; if not, it is killed.
has_ended() { # PID
    for _ in {1..100}; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null
    return 1
}

end_all() {
    trap - EXIT INT TERM
    local pid
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do
        has_ended "$pid" || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$directory"
}
trap end_all EXIT
trap 'exit 1' INT TERM

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Six ports that nobody listens on, below those that outgoing connections take theirs from.
ports=()
for ((port = 21000 + $$ % 6000; port < 28000 && ${#ports[@]} < 6; port++)); do
    listening "$port" || ports+=("$port")
done
[[ ${#ports[@]} -eq 6 ]] || fail "no six free ports between 21000 and 28000 on 127.0.0.1"
backend_1=${ports[0]} backend_2=${ports[1]} front=${ports[2]} bare=${ports[3]}
secure=${ports[4]} bare_secure=${ports[5]}

wait_for_port() { # PID PORT LOG
    for _ in {1..100}; do
        if listening "$2"; then return; fi
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    fail "nothing listens on port $2: $(tail -n 3 "$3")"
}

for port in "$backend_1" "$backend_2"; do
    "$programs/backend" --bind 127.0.0.1 --port "$port" --name "backend-$port" >"$directory/backend-$port.log" 2>&1 &
    pids+=($!)
    wait_for_port $! "$port" "$directory/backend-$port.log"
done

deploy/certificate.sh "$directory"
sed -e "s/BACKEND_1/$backend_1/g" -e "s/BACKEND_2/$backend_2/g" -e "s/FRONT/$front/g" \
    -e "s/BARE_SECURE/$bare_secure/g" -e "s/BARE/$bare/g" -e "s/SECURE/$secure/g" \
    -e "s|DIRECTORY|$directory|g" deploy/training.conf.in >"$directory/lb.conf"
LLVM_PROFILE_FILE=$output/lb-%p.profraw env --unset=LB_ADMIN \
    "$lb" -p "$directory" -c "$directory/lb.conf" >"$directory/lb.log" 2>&1 &
lb_pid=$!
pids+=("$lb_pid")
wait_for_port "$lb_pid" "$front" "$directory/lb.log"

load() {
    local status=0
    timeout --kill-after=5 60 "$programs/loadgen" --plain --threads 1 "$@" >"$directory/loadgen.log" 2>&1 || status=$?
    # 5: as fast as loadgen itself can, which is what was asked for.
    [[ $status -eq 0 || $status -eq 5 ]] || fail "loadgen $* failed: $(tail -n 20 "$directory/loadgen.log")"
}
# A number of requests over a few connections with so many streams each.
load_http2() { # REQUESTS STREAMS OPTIONS…
    timeout --kill-after=5 60 h2load -t1 -c4 -n"$1" -m"$2" "${@:3}" >"$directory/h2load.log" 2>&1 ||
        fail "h2load ${*:3} failed: $(tail -n 20 "$directory/h2load.log")"
    grep -q "status codes: $1 2xx" "$directory/h2load.log" ||
        fail "h2load ${*:3}: $(grep 'status codes' "$directory/h2load.log")"
}
as_browsers_do=(-H 'User-Agent: Mozilla/5.0' -H 'Accept: text/html,*/*;q=0.8' -H 'Accept-Encoding: gzip, deflate'
    -H 'Accept-Language: en' -H 'Cookie: session=0123456789abcdef; theme=dark' -H 'Connection: keep-alive')
to_front=http://127.0.0.1:$front to_bare=http://127.0.0.1:$bare
to_secure=https://127.0.0.1:$secure to_bare_secure=https://127.0.0.1:$bare_secure

load -d 4s -c 64 -u "$to_bare/"
load -d 4s -c 64 -u "$to_front/" "${as_browsers_do[@]}"
load -d 2s -c 8 -u "$to_front/api/bytes/5000" -u "$to_front/api/" "${as_browsers_do[@]}"
load -d 2s -c 32 -u "$to_bare/bytes/102400"
load -d 2s -c 32 -u "$to_front/bytes/1048576"
load -d 2s -c 32 -u "$to_front/" --body 1k
load -d 1s -c 8 -u "$to_front/api/" --body 200k
load -d 2s -c 16 -u "$to_front/" --requests-per-connection 1
load -d 1s -c 8 -u "$to_front/alive"
load -d 2s -c 16 --insecure -u "$to_secure/" "${as_browsers_do[@]}"
load -d 2s -c 16 --insecure -u "$to_bare_secure/"
load -d 2s -c 16 --insecure -u "$to_secure/bytes/1048576"
load -d 2s -c 8 --insecure -u "$to_secure/alive" --requests-per-connection 1
load_http2 20000 16 "$to_secure/" "${as_browsers_do[@]:0:10}"
load_http2 20000 64 "$to_bare_secure/"
load_http2 1000 8 "$to_secure/bytes/102400"
head -c 1000 /dev/zero >"$directory/body"
load_http2 5000 16 -d "$directory/body" "$to_bare_secure/"

# Ended as ever, it writes its counts on the way out.
kill -QUIT "$lb_pid"
unset 'pids[-1]'
has_ended "$lb_pid" || fail "lb did not end: $(tail -n 3 "$directory/error.log")"
wait "$lb_pid" || fail "lb did not end well: $(tail -n 3 "$directory/error.log")"
compgen -G "$output/lb-*.profraw" >/dev/null || fail "lb left no counts in $output"
