#!/usr/bin/env bash
# Makes sure that programs are there: deploy/require.sh GROUP…
#
#   build  what compiling takes                    release  what `make release` takes besides
#   test   what `make test` takes besides          check    what `make check` takes besides
#   e2e    what the container tests take           bench    what the measurements take
#   demo   what `make demo` takes besides          edge     what `make edge` takes besides
#   fuzz   what `make fuzz` takes besides
#
# On a Debian-like machine, as root or with a sudo that asks for nothing, what is missing is installed. Everywhere
# else this says exactly what to install, and fails.
set -euo pipefail

here=$(realpath "$(dirname "$0")")
fail() { printf '%s\n' "$*" >&2; exit 1; }

# PROGRAM PACKAGE: the package of Debian that has the program.
needs_of() {
    case $1 in
        build) printf '%s\n' "cc gcc" "ld binutils" "cmake cmake" "make make" ;;
        # NGINX judges what lb's reader of nginx.conf accepts; kill (of procps, as ps) sends the signals; setsid gives
        # loadgen a terminal of its own; nm tells whose malloc is inside.
        test) printf '%s\n' "nginx nginx" "ps procps" "setsid util-linux" "nm binutils" ;;
        # The loads that it is trained with; and what reads the counts, which only the compiler's own LLVM can. rustup has it,
        # too.
        release)
            printf '%s\n' "openssl openssl" "h2load nghttp2-client"
            local llvm
            llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
            "$here/llvm-profdata.sh" >/dev/null 2>&1 || printf '%s\n' "llvm-profdata-$llvm llvm-$llvm"
            ;;
        # check-examples reads configurations with certificates.
        check | demo) printf '%s\n' "openssl openssl" ;;
        # libFuzzer is compiled from its sources.
        fuzz) printf '%s\n' "c++ g++" ;;
        edge) printf '%s\n' "python3 python3" "openssl openssl" "curl curl" "nghttp nghttp2-client" "h2load nghttp2-client" ;;
        e2e) printf '%s\n' "python3 python3" "chromium chromium" "debootstrap debootstrap" ;;
        # openssl makes the certificates of the judge's cases and of the measurements; h2load measures HTTP/2.
        bench) printf '%s\n' "nginx nginx" "wrk wrk" "python3 python3" "openssl openssl" "h2load nghttp2-client" ;;
        *) fail "require.sh: no group is called $1: build, release, demo, test, check, fuzz, e2e, edge or bench" ;;
    esac
}

# debootstrap and nginx live in sbin, which users may not have in their PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# No Debian package has the versions that the workspace wants.
command -v cargo >/dev/null && command -v rustc >/dev/null ||
    fail "there is no cargo: install Rust, see https://rustup.rs"
if [[ " $* " == *" check "* ]]; then
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 ||
        fail "cargo fmt or cargo clippy is missing: rustup component add rustfmt clippy"
fi

programs=() packages=()
for group in "$@"; do
    needs=$(needs_of "$group")
    [[ -n $needs ]] || continue
    while read -r program package; do
        command -v "$program" >/dev/null && continue
        programs+=("$program") packages+=("$package")
    done <<<"$needs"
done
[[ ${#programs[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $EUID -ne 0 ]]; then as_root=(sudo -n); fi
if ! command -v apt-get >/dev/null || { [[ $EUID -ne 0 ]] && ! sudo -n true 2>/dev/null; }; then
    fail "missing: ${programs[*]}
On Debian and Ubuntu:  sudo apt-get install ${packages[*]}
Elsewhere, packages of these names or like them. llvm-profdata also comes with: rustup component add llvm-tools"
fi
printf 'installing %s (for %s)\n' "${packages[*]}" "${programs[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -qq update
# The programs are wanted, not services: an NGINX that starts by itself would take port 80.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
    "${as_root[@]}" chmod 755 $policy
    trap '"${as_root[@]}" rm -f $policy' EXIT
fi
"${as_root[@]}" apt-get -qq install --yes --no-install-recommends "${packages[@]}" >/dev/null ||
    fail "apt-get install ${packages[*]} failed. llvm-profdata also comes with: rustup component add llvm-tools"
if [[ " ${programs[*]} " == *" nginx "* && -d /run/systemd/system ]]; then
    "${as_root[@]}" systemctl --quiet disable nginx || true
fi
for program in "${programs[@]}"; do
    command -v "$program" >/dev/null || fail "$program is still missing after apt-get install ${packages[*]}"
done
