#!/usr/bin/env bash
# Compiles the programs as they are shipped.
#
#   deploy/release.sh      leaves lb, backend and loadgen in target/shipped
#
# lb is compiled twice. The first build counts how often each of its branches is taken while deploy/training.sh puts it
# under load; the second is laid out by these counts: what runs for every request lies together, what hardly ever runs
# is out of the way (docs/decisions/007-profile-guided-release.md). It takes three times as long as
# `cargo build --release`, which makes the same programs without it.
set -euo pipefail

cd "$(dirname "$0")/.."
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
home=$target/profile
shipped=$target/shipped
host=$(rustc -vV | sed -n 's/^host: //p')
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')

say() { printf 'release: %s\n' "$*"; }
fail() { printf 'release: %s\n' "$*" >&2; exit 1; }

# The tool that reads the counts must be of the compiler's own LLVM.
profdata_tool() {
    local tool
    for tool in "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" "llvm-profdata-$llvm" llvm-profdata; do
        if command -v "$tool" >/dev/null && "$tool" merge --version 2>/dev/null | grep -q "LLVM version $llvm\."; then
            command -v "$tool"
            return
        fi
    done
    fail "there is no llvm-profdata of LLVM $llvm: rustup component add llvm-tools, or on Debian apt-get install llvm-$llvm"
}

# With --target, build scripts and macros are compiled without the flags, and once for both builds.
build_lb() { # FLAGS
    RUSTFLAGS="${RUSTFLAGS:-} $1" cargo build --release --locked --package lb --target "$host" --target-dir "$home"
}
built=$home/$host/release/lb

profdata=$(profdata_tool)
cargo build --release --locked --package backend --package loadgen --target-dir "$target"

say 'compiling an lb that counts'
build_lb -Cprofile-generate
# What was learned of this very program still holds.
profile=$home/lb-$(sha256sum "$built" | cut -c1-16).profdata
if [[ ! -s $profile ]]; then
    say 'running it under load, half a minute'
    counts=$(mktemp -d "$home/counts.XXXXXX")
    trap 'rm -rf "$counts"' EXIT
    deploy/training.sh "$built" "$target/release" "$counts"
    rm -f "$home"/lb-*.profdata
    "$profdata" merge --output "$profile.new" "$counts"/*.profraw
    mv "$profile.new" "$profile"
fi

say 'compiling lb by what it counted'
build_lb "-Cprofile-use=$profile"

mkdir -p "$shipped"
for program in "$built" "$target/release/backend" "$target/release/loadgen"; do
    # A program that runs cannot be written to, but it can be replaced.
    cp --force --remove-destination "$program" "$shipped/"
done
say "lb, backend and loadgen are in $shipped"
