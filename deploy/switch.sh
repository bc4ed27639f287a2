#!/usr/bin/env bash
# Puts another balancer in front: deploy/switch.sh pingora|nginx|original (make switch TO=…).
#
# What stands behind it is started first and waited for; then the balancer that runs is stopped and the other one
# started. If that one does not get healthy, the old one comes back. `lb` and `nginx` share the backends, which go on
# running, however many there are. The word is written to .env, so that `docker compose up`, `ps`, `logs` and `down`
# mean the same stack from then on.
#
# COMPOSE_ENV_FILES: another file in the place of .env, as docker compose reads it.
set -euo pipefail

cd "$(dirname "$0")/.."
environment=${COMPOSE_ENV_FILES:-.env}

fail() { printf 'switch: %s\n' "$*" >&2; exit 1; }
# Every service is visible here, whatever profile is on.
compose() { COMPOSE_PROFILES='*' docker compose --progress quiet "$@"; }
running() { compose ps --services --status running; }
# Of the services given, those that run.
running_of() { running | grep --line-regexp --fixed-strings "$(printf '%s\n' "$@")" || true; }

original_servers=(python-server-1 python-server-2 python-server-3 python-server-4)
case ${1:-} in
    pingora) front=lb behind=(backend) others=(nginx nginx-original "${original_servers[@]}") ;;
    nginx) front=nginx behind=(backend) others=(lb nginx-original "${original_servers[@]}") ;;
    original) front=nginx-original behind=("${original_servers[@]}") others=(lb nginx backend) ;;
    *) fail "say what to switch to: make switch TO=pingora, TO=nginx or TO=original" ;;
esac
[[ $environment != *,* && -f $environment ]] || fail "COMPOSE_ENV_FILES must name one file that exists: $environment"

missing=()
for service in "${behind[@]}"; do
    [[ -n $(running_of "$service") ]] || missing+=("$service")
done
[[ ${#missing[@]} -eq 0 ]] || compose up --detach --wait "${missing[@]}" ||
    fail "the servers behind $front did not start: docker compose --profile '*' logs ${missing[*]}"
# What makes the certificate ends at once, and does nothing where there is one.
[[ $front == nginx-original ]] || compose run --rm --no-deps certificate
# The container is made while the old one still answers: what is left is a stop and a start.
compose create "$front"

mapfile -t old < <(running_of lb nginx nginx-original | grep --invert-match --line-regexp "$front")
[[ ${#old[@]} -eq 0 ]] || compose stop "${old[@]}"
if ! compose up --detach --wait --no-deps "$front"; then
    compose logs --no-log-prefix --tail 20 "$front" >&2 || true
    compose rm --stop --force "$front" >/dev/null
    [[ ${#old[@]} -eq 0 ]] || compose up --detach --wait --no-deps --no-recreate "${old[@]}"
    fail "$front did not get healthy${old[*]:+; ${old[*]} runs again}"
fi
compose rm --stop --force "${others[@]}" >/dev/null
# Written in place: a tool that watches the file keeps watching it.
changed=$(sed "s/^COMPOSE_PROFILES=.*/COMPOSE_PROFILES=$1/" "$environment")
printf '%s\n' "$changed" >"$environment"
printf 'switched to %s: %s\n' "$1" "$(compose port "$front" 80 | sed -E 's|^0\.0\.0\.0|http://localhost|; s|:80$|/|')"
