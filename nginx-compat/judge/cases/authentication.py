"""`auth_basic` with every hash that NGINX takes, `satisfy`, `auth_delay`."""

import base64
import time

from cases.request_limits import told
from casebook import CASES, Case, configurations

# Made by crypt(3) and `openssl passwd`; the password is "secret" where nothing else is said.
USERS = r"""# a comment
#hidden:{PLAIN}secret

des:abNANd1rDfiNc
md5:$1$x$7lK4wZC3oaU0YaSVzqZy2.
apr:$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0:a comment
sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
ssha:{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0
plain:{PLAIN}secret
empty:{PLAIN}
sha256:$5$abc$qsg6EHbUzHQzF1POlD7zUwBINSELQxypPaeDcZe6vH0
rounds:$5$rounds=1000$saltstring$AH5PD0i.riCRu4BNDy9v7OPV7u3dfLBApcXI6khquVA
sha512:$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.
bcrypt:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW
bcrypty:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a
yescrypt:$y$j75$abcdefghijklmno.$Pn8sxQPHVTdAnM9GGNj8GPFUmfKJYY0lO2Oh12De2yB
locked:!
none:
odd:$9$abc
twice:{PLAIN}first
twice:{PLAIN}secret
plainly:secret
last:{PLAIN}secret"""

HTTP = """
log_format judge "$uri $status $remote_user";
server {
    listen 127.0.0.1:%PORT%;
    server_name example.org;
    access_log %DIR%/judge.access judge;
    auth_basic "the site";
    auth_basic_user_file users;
    location / { proxy_pass http://%A%; }
    location /off { auth_basic off; proxy_pass http://%A%; }
    location /none { auth_basic_user_file nowhere; proxy_pass http://%A%; }
    location /folder { auth_basic_user_file .; proxy_pass http://%A%; }
    location /variables { auth_basic "$host of $arg_who"; auth_basic_user_file %DIR%/$arg_file; proxy_pass http://%A%; }
    location /maybe { auth_basic $arg_realm; proxy_pass http://%A%; }
    location /any { satisfy any; deny all; proxy_pass http://%A%; }
    location /any-open { satisfy any; allow all; proxy_pass http://%A%; }
    location /any-neither { satisfy any; deny all; auth_basic off; proxy_pass http://%A%; }
    location /any-quiet { satisfy any; deny 192.0.2.0/24; proxy_pass http://%A%; }
    location /all { deny all; proxy_pass http://%A%; }
    location /all-open { allow 127.0.0.1; deny all; proxy_pass http://%A%; }
    location /delayed { auth_delay 300ms; proxy_pass http://%A%; }
    location /page { error_page 401 /sorry; proxy_pass http://%A%; }
    location /page-changed { error_page 401 =200 @open; proxy_pass http://%A%; }
    location /sorry { auth_basic off; return 200 "sorry"; }
    location @open { auth_basic off; return 200 "open to $remote_user"; }
    location /except { auth_basic off; limit_except GET { auth_basic "writers"; } proxy_pass http://%A%; }
    location /return { return 200 "first"; }
    location /quoted { auth_basic 'say "x"'; proxy_pass http://%A%; }
}
"""


def lay_out(t):
    (t.directory / "users").write_text(USERS)
    (t.directory / "users").chmod(0o644)
    (t.directory / "other").write_text("other:{PLAIN}secret\n")


def field(user, password="secret"):
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def asked(name, target, *fields, words=("user", "forbidden", "open()", "read()"), method="GET", body=b""):
    def script(t):
        t.get(target, "example.org", *fields, method=method, body=body)
        told(t, *words)

    CASES.append(Case(f"authentication/{name}", HTTP, script, lays_out=lay_out))


asked("no password", "/")
for user in ("des", "apr", "sha", "ssha", "plain", "sha256", "rounds", "sha512", "bcrypt", "bcrypty", "yescrypt", "last", "locked",
             "none", "odd", "twice", "plainly", "hidden", "#hidden", "nobody", "de", "PLAIN"):
    asked(f"hash, {user}", "/", field(user))
    asked(f"hash, {user}, another password", "/", field(user, "other"))
asked("hash, md5", "/", field("md5", "a password of more than sixteen letters"))
asked("hash, md5, another password", "/", field("md5"))
asked("an empty password", "/", field("empty", ""))
asked("the first eight letters count", "/", field("des", "secret\0x"))
asked("a password with colons", "/", field("plain", "secret:x"))
for name, text in (("no base64", "Basic !!!"), ("no colon", "Basic cGxhaW4="), ("no user", "Basic OnNlY3JldA=="), ("empty", "Basic "),
                   ("another scheme", "Bearer x"), ("spaces", "Basic   cGxhaW46c2VjcmV0"), ("lower case", "basic cGxhaW46c2VjcmV0"),
                   ("without padding", "Basic cGxhaW46c2VjcmV0"), ("scheme alone", "Basic")):
    asked(f"field, {name}", "/", f"Authorization: {text}")
for path in ("/off", "/none", "/folder", "/variables?who=you&file=other", "/variables?file=nowhere", "/maybe", "/maybe?realm=off",
             "/maybe?realm=x", "/any", "/any-open", "/any-neither", "/any-quiet", "/all", "/all-open", "/page", "/page-changed",
             "/except", "/return", "/quoted"):
    asked(f"without a password, {path}", path)
    asked(f"with a password, {path}", path, field("other" if "file=other" in path else "plain"))
asked("limit_except", "/except", method="POST", body=b"x")
asked("limit_except, with a password", "/except", field("plain"), method="POST", body=b"x")


def delayed(name, fields, least, most):
    def script(t):
        began = time.monotonic()
        t.get("/delayed", "example.org", *fields)
        passed = time.monotonic() - began
        if not least <= passed <= most:
            t.fail(f"the answer took {passed:.2f} s")
        told(t, "delaying")

    CASES.append(Case(f"authentication/{name}", HTTP, script, lays_out=lay_out))


delayed("a delayed answer", (), 0.28, 0.8)
delayed("a delayed answer to a wrong password", (field("plain", "other"),), 0.28, 0.8)
delayed("a right password is not delayed", (field("plain"),), 0, 0.2)

configurations("authentication", [
    (text, f"server {{ listen 127.0.0.1:%PORT%; location / {{ {text} }} }}") for text in (
        "satisfy any;", "satisfy ALL;", "satisfy some;", "satisfy any; satisfy all;", "auth_basic off;", "auth_basic a b;", "auth_basic $nope;",
        "auth_basic_user_file nowhere;", "auth_basic_user_file $host;", "auth_basic;", "auth_delay 1s;", "auth_delay x;",
        "limit_except GET { auth_basic x; auth_basic_user_file y; }", "limit_except GET { satisfy any; }",
        "if ($host) { auth_basic x; }")
])
