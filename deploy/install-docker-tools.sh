#!/usr/bin/env bash
# Installs what `docker compose up --build` needs beside the Docker engine, where it is missing: Compose v2 and buildx.
#
# Older Debian releases carry neither as a plugin of the docker command (their docker-compose is the first version,
# which cannot read compose.yaml). The packages of Debian's unstable suite ask for nothing but a C library of 2022, so
# the two programs are taken out of them and put where docker looks for plugins. No package is installed and no
# package source added. Everywhere else this script says what to install.
set -euo pipefail

say() { printf '%s\n' "$*"; }
fail() { printf 'install-docker-tools: %s\n' "$*" >&2; exit 1; }

# Succeeds if both are there and recent enough.
ready() {
    local compose
    compose=$(docker compose version --short 2>/dev/null) && docker buildx version >/dev/null 2>&1 || return 1
    [[ ${compose#v} =~ ^([2-9]|[1-9][0-9]+)\. ]]
}

by_hand="install Docker Compose v2 and buildx as plugins of the docker command:
  Debian and Ubuntu with Docker's own packages: apt-get install docker-compose-plugin docker-buildx-plugin
  Debian 13 and later:                          apt-get install docker-compose docker-buildx
  Fedora:                                       dnf install docker-compose docker-buildx
  elsewhere:                                    Docker's manual, \"Install the Docker Compose plugin\""

main() {
    command -v docker >/dev/null || fail "there is no docker command: install Docker Engine first
  Debian: apt-get install docker.io docker-cli"
    if ready; then return; fi
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "$by_hand"

    # The archive this machine already uses; its unstable suite is beside the one in use.
    local archive
    archive=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 2>/dev/null | awk '$1 == "Debian" { print $2; exit }')
    if [[ -z $archive ]]; then
        apt-get update -qq 2>/dev/null || true
        archive=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 2>/dev/null | awk '$1 == "Debian" { print $2; exit }')
    fi
    [[ -n $archive ]] || fail "this machine's packages do not come from Debian's archive; $by_hand"

    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [[ -r $keyring ]] || fail "$keyring is missing: apt-get install debian-archive-keyring"

    local plugins
    if [[ $EUID -eq 0 ]]; then plugins=/usr/local/lib/docker/cli-plugins; else plugins=$HOME/.docker/cli-plugins; fi

    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work"/{lists,cache/archives}/partial "$work/unpacked" "$plugins"
    say "deb [signed-by=$keyring] $archive unstable main" >"$work/sources.list"
    # A package index of its own: the machine's is left as it is.
    local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=$(id -un)"
        -o Acquire::Retries=3)
    say "taking Compose and buildx from the packages of Debian unstable"
    "${apt[@]}" update
    (cd "$work" && "${apt[@]}" download docker-compose docker-buildx)
    for package in "$work"/docker-*.deb; do dpkg-deb --extract "$package" "$work/unpacked"; done
    install -m 755 "$work"/unpacked/usr/libexec/docker/cli-plugins/docker-{compose,buildx} "$plugins/"
    ready || fail "the plugins in $plugins do not run here; $by_hand"
    say "docker compose $(docker compose version --short), buildx $(docker buildx version | awk '{print $2}')"
}

main
