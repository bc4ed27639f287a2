#!/usr/bin/env bash
# Every configuration that the repository ships, through `lb -t`: deploy/check-examples.sh path/to/lb
set -euo pipefail

lb=$(realpath "$1")
cd "$(dirname "$0")/.."
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
# Certificates are made where a configuration is used, and here for it to be read.
deploy/certificate.sh "$prefix"
readable() { sed -E "s#^( *ssl_certificate(_key)?) [^;]*/(demo\.[a-z]+);#\1 $prefix/\3;#" "$1"; }

# nginx-compat/original/nginx.conf names servers that only the network of its containers knows; deploy/e2e loads it
# there. Files with this name ending elsewhere are examples, wherever they stand.
mapfile -t examples < <(find nginx-compat/nginx.conf nginx-compat/examples deploy docs -name '*.conf' | sort)
[[ ${#examples[@]} -ge 15 ]] || { printf 'too few examples found: %s\n' "${examples[*]}" >&2; exit 1; }
failed=0
for example in "${examples[@]}"; do
    # A prefix of its own, so that neither pid file nor logs of this machine are touched.
    file=$PWD/$example
    if grep --quiet 'ssl_certificate .*/demo\.pem' "$file"; then
        readable "$file" >"$prefix/${example##*/}"
        file=$prefix/${example##*/}
    fi
    if said=$("$lb" -t -p "$prefix" -c "$file" 2>&1); then
        printf '%s: successful\n' "$example"
    else
        printf '%s: REFUSED\n%s\n' "$example" "$said" >&2
        failed=1
    fi
done
exit $failed
