#!/bin/sh
# Makes a certificate for the demo: deploy/certificate.sh DIRECTORY
#
# DIRECTORY/demo.pem and DIRECTORY/demo.key, for localhost, signed by nobody: browsers warn of it. Nothing is done where
# they are there and good for another week. It also runs in a container of compose.yaml, for those that run beside it.
set -eu

directory=$1
mkdir -p "$directory"
cd "$directory"
if [ -s demo.key ] && openssl x509 -in demo.pem -noout -checkend 604800 >/dev/null 2>&1; then exit 0; fi
umask 077
openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 365 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout demo.key.new -out demo.pem.new 2>/dev/null
chmod 644 demo.pem.new
# Made by root for programs that run as others; the key is nobody's but this demo's.
if [ "$(id -u)" -eq 0 ]; then chmod 644 demo.key.new; fi
mv demo.key.new demo.key
mv demo.pem.new demo.pem
