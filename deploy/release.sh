#!/usr/bin/env bash
# Compiles the programs as they are shipped.
#
#   deploy/release.sh      leaves lb, backend and loadgen in target/shipped
#
# lb is compiled twice. The first build counts how often each of its branches is taken while deploy/training.sh puts it
# under load; the second is laid out by these counts: what runs for every request lies together, what hardly ever runs
# is out of the way (docs/decisions/007-profile-guided-release.md). `cargo build --release` makes the same programs
# without it, in less than half the time.
#
# Flags for the compiler are taken from RUSTFLAGS; what cargo's configuration has of them does not hold for lb.
set -euo pipefail

cd "$(dirname "$0")/.."
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
# One folder for each build: the second is thrown away whole when there is something new to learn.
counting=$target/profile/counting guided=$target/profile/guided
shipped=$target/shipped
host=$(rustc -vV | sed -n 's/^host: //p')
unset CARGO_BUILD_TARGET

say() { printf 'release: %s\n' "$*"; }
fail() { printf 'release: %s\n' "$*" >&2; exit 1; }

# With --target, build scripts and macros are compiled without the flag. Cargo's own separator, because a folder's name
# may hold spaces.
build_lb() { # FOLDER FLAG
    local flags=${CARGO_ENCODED_RUSTFLAGS:-${RUSTFLAGS:-}}
    [[ -n ${CARGO_ENCODED_RUSTFLAGS:-} ]] || flags=${flags// /$'\x1f'}
    CARGO_ENCODED_RUSTFLAGS=${flags:+$flags$'\x1f'}$2 \
        cargo build --release --locked --package lb --target "$host" --target-dir "$1"
}

profdata=$(deploy/llvm-profdata.sh)
# Of the whole workspace: what `make build` compiled serves here, and the other way round.
cargo build --release --locked --workspace --bin backend --bin loadgen --target-dir "$target"
for program in backend loadgen; do
    [[ -x $target/release/$program ]] ||
        fail "$target/release/$program is not there: does cargo's configuration name a build.target?"
done

say 'compiling an lb that counts'
build_lb "$counting" -Cprofile-generate
# What was learned of this very program, in this very way, still holds.
learned=$(cat "$counting/$host/release/lb" deploy/training.sh deploy/training.conf.in | sha256sum | cut -c1-16)
profile=$target/profile/$learned.profdata
if [[ ! -s $profile ]]; then
    say 'running it under load, under a minute'
    rm -rf "$guided" "$target"/profile/*.profdata "$target/profile/counts" "$target/profile/merged"
    mkdir "$target/profile/counts"
    deploy/training.sh "$counting/$host/release/lb" "$target/release" "$target/profile/counts"
    "$profdata" merge --output "$target/profile/merged" "$target"/profile/counts/*.profraw
    mv "$target/profile/merged" "$profile"
    rm -rf "$target/profile/counts"
fi

say 'compiling lb by what it counted'
build_lb "$guided" "-Cprofile-use=$profile"

mkdir -p "$shipped"
for program in "$guided/$host/release/lb" "$target/release/backend" "$target/release/loadgen"; do
    # A program that runs cannot be written to, but it can be replaced.
    cp --force --remove-destination "$program" "$shipped/"
done
say "lb, backend and loadgen are in $shipped"
