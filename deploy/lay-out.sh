#!/bin/sh
# Lays out what a from-scratch image of each program holds: deploy/lay-out.sh PROGRAMS OUTPUT
#
# PROGRAMS is the folder with lb, backend and loadgen. OUTPUT/PROGRAM becomes the root directory of an image: the
# stripped program, the libraries that it names, certificates and a user, all of them of the machine that this runs on,
# so that a program meets the C library that it was linked with.
set -eu

programs=$1 output=$2
# Whoever made this, the image's user reads it.
umask 022

for program in backend loadgen lb; do
    root=$output/$program
    rm -rf "$root"
    mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/etc/cirque" "$root/tmp" "$root/run"
    strip --strip-all -o "$root/usr/local/bin/$program" "$programs/$program"
    chmod 755 "$root/usr/local/bin/$program"
    # The loader and every library, where the loader looks for them.
    ldd "$programs/$program" | grep --only-matching '/[^ ]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp --dereference "$library" "$root$library"
    done
    cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    printf 'root:x:0:0:root:/:/sbin/nologin\ncirque:x:65532:65532:cirque:/:/sbin/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\ncirque:x:65532:\n' >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    chmod 1777 "$root/tmp" "$root/run"
done
