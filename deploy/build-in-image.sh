#!/bin/sh
# Runs in the stage of deploy/Dockerfile that compiles: leaves one root directory for each program, as /out/PROGRAM.
set -eu

# The target directory is a cache that outlives the sources. cargo compares modification times, and a file that was
# restored from an archive may be older than what was built from its successor: whatever changed counts as new. So does
# everything after a build that failed.
sum_of() { find "$1" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum; }
programs="backend loadgen lb"
for crate in $programs; do
    if [ "$(cat "target/$crate.sum" 2>/dev/null)" != "$(sum_of "$crate")" ]; then
        rm -f "target/$crate.sum"
        find "$crate" -type f -exec touch {} +
    fi
done
cargo build --release --locked --workspace --bins
for crate in $programs; do sum_of "$crate" >"target/$crate.sum"; done

deploy/lay-out.sh target/release /out
