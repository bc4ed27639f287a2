#!/usr/bin/env bash
# Prints the path of an NGINX of 1.30 or later, which the judge compares lb with: deploy/nginx-current.sh
#
# The machine's own one serves when it is recent enough. Debian stable's is not; there the packages of Debian's unstable
# suite, of NGINX and of the libraries it needs, are unpacked into target/nginx-current, once, and the program runs
# with the C library from there. Nothing is installed and no package source added; apt checks the archive's signature.
#
# NGINX: take this program, whatever its version. To get a newer one: rm -r target/nginx-current
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
fail() { say "nginx-current: $*"; exit 1; }

oldest=1.30
# debootstrap's and apt's programs, and NGINX, live in sbin, which users may not have in their PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
home=$(realpath "$(dirname "$0")/..")/target/nginx-current

version_of() { "$1" -v 2>&1 | sed -nE 's|^nginx version: nginx/([0-9.]+).*|\1|p'; }

recent() { # PROGRAM
    local have
    have=$(version_of "$1") && [[ -n $have && $(printf '%s\n' "$oldest" "$have" | sort -V | head -n 1) == "$oldest" ]]
}

by_hand="NGINX $oldest or later is needed: install it, or name it in \$NGINX"

# The Debian archive that this machine already uses; its unstable suite is beside the one in use.
debian_archive() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 2>/dev/null | awk '$1 == "Debian" && !found { print $2; found = 1 }'
}

# The libraries that a package needs, and those that they need in turn.
with_libraries() { # PACKAGE
    local queue=("$1") seen=" $1 " package needed
    while [[ ${#queue[@]} -gt 0 ]]; do
        package=${queue[0]} queue=("${queue[@]:1}")
        printf '%s\n' "$package"
        while read -r needed; do
            # A plugin of libc or OpenSSL that NGINX does not load.
            [[ $needed != libc-gconv-* && $seen != *" $needed "* ]] || continue
            seen+="$needed " queue+=("$needed")
        done < <(apt-cache "${apt[@]}" depends --important "$package" | awk '$1 ~ /Depends:$/ && $2 ~ /^(lib|zlib)/ { print $2 }')
    done
}

unpack() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "$by_hand"
    local archive keyring=/usr/share/keyrings/debian-archive-keyring.gpg packages package
    archive=$(debian_archive)
    if [[ -z $archive ]]; then
        apt-get update -qq >/dev/null 2>&1 || true
        archive=$(debian_archive)
    fi
    [[ -n $archive ]] || fail "this machine's packages do not come from Debian's archive; $by_hand"
    [[ -r $keyring ]] || fail "$keyring is missing: apt-get install debian-archive-keyring"

    mkdir -p "$(dirname "$home")"
    work=$(mktemp -d "$home.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work"/{lists,cache/archives}/partial "$work/root"
    printf 'deb [signed-by=%s] %s unstable main\n' "$keyring" "$archive" >"$work/sources.list"
    : >"$work/status"
    # A package index of its own: the machine's is left as it is.
    apt=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache"
        -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3)
    say "taking NGINX from the packages of Debian unstable, into $home"
    apt-get "${apt[@]}" update >&2
    mapfile -t packages < <(with_libraries nginx)
    (cd "$work" && apt-get "${apt[@]}" download "${packages[@]}" >&2) || fail "the packages of NGINX cannot be had; $by_hand"
    for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$work/root"; done

    local loader libraries
    loader=$(cd "$work/root" && find . -name 'ld-linux*.so.*' ! -type d | sort | head -n 1)
    libraries=$(cd "$work/root" && find . -name '*.so.*' ! -type d -printf '$home/%P\n' | xargs dirname | sort -u | paste -sd:)
    # Only what runs stays: the program, its libraries, its licences.
    rm -rf "$work"/{*.deb,lists,cache,status,sources.list} "$work"/root/{etc,var,usr/share/man,usr/share/nginx}
    cat >"$work/root/nginx" <<SCRIPT
#!/bin/sh
home=\${0%/*}
exec "\$home/${loader#./}" --library-path "$libraries" "\$home/usr/sbin/nginx" "\$@"
SCRIPT
    chmod 755 "$work/root/nginx"
    # The workers may run as another user.
    chmod -R go+rX "$work/root"
    # Whole or not at all; another run may have been faster.
    mv --no-target-directory "$work/root" "$home" 2>/dev/null || [[ -x $home/nginx ]]
}

if [[ -n ${NGINX:-} ]]; then printf '%s\n' "$NGINX"; exit; fi
own=$(command -v nginx || true)
if [[ -n $own ]] && recent "$own"; then printf '%s\n' "$own"; exit; fi
[[ -x $home/nginx ]] || unpack
recent "$home/nginx" || fail "$home/nginx does not run here, or is older; $by_hand"
printf '%s\n' "$home/nginx"
