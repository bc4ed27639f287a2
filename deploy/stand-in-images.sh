#!/usr/bin/env bash
# Makes sure that the public images named by our Dockerfiles and by compose.yaml are there.
#
#   deploy/stand-in-images.sh            all of them
#   deploy/stand-in-images.sh IMAGE…     these
#   deploy/stand-in-images.sh --list     only says which they are
#
# Each one is pulled if that works. Where no image registry can be reached, a local stand-in takes exactly its tag:
# a Debian of the same release from debootstrap, with what the image is known for inside (this machine's own Rust
# toolchain, NGINX from Debian's unstable suite, Debian's Python). So the Dockerfiles stay ordinary, and builds and
# container tests run where only Debian's archive can be reached. A stand-in is labelled `cirque.stand-in` and said
# to be one. To get rid of them: docker image rm $(docker image ls -q --filter label=cirque.stand-in)
#
# PULL_TIMEOUT: seconds that a registry has for its first answer (20).
set -euo pipefail

cd "$(dirname "$0")/.."
PULL_TIMEOUT=${PULL_TIMEOUT:-20}
LABEL=cirque.stand-in

say() { printf '%s\n' "$*"; }
fail() { printf 'stand-in-images: %s\n' "$*" >&2; exit 1; }

# The images named after FROM that are not stages of the same file, with the defaults of their ARGs put in.
images_of_dockerfile() {
    awk '
        toupper($1) == "ARG" && split($2, pair, "=") == 2 { value[pair[1]] = pair[2] }
        toupper($1) == "FROM" {
            image = $2 ~ /^--/ ? $3 : $2
            for (name in value) gsub("\\$\\{" name "\\}", value[name], image)
            if (!(image in stage) && image != "scratch") print image
            for (i = 3; i < NF; i++) if (toupper($i) == "AS") stage[$(i + 1)] = 1
        }' "$1"
}

# Our own images are the ones that compose.yaml builds; they are named cirque/….
images_of_compose() { awk '$1 == "image:" && $2 !~ /^cirque\// { print $2 }' compose.yaml; }

all_images() {
    local file
    { for file in deploy/Dockerfile nginx-compat/original/Dockerfile; do images_of_dockerfile "$file"; done
      images_of_compose; } | sort -u
}

is_stand_in() { [[ -n $(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null) ]]; }

# A registry that does not answer makes docker wait for minutes; the manifest alone tells soon.
pull() {
    timeout "$PULL_TIMEOUT" docker manifest inspect "$1" >/dev/null 2>&1 && docker pull --quiet "$1"
}

# -- what goes into a stand-in --------------------------------------------------------------------------------------

# The Debian archive this machine uses itself.
debian_archive() {
    local archive=""
    archive=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 2>/dev/null | awk '$1 == "Debian" { print $2; exit }')
    # Without one, debootstrap has its own.
    say "$archive"
}

# Its security archive. llvm-profdata of Rust's own LLVM comes from there.
security_archive() {
    local archive=""
    archive=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 2>/dev/null | awk '$1 == "Debian-Security" { print $2; exit }')
    say "$archive"
}

bootstrap() { # SUITE DIRECTORY
    local log=$work/debootstrap.log
    debootstrap --variant=minbase --include=ca-certificates "$1" "$2" $(debian_archive) >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "debootstrap of $1 failed"; }
    # As in the public images, where this machine has it; debootstrap itself knows one archive alone.
    local security
    security=$(security_archive)
    [[ $1 == unstable || -z $security ]] || say "deb $security $1-security main" >>"$2/etc/apt/sources.list"
    # What a build inside needs to reach the package registries as this machine does: its certificate authorities,
    # and the clients' settings where there are any.
    cp -L /etc/ssl/certs/ca-certificates.crt "$2/etc/ssl/certs/ca-certificates.crt"
    # Here, too, for an upgrade of the package makes that file anew.
    cp -L /etc/ssl/certs/ca-certificates.crt "$2/usr/local/share/ca-certificates/this-machine.crt"
    apt-config dump | grep -E '^Acquire::(Check-|https?::Proxy)' >"$2/etc/apt/apt.conf.d/90this-machine" || true
    [[ ! -f /etc/pip.conf ]] || cp /etc/pip.conf "$2/etc/pip.conf"
    # No service starts inside an image that is being made.
    printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
    chmod 755 "$2/usr/sbin/policy-rc.d"
    cp -L /etc/resolv.conf "$2/etc/resolv.conf"
}

add_packages() { # DIRECTORY PACKAGE…
    local root=$1 log=$work/apt.log
    shift
    { chroot "$root" apt-get -qq update &&
      DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -qq install --yes --no-install-recommends "$@"; } \
        >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "apt-get install $* failed in the stand-in"; }
}

import() { # DIRECTORY IMAGE DESCRIPTION CHANGE…
    local root=$1 image=$2 description=$3 changes=() change
    shift 3
    for change in "$@" "LABEL $LABEL=\"$description\""; do changes+=(--change "$change"); done
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,info,locale}/* \
        "$root"/usr/sbin/policy-rc.d "$root"/var/log/{apt,bootstrap.log,dpkg.log}
    tar --create --one-file-system --numeric-owner --directory "$root" . |
        docker import "${changes[@]}" - "$image" >/dev/null
    rm -rf "$root"
    say "$image: STAND-IN, $description"
}

# One bootstrap of a release serves every image made on it.
base() { # DIRECTORY
    [[ -d $work/bookworm ]] || bootstrap bookworm "$work/bookworm"
    cp --archive --reflink=auto "$work/bookworm" "$1"
}

stand_in_debian() {
    base "$work/debian"
    import "$work/debian" "$1" "Debian bookworm by debootstrap" 'CMD ["bash"]'
}

stand_in_rust() {
    local wanted have sysroot root=$work/rust
    wanted=$(sed -E 's/^rust:([0-9.]+).*/\1/' <<<"$1")
    have=$(rustc --version | awk '{print $2}')
    sysroot=$(rustc --print sysroot)
    base "$root"
    add_packages "$root" gcc libc6-dev
    # As in the public image: the toolchain apart, the programs in cargo's folder.
    mkdir -p "$root/usr/local/cargo/bin" "$root/usr/local/rustup/toolchain/bin"
    cp --archive --reflink=auto "$sysroot/lib" "$root/usr/local/rustup/toolchain/"
    local program
    for program in cargo rustc rustdoc; do
        cp "$sysroot/bin/$program" "$root/usr/local/rustup/toolchain/bin/"
        ln -s "../../rustup/toolchain/bin/$program" "$root/usr/local/cargo/bin/$program"
    done
    # Where cargo is told to find its registry, if it is told.
    local settings=${CARGO_HOME:-$HOME/.cargo}/config.toml
    [[ ! -f $settings ]] || cp "$settings" "$root/usr/local/cargo/config.toml"
    [[ $have == "$wanted" || $have == "$wanted".* ]] ||
        say "$1: this machine has Rust $have; the stand-in has it too" >&2
    import "$root" "$1" "Debian bookworm by debootstrap with this machine's Rust $have" \
        'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        'ENV CARGO_HOME=/usr/local/cargo' 'ENV RUSTUP_HOME=/usr/local/rustup' 'CMD ["bash"]'
}

stand_in_python() {
    local wanted have root=$work/python
    wanted=$(sed -E 's/^python:([0-9.]+).*/\1/' <<<"$1")
    base "$root"
    add_packages "$root" python3 python3-pip
    have=$(chroot "$root" python3 -c 'import platform; print(platform.python_version())')
    [[ $have == "$wanted" || $have == "$wanted".* ]] || fail "$1: Debian bookworm has Python $have"
    # The public image's python is one that pip may change.
    rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
    ln -s /usr/bin/python3 "$root/usr/local/bin/python"
    import "$root" "$1" "Debian bookworm by debootstrap with its Python $have" 'CMD ["python3"]'
}

stand_in_nginx() {
    local wanted have root=$work/nginx
    wanted=${1#nginx:}
    bootstrap unstable "$root"
    # The user id that the public image gives to nginx; made before the packages so that nothing else takes it.
    chroot "$root" groupadd --system --gid 101 nginx
    chroot "$root" useradd --system --uid 101 --gid 101 --no-create-home --home-dir /nonexistent --shell /bin/false nginx
    add_packages "$root" nginx
    have=$(chroot "$root" nginx -v 2>&1 | sed -E 's|.*nginx/([0-9.]+).*|\1|')
    [[ $have == "$wanted" || $have == "$wanted".* ]] || fail "$1: Debian unstable has NGINX $have"
    # As in the public image: logs on the standard streams, temporary files below /var/cache/nginx.
    ln -sf /dev/stdout "$root/var/log/nginx/access.log"
    ln -sf /dev/stderr "$root/var/log/nginx/error.log"
    rm -rf "$root/var/lib/nginx"
    install --directory --owner=101 --group=101 "$root/var/cache/nginx"
    ln -s ../cache/nginx "$root/var/lib/nginx"
    import "$root" "$1" "Debian unstable by debootstrap with its NGINX $have" \
        'EXPOSE 80' 'CMD ["nginx", "-g", "daemon off;"]'
}

stand_in() {
    [[ $EUID -eq 0 ]] || fail "$1 cannot be pulled, and making a stand-in takes root (debootstrap): run this with sudo"
    command -v debootstrap >/dev/null || fail "$1 cannot be pulled, and there is no debootstrap: apt-get install debootstrap"
    case $1 in
        debian:bookworm-slim) stand_in_debian "$1" ;;
        rust:*-slim-bookworm) stand_in_rust "$1" ;;
        python:3.*-slim-bookworm) stand_in_python "$1" ;;
        nginx:1.*) stand_in_nginx "$1" ;;
        *) fail "$1 cannot be pulled, and this script knows no stand-in for it" ;;
    esac
}

main() {
    local images=("$@") image reachable=unknown
    [[ ${1:-} != --list ]] || { all_images; return; }
    [[ ${#images[@]} -gt 0 ]] || mapfile -t images < <(all_images)
    docker version >/dev/null 2>&1 || fail "the Docker engine does not answer: is it running, and may you use it?"
    work=$(mktemp -d)
    trap 'rm -rf --one-file-system "$work"' EXIT
    for image in "${images[@]}"; do
        if docker image inspect "$image" >/dev/null 2>&1; then
            if is_stand_in "$image"; then say "$image: STAND-IN, made before"; else say "$image: present"; fi
        elif [[ $reachable != no ]] && pull "$image"; then
            reachable=yes
        else
            # One refusal is enough: the others are of the same registry.
            [[ $reachable == yes ]] || reachable=no
            stand_in "$image"
        fi
    done
}

main "$@"
