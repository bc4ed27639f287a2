"""Signed links (`secure_link`) and the pages that requests come from (`valid_referers`)."""

import base64
import hashlib

from casebook import configurations, requests

LINKS = """
server {
    listen 127.0.0.1:%PORT%;
    location /s/ {
        secure_link $arg_md5,$arg_expires;
        secure_link_md5 "$secure_link_expires$uri$remote_addr secret";
        if ($secure_link = "") { return 403 "no [$secure_link_expires]"; }
        if ($secure_link = "0") { return 410 "gone [$secure_link_expires]"; }
        return 200 "yes [$secure_link] [$secure_link_expires]";
    }
    location /forever/ { secure_link $arg_md5; secure_link_md5 "$uri secret"; return 200 "[$secure_link] [$secure_link_expires]"; }
    location /half/ { secure_link $arg_md5; return 200 "[$secure_link]"; }
    location /p/ { secure_link_secret word; if ($secure_link = "") { return 403; } rewrite ^ /files/$secure_link; }
    location /files/ { return 200 "$uri [$secure_link]"; }
    location /none/ { return 200 "[$secure_link] [$secure_link_expires]"; }
}
"""


def signed(text):
    return base64.urlsafe_b64encode(hashlib.md5(text.encode()).digest()).decode().rstrip("=")


LATER, OVER = "2147483647", "1000000000"


def link(expires=LATER, path="/s/link", secret=" secret"):
    return f"{path}?md5={signed(f'{expires}{path}127.0.0.1{secret}')}&expires={expires}"


def by_secret(path, secret="word"):
    return f"/p/{hashlib.md5((path + secret).encode()).hexdigest()}/{path}"


requests("links", LINKS, [
    ("signed", link()), ("signed, padded", link().replace("&", "==&")), ("expired", link(OVER)), ("expires now and then", link("1")),
    ("another path", link().replace("/s/link", "/s/other")), ("another secret", link(secret=" x")), ("no hash", f"/s/link?expires={LATER}"),
    ("nothing", "/s/link"), ("a short hash", f"/s/link?md5=abc&expires={LATER}"), ("a long hash", f"/s/link?md5={'a' * 25}&expires={LATER}"),
    ("a time that is none", link("x")), ("the time zero", link("0")), ("a negative time", link("-5")), ("a large time", link("9" * 25)),
    ("without a time", f"/s/link?md5={signed('/s/link127.0.0.1 secret')}"),
    ("for ever", f"/forever/x?md5={signed('/forever/x secret')}"), ("for ever, wrong", f"/forever/x?md5={signed('/forever/y secret')}"),
    ("half of it", f"/half/x?md5={signed('')}"), ("not set up", f"/none/x?md5={signed('')}"),
    ("by a secret", by_secret("top/file.html")), ("by a secret, with arguments", by_secret("file.html") + "?a=b"),
    ("by a secret, upper case", by_secret("file.html").replace(by_secret("file.html")[3:35], by_secret("file.html")[3:35].upper())),
    ("by another secret", by_secret("file.html", "other")), ("by a secret, no hash", "/p/x/file.html"), ("by a secret, no link", "/p/abc"),
    ("by a secret, an empty link", "/p/" + hashlib.md5(b"word").hexdigest() + "/"),
    ("by a secret, no digits", "/p/" + "z" * 32 + "/x"),
    ("by a secret, escaped", by_secret("a%20b.html")),
])

REFERERS = """
server {
    listen 127.0.0.1:%PORT%; server_name own.example *.own.example ~^regex[.]example$;
    location / { valid_referers none blocked server_names *.example.org www.example.net/galleries/ ~[.]google[.] example.*; return 200 "[$invalid_referer]"; }
    location /named { valid_referers www.example.org .both.example; return 200 "[$invalid_referer]"; }
    location /nothing { return 200 "[$invalid_referer]"; }
    location /expression { valid_referers ~^page[.]example/a; return 200 "[$invalid_referer]"; }
    location /outer { valid_referers a.example; location /outer/inner { return 200 "[$invalid_referer]"; } }
    location /guarded { valid_referers none www.example.org; if ($invalid_referer) { return 403; } proxy_pass http://%A%; }
    location /twice { valid_referers none; valid_referers www.example.org; return 200 "[$invalid_referer]"; }
}
"""

REFERRED = (None, "", "-", "http://www.example.org", "http://www.example.org/x", "https://www.example.org:8443/x", "HTTP://WWW.EXAMPLE.ORG/",
            "http://example.org/", "http://www.example.net/galleries/1", "http://www.example.net/", "http://www.google.com/search",
            "http://own.example/", "http://a.own.example/x", "http://regex.example/", "http://example.com/", "http://both.example/a",
            "http://x.both.example/", "ftp://www.example.org/", "www.example.org", "http://i", "http://page.example/a", "http://page.example/b",
            "http://a.example/", "http://" + "x" * 300 + "/", "http://www.example.org.evil.test/", "http://", "https://a.b/")

requests("links", REFERERS, [
    (f"referer, {path}, {str(referer)[:40]}", path, "own.example", *([] if referer is None else [f"Referer: {referer}"]))
    for path in ("/", "/named", "/nothing", "/expression", "/outer/inner", "/guarded", "/twice") for referer in REFERRED
])

configurations("links", [
    (text, f"server {{ listen 127.0.0.1:%PORT%; location / {{ {text} }} }}") for text in (
        "secure_link a; secure_link_md5 b;", "secure_link a; secure_link_secret b;", "secure_link_md5 a; secure_link_secret b;",
        "secure_link a b;", "secure_link $nope;", "secure_link_secret $host;", "valid_referers none;", "valid_referers none blocked;",
        "valid_referers none ~x;", "valid_referers server_names;", "valid_referers;", "valid_referers a..b;", "valid_referers *.a.*;",
        "valid_referers ~(;", "valid_referers \"\";", "valid_referers none a.example;", "referer_hash_max_size 1024; referer_hash_bucket_size 64;")
])
