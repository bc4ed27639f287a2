"""Words that configurations and requests are made of: few, so that both often mean the same thing."""

import os
from pathlib import Path

# Segments of paths, and what they look like in a request.
SEGMENTS = ("a", "b", "ab", "A", "img", "api", "old", "new", "files", "v1", "sub", "x.txt", "index.html", "pic.png",
            "data.json", "page.php")
WRITTEN = {"a": ("a", "a", "a", "%61"), "b": ("b", "b", "%62"), "files": ("files", "files", "%66iles"), "A": ("A",)}
ODD_SEGMENTS = ("..", ".", "", "sp%20ace", "%C3%A4", "a%2Fb", "a+b", "a;b", "a%3Fb", "a%25b", "~a", "a%23b", "a:b", "$a", "a'b")

# Who may come in, and whom requests say they are; and where they say they come from.
USERS = "ann:{PLAIN}secret\nbob:$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0\n"
CREDENTIALS = ("YW5uOnNlY3JldA==", "Ym9iOnNlY3JldA==", "YW5uOm90aGVy", "eWFuOng=", "!")
REFERERS = ("http://a.example/x", "https://www.b.example/", "http://b.example/a/x", "http://r.test/", "www.x", "http://one%R%.test/")

# Prefixes of locations.
PREFIXES = ("/", "/", "/a", "/a/", "/a/b", "/ab", "/A/", "/img/", "/api/", "/api/v1/", "/old/", "/old/a", "/new/", "/files/",
            "/files", "/sub/", "/sub", "/x.txt", "/a/index.html", "/v1")
EXACT = ("/", "/a", "/a/", "/x.txt", "/old/a", "/index.html", "/files/", "/api/v1", "/sub", "/img/pic.png", "/404.html")
# Regular expressions over a path, and how many groups each captures.
REGEXES = ((r"\.txt$", 0), (r"\.(png|html|json)$", 1), (r"^/a", 0), (r"^/(a|b)/(.*)$", 2), (r"^/old/(.*)$", 1), (r"/v(\d+)", 1),
           (r"^/(?<first>[^/]+)", 1), (r"^/(?<first>\w+)/(?<rest>.*)$", 2), (r"\.php$", 0), (r"^/api/(\w*)/?(.*)", 2), (r"b", 0),
           (r"^/$", 0), (r"^/(.*)/$", 1), (r"(x)?\.txt$", 1), (r"^/[A-Z]", 0), (r"^/files/(?:sub/)?([a-z.]+)$", 1), (r"index", 0),
           (r".", 0), (r"^/img/(.+)\.(png)$", 2), (r"^(.*)$", 1))
LOOK_AROUND = ((r"^/(?!api)", 0), (r"^/a(?=/)", 0), (r"(?<!x)\.txt$", 0), (r"^/(\w)\w*\1", 1), (r"^/(?>a|ab)b", 0), (r"^/a++", 0),
               (r"^/(?!files/|api/)(.*)$", 1))

CODES = (200, 204, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 429, 500, 502, 503, 504)
ERRORS = (400, 401, 403, 404, 405, 410, 416, 429, 500, 502, 503, 504)
VALUES = ("on", "x", "1", "0", "alpha", "beta", "Alpha", "a", "")
WORDS = ("alpha", "beta", "x", "1", "0", "a-b", "on")
EMPTY = '""'
# Where a server looks for what decides: a field, a cookie, an argument.
AGENTS = ("curl/8.0", "Mozilla/5.0 (X11) MSIE 6", "Googlebot/2.1", "")

VARIABLES = (
    "uri", "request_uri", "args", "query_string", "is_args", "document_uri", "host", "http_host", "request_method", "scheme",
    "server_name", "arg_a", "arg_b", "arg_ip", "cookie_c", "http_x_flag", "http_user_agent", "remote_addr", "server_protocol",
    "content_type", "content_length", "https", "remote_user", "server_addr", "http_cookie", "http_none", "arg_none", "request",
    "status", "request_completion", "limit_rate", "realpath_root", "document_root", "request_filename", "proxy_host",
    "proxy_add_x_forwarded_for", "sent_http_content_type", "upstream_status", "upstream_http_x_from", "pipe", "body_bytes_sent",
    "http_x_forwarded_for", "request_body", "invalid_referer", "secure_link", "secure_link_expires", "limit_req_status",
    "limit_conn_status",
)

# The files that are served: their paths, and what they hold.
FILES = {
    "index.html": "<p>root index</p>\n", "x.txt": "x at the root\n", "404.html": "page for 404\n", "50x.html": "page for 50x\n",
    "a/index.html": "<p>a index</p>\n", "a/x.txt": "x in a\n", "a/b/x.txt": "x in a/b\n", "a/b/index.html": "a/b index\n",
    "img/pic.png": "\x89PNG not really", "files/data.json": "{\"data\": 1}\n", "files/x.txt": "0123456789" * 30, "files/empty.txt": "",
    "sub/files/x.txt": "x in sub/files\n", "sub/index.htm": "sub index.htm\n", "new/index.php": "no program\n", "v1": "a file v1\n",
    "sp ace/x.txt": "spaced\n", "\u00e4/x.txt": "umlaut\n", "big.txt": "a line of a file that is larger than a buffer\n" * 3000,
    ".hidden": "hidden\n", "old/page.php": "<?php old\n", "api/index.html": "api index\n", "a.html": "a html\n",
}
# When all of them were written: Fri, 01 Mar 2024 12:00:00 GMT.
WRITTEN_AT = 1709294400


def plant(directory):
    """Writes the files, so that any user may read them."""
    for name, text in FILES.items():
        path = Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        os.utime(path, (WRITTEN_AT, WRITTEN_AT))
    (Path(directory) / "void").mkdir(exist_ok=True)
    for folder, _, _ in os.walk(directory):
        os.utime(folder, (WRITTEN_AT, WRITTEN_AT))
        os.chmod(folder, 0o755)
