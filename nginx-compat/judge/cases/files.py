"""Static files: paths, headers, conditions, ranges, index files, lists, `try_files`, `expires`, `charset`."""

import os
import re
import time

from casebook import CASES, Case

# 5 January 2026, 03:04:05.
CHANGED = 1767582245
CHANGED_TEXT = "Mon, 05 Jan 2026 03:04:05 GMT"
LATER_TEXT = "Mon, 05 Jan 2026 03:04:06 GMT"
EARLIER_TEXT = "Mon, 05 Jan 2026 03:04:04 GMT"
TAG = '"695b2a25-a"'

FILES = {
    "ten.txt": b"0123456789",
    "empty.txt": b"",
    "page.html": b"<p>page</p>",
    "big.bin": bytes(range(256)) * 1200,
    "no-extension": b"x",
    ".html": b"a name that begins with a dot",
    "style.css": b"p {}",
    "style.css.gz": b"packed",
    "only.css.gz": b"packed",
    "app.html": b"the app",
    "404.html": b"not here",
    "index/index.html": b"the index",
    "index/other.html": b"another index",
    "list/b.txt": b"12345",
    "list/a b&<c>\"q.txt": b"1",
    "list/" + "n" * 60 + ".txt": b"1",
    "list/\u00fc.txt": b"1",
    "list/sub/file": b"1",
    "list/.hidden": b"1",
    "list/big": b"x" * 20000,
    "secret/closed.txt": b"closed",
    "with space/f.txt": b"1",
}


def site(t):
    """Lays the files of `FILES` under the directory that the configurations name."""
    root = t.directory / "www"
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.symlink(root / "ten.txt", root / "link.txt")
    os.symlink(root / "nowhere", root / "list" / "dangling", target_is_directory=False)
    os.mkfifo(root / "pipe")
    for folder, folders, files in os.walk(root):
        os.chmod(folder, 0o755)
        for name in folders + files:
            os.utime(os.path.join(folder, name), (CHANGED, CHANGED), follow_symlinks=False)
    os.chmod(root / "secret", 0o700)
    os.chmod(root / "secret" / "closed.txt", 0o600)


def files(http, rows):
    for name, *arguments in rows:
        fields = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}

        def script(t, a=arguments, f=fields):
            site(t)
            t.get(*a, **f)

        CASES.append(Case(f"files/{name}", http, script))


SITE = """
types { text/html html; text/css css; text/plain txt; }
default_type application/x-other;
server {
    listen 127.0.0.1:%PORT%; server_name example.org; root %DIR%/www;
    location / { }
    location /fields/ { alias %DIR%/www/; add_header X-A a; add_header X-B b always; expires -1; }
    location /no-etag/ { alias %DIR%/www/; etag off; }
    location /no-ranges/ { alias %DIR%/www/; max_ranges 0; }
    location /one-range/ { alias %DIR%/www/; max_ranges 1; }
    location /before/ { alias %DIR%/www/; if_modified_since before; }
    location /never/ { alias %DIR%/www/; if_modified_since off; }
    location /alias { alias %DIR%/www/index/; }
    location = /exact { alias %DIR%/www/ten.txt; }
    location /listed/ { alias %DIR%/www/list/; autoindex on; }
    location /exact-off/ { alias %DIR%/www/list/; autoindex on; autoindex_exact_size off; charset utf-8; }
    location /json/ { alias %DIR%/www/list/; autoindex on; autoindex_format json; }
    location /jsonp/ { alias %DIR%/www/list/; autoindex on; autoindex_format jsonp; }
    location /xml/ { alias %DIR%/www/list/; autoindex on; autoindex_format xml; }
    location /two/ { alias %DIR%/www/index/; index none.html other.html; }
    location /absolute/ { alias %DIR%/www/list/; index none.html /page.html; }
    location /methods/ { alias %DIR%/www/; limit_except GET { deny all; } }
    location /packed/ { alias %DIR%/www/; gzip_static on; }
    location /packed-vary/ { alias %DIR%/www/; gzip_static on; gzip_vary on; }
    location /packed-always/ { alias %DIR%/www/; gzip_static always; }
    location /no-links/ { alias %DIR%/www/; disable_symlinks on from=%DIR%/www; }
    location /own-links/ { alias %DIR%/www/; disable_symlinks if_not_owner from=%DIR%/www; }
}
"""

RANGE = "Range: bytes="
files(SITE, [
    ("a file", "/ten.txt"),
    ("HEAD of a file", "/ten.txt", {"method": "HEAD"}),
    ("a file over HTTP/1.0", "/ten.txt", {"version": "1.0"}),
    ("an empty file", "/empty.txt"),
    ("a large file", "/big.bin"),
    ("a type by extension", "/page.html"),
    ("no extension", "/no-extension"),
    ("a name that begins with a dot", "/.html"),
    ("an escaped name", "/with%20space/f.txt"),
    ("a missing file", "/none"),
    ("a file as a directory", "/ten.txt/"),
    ("a file below a file", "/ten.txt/x"),
    ("a pipe", "/pipe"),
    ("a directory without its slash", "/index"),
    ("a directory without its slash, with arguments", "/index?a=b"),
    ("a directory whose name needs escapes", "/with%20space"),
    ("an alias without its slash", "/listed"),
    ("a directory below an alias, without its slash", "/listed/sub"),
    ("an index file", "/index/"),
    ("HEAD of an index file", "/index/", {"method": "HEAD"}),
    ("a directory without index", "/list/"),
    ("a missing directory", "/none/"),
    ("the second index file", "/two/"),
    ("an absolute index file", "/absolute/"),
    ("a link", "/link.txt"),
    ("a path with dots", "/list/../ten.txt"),
    ("a path that leaves the root", "/../../etc/passwd"),
    ("a path that leaves the root, escaped", "/%2e%2e/%2e%2e/etc/passwd"),
    ("POST to a file", "/ten.txt", {"method": "POST", "body": b"x"}),
    ("POST to a missing file", "/none", {"method": "POST", "body": b"x"}),
    ("POST to an index", "/index/", {"method": "POST"}),
    ("POST to a directory", "/list/", {"method": "POST"}),
    ("POST to a list", "/listed/", {"method": "POST"}),
    ("PUT", "/ten.txt", {"method": "PUT", "body": b"x"}),
    ("DELETE of a directory", "/index/", {"method": "DELETE"}),
    ("an alias", "/alias/other.html"),
    ("an alias without slash", "/aliasother.html"),
    ("an exact alias", "/exact"),
    ("fields", "/fields/ten.txt"),
    ("fields of a missing file", "/fields/none"),
    ("fields of a part", "/fields/ten.txt", "example.org", RANGE + "1-2"),
    ("fields of a 304", "/fields/ten.txt", "example.org", "If-None-Match: " + TAG),
    ("fields of a 412", "/fields/ten.txt", "example.org", 'If-Match: "x"'),
    ("no ETag", "/no-etag/ten.txt", "example.org", "If-None-Match: " + TAG),
    ("no ETag, any", "/no-etag/ten.txt", "example.org", "If-None-Match: *"),
    ("limit_except, GET", "/methods/ten.txt"),
    ("limit_except, HEAD", "/methods/ten.txt", {"method": "HEAD"}),
    ("limit_except, POST", "/methods/ten.txt", {"method": "POST", "body": b"x"}),
    ("limit_except, unknown method", "/methods/ten.txt", {"method": "BREW"}),
    *((f"condition {field}", "/ten.txt", "example.org", field) for field in (
        f"If-Modified-Since: {CHANGED_TEXT}", f"If-Modified-Since: {LATER_TEXT}", f"If-Modified-Since: {EARLIER_TEXT}",
        "If-Modified-Since: Monday, 05-Jan-26 03:04:05 GMT", "If-Modified-Since: Mon Jan  5 03:04:05 2026",
        "If-Modified-Since: yesterday",
        f"If-Unmodified-Since: {CHANGED_TEXT}", f"If-Unmodified-Since: {LATER_TEXT}",
        f"If-Unmodified-Since: {EARLIER_TEXT}", "If-Unmodified-Since: yesterday",
        f"If-None-Match: {TAG}", f"If-None-Match: W/{TAG}", f'If-None-Match: "x", {TAG}', 'If-None-Match: "x"',
        "If-None-Match: *", f"If-Match: {TAG}", f"If-Match: W/{TAG}", f'If-Match: "x",{TAG}', 'If-Match: "x"',
        "If-Match: *")),
    ("conditions that agree", "/ten.txt", "example.org", f"If-None-Match: {TAG}", f"If-Modified-Since: {CHANGED_TEXT}"),
    ("conditions that do not agree", "/ten.txt", "example.org", f"If-None-Match: {TAG}", f"If-Modified-Since: {LATER_TEXT}"),
    ("if_modified_since before", "/before/ten.txt", "example.org", f"If-Modified-Since: {LATER_TEXT}"),
    ("if_modified_since before, earlier", "/before/ten.txt", "example.org", f"If-Modified-Since: {EARLIER_TEXT}"),
    ("if_modified_since off", "/never/ten.txt", "example.org", f"If-Modified-Since: {CHANGED_TEXT}"),
    *((f"range {value}", "/ten.txt", "example.org", RANGE + value) for value in (
        "0-0", "1-3", "3-", "-3", "-30", "0-99", " 1 - 3 ", "20-30", "10-", "3-1", "-0", "x", "1", "", "0-1,20-30", "0-,0-",
        "0-4,5-9", "99999999999999999999-")),
    ("range of another unit", "/ten.txt", "example.org", "Range: lines=1-2"),
    ("two ranges", "/page.html", "example.org", RANGE + "1-2,4-5"),
    ("three ranges of a large file", "/big.bin", "example.org", RANGE + "0-9,100000-100009,-10"),
    ("a range of a large file", "/big.bin", "example.org", RANGE + "1000-200000"),
    ("HEAD of a range", "/ten.txt", "example.org", RANGE + "1-2", {"method": "HEAD"}),
    ("a range of an empty file", "/empty.txt", "example.org", RANGE + "0-"),
    ("a range behind an empty file", "/empty.txt", "example.org", RANGE + "1-"),
    ("ranges off", "/no-ranges/ten.txt", "example.org", RANGE + "1-2"),
    ("one range allowed", "/one-range/ten.txt", "example.org", RANGE + "1-2"),
    ("two where one range is allowed", "/one-range/ten.txt", "example.org", RANGE + "1-2,4-5"),
    ("If-Range by tag", "/ten.txt", "example.org", RANGE + "1-2", f"If-Range: {TAG}"),
    ("If-Range by another tag", "/ten.txt", "example.org", RANGE + "1-2", 'If-Range: "x"'),
    ("If-Range by time", "/ten.txt", "example.org", RANGE + "1-2", f"If-Range: {CHANGED_TEXT}"),
    ("If-Range by another time", "/ten.txt", "example.org", RANGE + "1-2", f"If-Range: {LATER_TEXT}"),
    ("a list", "/listed/"),
    ("HEAD of a list", "/listed/", {"method": "HEAD"}),
    ("a list over HTTP/1.0", "/listed/", {"version": "1.0"}),
    ("a list with rounded sizes and a charset", "/exact-off/"),
    ("a list of nothing", "/listed/none/"),
    ("a list in JSON", "/json/"),
    ("a list in JSONP", "/jsonp/?callback=show"),
    ("a list in JSONP without a name", "/jsonp/"),
    ("a list in JSONP with a bad name", "/jsonp/?callback=a(b"),
    ("a list in XML", "/xml/"),
    ("gzip_static", "/packed/style.css", "example.org", "Accept-Encoding: gzip"),
    ("gzip_static, not taken", "/packed/style.css"),
    ("gzip_static, refused", "/packed/style.css", "example.org", "Accept-Encoding: gzip;q=0"),
    ("gzip_static, HTTP/1.0", "/packed/style.css", "example.org", "Accept-Encoding: gzip", {"version": "1.0"}),
    ("gzip_static, a range", "/packed/style.css", "example.org", "Accept-Encoding: gzip", RANGE + "1-2"),
    ("gzip_static, nothing packed", "/packed/ten.txt", "example.org", "Accept-Encoding: gzip"),
    ("gzip_static, only packed", "/packed/only.css", "example.org", "Accept-Encoding: gzip"),
    ("gzip_static, only packed, not taken", "/packed/only.css"),
    ("gzip_static and Vary", "/packed-vary/style.css", "example.org", "Accept-Encoding: gzip"),
    ("gzip_static and Vary, not taken", "/packed-vary/style.css"),
    ("gzip_static and Vary, nothing packed", "/packed-vary/ten.txt"),
    ("gzip_static and Vary, 304", "/packed-vary/ten.txt", "example.org", "If-None-Match: *"),
    ("gzip_static always", "/packed-always/style.css"),
    ("disable_symlinks, a file", "/no-links/ten.txt"),
    ("disable_symlinks, a link", "/no-links/link.txt"),
    ("disable_symlinks, an own link", "/own-links/link.txt"),
])

TRIED = """
server {
    listen 127.0.0.1:%PORT%; server_name example.org; root %DIR%/www;
    location / { try_files $uri $uri/ /app.html; }
    location /code/ { try_files $uri =404; }
    location /page/ { try_files /none =410; }
    location /silent/ { try_files /none =444; }
    location /args/ { try_files /none /shown?u=$uri&$args; }
    location = /shown { return 200 "$uri?$args"; }
    location /aliased/ { alias %DIR%/www/; try_files $uri $uri.html /app.html; }
    location /up/ { try_files /none$uri /ten.txt; proxy_pass http://%A%; }
    location /found/ { try_files /ten.txt =404; proxy_pass http://%A%; }
    location /loop/ { try_files /none /loop/again; }
    location /errors/ { error_page 404 /404.html; }
    location /errors-ok/ { error_page 404 =200 /404.html; }
    location /errors-405/ { error_page 405 /404.html; }
}
"""

files(TRIED, [
    ("try_files, a file", "/ten.txt"),
    ("try_files, a directory", "/index/"),
    ("try_files, a directory without its slash", "/index?a=b"),
    ("try_files, the last", "/some/route?x=1"),
    ("try_files, HEAD of the last", "/some/route", {"method": "HEAD"}),
    ("try_files, POST", "/some/route", {"method": "POST", "body": b"x"}),
    ("try_files, a code", "/code/none"),
    ("try_files, another code", "/page/x"),
    ("try_files, 444", "/silent/x"),
    ("try_files, arguments", "/args/x?a=b"),
    ("try_files under an alias", "/aliased/ten.txt"),
    ("try_files under an alias, an extension", "/aliased/page"),
    ("try_files under an alias, the last", "/aliased/none"),
    ("try_files before a server, nothing found", "/up/x?a=b"),
    ("try_files before a server", "/found/%78?a=b"),
    ("try_files in a circle", "/loop/x"),
    ("error_page with a file", "/errors/none"),
    ("error_page with a file, a range", "/errors/none", "example.org", RANGE + "1-2"),
    ("error_page with a file, a condition", "/errors/none", "example.org", "If-None-Match: *"),
    ("error_page with a file as 200, a range", "/errors-ok/none", "example.org", RANGE + "1-2"),
    ("error_page with a file for POST", "/errors-405/none", {"method": "DELETE"}),
])

TEXTS = """
types { text/html html; text/css css; text/plain txt; }
server {
    listen 127.0.0.1:%PORT%; server_name example.org; root %DIR%/www; charset utf-8;
    location / { }
    location /css/ { alias %DIR%/www/; charset_types text/css; }
    location /all/ { alias %DIR%/www/; charset_types *; }
    location /off/ { alias %DIR%/www/; charset off; }
    location /variable/ { alias %DIR%/www/; charset $arg_c; }
    location /text { return 200 text; }
    location /moved { return 301 /x; }
    location /away { return 303 /x; }
    location /epoch/ { alias %DIR%/www/; expires epoch; }
    location /max/ { alias %DIR%/www/; expires max; }
    location /modified/ { alias %DIR%/www/; expires modified 10y; }
    location /modified-past/ { alias %DIR%/www/; expires modified 1s; }
    location /odd/ { alias %DIR%/www/; expires $arg_e; }
    location /given/ { proxy_pass http://%A%; expires epoch; }
    location /expired { return 404; expires max; }
}
"""

files(TEXTS, [
    ("charset of a text", "/page.html"),
    ("charset of another type", "/style.css"),
    ("charset of a part", "/page.html", "example.org", RANGE + "1-2"),
    ("charset of parts", "/page.html", "example.org", RANGE + "1-2,4-5"),
    ("charset of an error page", "/none"),
    ("charset of listed types", "/css/style.css"),
    ("charset of an unlisted type", "/css/ten.txt"),
    ("charset of all types", "/all/no-extension"),
    ("charset of all types, parts", "/all/page.html", "example.org", RANGE + "1-2,4-5"),
    ("charset off", "/off/page.html"),
    ("charset by a variable", "/variable/page.html?c=koi8-r"),
    ("charset of a text of return", "/text"),
    ("charset of a 301", "/moved"),
    ("charset of a 303", "/away"),
    ("charset of a 304", "/page.html", "example.org", "If-None-Match: *"),
    ("expires epoch", "/epoch/ten.txt"),
    ("expires max", "/max/ten.txt"),
    ("expires after a file in the past", "/modified-past/ten.txt"),
    ("expires by a variable", "/odd/ten.txt?e=max"),
    ("expires by an odd variable", "/odd/ten.txt?e=soon"),
    ("expires off by a variable", "/odd/ten.txt?e=off"),
    ("expires of a server's answer", "/given/x"),
    ("expires of a 404", "/expired"),
])


def log_of_files(t):
    """What is missing is told in the error log, in the same words."""
    site(t)
    for target in ("/none", "/none/", "/list/", "/quiet/none", "/pipe", "/ten.txt/x"):
        t.get(target)
    log = t.directory / "error.log"
    deadline = time.monotonic() + 3
    while "ten.txt/x" not in log.read_text(errors="replace") and time.monotonic() < deadline:
        time.sleep(0.01)
    for line in log.read_text(errors="replace").splitlines():
        found = re.search(r'\[(error|crit)\] [0-9#]+: (?:\*\d+ )?(.*?), client: ', line)
        if found:
            t.note(f"error log: [{found[1]}] {found[2]}")


CASES.append(Case("files/the error log", """
server {
    listen 127.0.0.1:%PORT%; root %DIR%/www;
    location /quiet/ { alias %DIR%/www/; log_not_found off; }
}
""", log_of_files))


UNCHUNKED = """
server { listen 127.0.0.1:%PORT%; root %DIR%/listed; autoindex on; chunked_transfer_encoding off;
    location /void/ { error_page 416 =301 http://elsewhere.example/; }
}"""


def lay_out_list(t):
    (t.directory / "listed" / "void").mkdir(parents=True)
    (t.directory / "listed" / "void" / "a.txt").write_text("0123456789")
    for path in ("listed/void/a.txt", "listed/void", "listed"):
        os.utime(t.directory / path, (1_700_000_000, 1_700_000_000))


def unchunked(name, target, *fields, **more):
    CASES.append(Case(f"files/{name}", UNCHUNKED, lambda t: t.get(target, "h", *fields, **more), lays_out=lay_out_list))


unchunked("a list without chunks", "/")
unchunked("a list without chunks, HEAD", "/", method="HEAD")
unchunked("a list without chunks, HTTP/1.0", "/", "Connection: keep-alive", version="1.0")
unchunked("a redirect in the place of a 416", "/void/a.txt", "Range: bytes=20-")

CASES.append(Case("files/an alias of an expression, for a URI that was rewritten before", """
server { listen 127.0.0.1:%PORT%; rewrite ^/old/(.*)$ /new/$1 break;
    location ~ ^(.*)$ { alias %DIR%/listed$1; }
}""", lambda t: [t.get(path) for path in ("/void/a.txt", "/old/a.txt")], lays_out=lay_out_list))
