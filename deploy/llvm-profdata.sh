#!/usr/bin/env bash
# Prints which llvm-profdata reads what a program instrumented by this compiler has counted: only one of the compiler's
# own LLVM can. Without one, says where to get it and fails.
set -euo pipefail

host=$(rustc -vV | sed -n 's/^host: //p')
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
for tool in "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" "llvm-profdata-$llvm" llvm-profdata; do
    path=$(command -v "$tool") || continue
    version=$("$path" merge --version 2>/dev/null) || continue
    if [[ $version == *"LLVM version $llvm."* ]]; then
        printf '%s\n' "$path"
        exit
    fi
done
printf '%s\n' "there is no llvm-profdata of LLVM $llvm, this compiler's own" \
    "With rustup: rustup component add llvm-tools. On Debian (of bookworm, the security archive): apt-get install llvm-$llvm" >&2
exit 1
