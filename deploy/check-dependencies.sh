#!/usr/bin/env bash
# Holds the dependency tree to deny.toml.
#
# Licences, bans and sources are judged from the tree alone. Advisories need RustSec's database, which is a git
# repository: where it can be reached, or was fetched before, they are checked; where not, this says so in as many
# words, and goes on: nothing that a change to this project does can make it reachable.
set -euo pipefail

cd "$(dirname "$0")/.."

cargo deny --log-level error check --hide-inclusion-graph licenses bans sources

# An exception whose crate has left the tree has lost its reason.
while read -r id crate; do
    grep --quiet --line-regexp "name = \"$crate\"" Cargo.lock ||
        { printf 'deny.toml ignores %s for %s, which is not in the dependency tree any more\n' "$id" "$crate" >&2; exit 1; }
    printf 'advisory %s is ignored: %s is in the tree, the reason is in deny.toml\n' "$id" "$crate"
done < <(sed -nE 's/.*id = "(RUSTSEC-[0-9-]+)", reason = "([a-zA-Z0-9_-]+):.*/\1 \2/p' deny.toml)

# Git must fail rather than ask for a password.
export GIT_TERMINAL_PROMPT=0
if said=$(timeout 120 cargo deny --log-level error fetch db 2>&1); then
    cargo deny --log-level error check --hide-inclusion-graph advisories
elif [[ -n $(find "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs" -mindepth 2 -maxdepth 2 -name crates 2>/dev/null) ]]; then
    printf 'the advisory database cannot be refreshed; checking with the copy fetched before\n'
    cargo deny --log-level error --offline check --hide-inclusion-graph advisories
else
    printf 'ADVISORIES NOT CHECKED: the database of RustSec cannot be reached from here:\n%s\n' "$said"
fi
