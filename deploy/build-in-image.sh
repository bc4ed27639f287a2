#!/bin/sh
# Runs in the build stage of deploy/Dockerfile: compiles the programs and lays out one root directory for each, as
# /out/PROGRAM, with everything that a from-scratch image needs. PROFILE_GUIDED=yes: as they are shipped.
set -eu

programs="backend loadgen lb"

# The target directory is a cache that outlives the sources. cargo compares modification times, and a file that was
# restored from an archive may be older than what was built from its successor: whatever changed counts as new. So does
# everything after a build of the other kind, which knows the sources of another time, and after one that failed.
kind=${PROFILE_GUIDED:-no}
sum_of() { echo "$kind" && find "$1" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum; }
for crate in $programs; do
    if [ "$(cat "target/$crate.sum" 2>/dev/null)" != "$(sum_of "$crate")" ]; then
        rm -f "target/$crate.sum"
        find "$crate" -type f -exec touch {} +
    fi
done
case $kind in
    yes)
        deploy/release.sh
        built=target/shipped
        ;;
    no)
        cargo build --release --locked --workspace --bins
        built=target/release
        ;;
    *)
        echo "PROFILE_GUIDED is yes or no, not $kind" >&2
        exit 1
        ;;
esac
for crate in $programs; do sum_of "$crate" >"target/$crate.sum"; done

for program in $programs; do
    root=/out/$program
    mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/etc/cirque" "$root/tmp" "$root/run"
    cp "$built/$program" "$root/usr/local/bin/"
    strip --strip-all "$root/usr/local/bin/$program"
    # The loader and every library, where the loader looks for them.
    ldd "$built/$program" | grep --only-matching '/[^ ]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp --dereference "$library" "$root$library"
    done
    cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    printf 'root:x:0:0:root:/:/sbin/nologin\ncirque:x:65532:65532:cirque:/:/sbin/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\ncirque:x:65532:\n' >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    chmod 1777 "$root/tmp" "$root/run"
done
