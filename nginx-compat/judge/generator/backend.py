"""What the upstream servers of generated rounds answer: what the request's field `X-Want` asks for.

A word of letters names an answer below, a number is a status; without the field it is a plain 200 that tells the server
and the target.
"""

import gzip

from upstream import answer


def wanted(server):
    """The behaviour of this server; given to `Upstream.behave`."""

    def behave(request, connection):
        status, fields, body = chosen(server, request)
        phrase = PHRASES.get(status, "Told So")
        length = () if status in ("204", "304") else (f"Content-Length: {len(body)}",)
        if not length or request.method == "HEAD":
            head = "\r\n".join([f"HTTP/1.1 {status} {phrase}", "X-From: " + server.name, *fields, *length, "", ""])
            connection.sendall(head.encode())
            return True
        return answer(body, f"{status} {phrase}", "X-From: " + server.name, *fields)(request, connection)

    return behave


def wanted_over_http_2(server):
    """The same for a server of HTTP/2."""

    def behave(request, stream):
        status, fields, body = chosen(server, request)
        length = [] if status in ("204", "304") else [f"Content-Length: {len(body)}"]
        fields = [tuple(part.strip() for part in field.partition(":")[::2]) for field in ("X-From: " + server.name, *fields, *length)]
        fields = [(name.lower(), value) for name, value in fields]
        if not length or request.method == "HEAD" or not body:
            stream.head(status, *fields, end=True)
        else:
            stream.head(status, *fields).data(body.encode(), end=True)
        return True

    return behave


def chosen(server, request):
    """Status, fields and body of the answer that a request wants."""
    want = request.field("x-want") or ""
    told = f"{server.name} {request.method} {request.target}\n"
    return ANSWERS.get(want, lambda _: (want or "200", ("Content-Type: text/plain",), told))(server)


def own(server):
    return ("https" if server.is_secure else "http") + "://%s:%d" % server.address


PHRASES = {"200": "OK", "201": "Created", "204": "No Content", "301": "Moved Permanently", "302": "Found", "304": "Not Modified",
           "400": "Bad Request", "401": "Unauthorized", "403": "Forbidden", "404": "Not Found", "500": "Internal Server Error",
           "503": "Service Unavailable"}

ANSWERS = {
    "moved": lambda server: ("301", (f"Location: {own(server)}/a/b?c=d",), "moved\n"),
    "elsewhere": lambda _: ("302", ("Location: http://elsewhere.example/x",), "elsewhere\n"),
    "relative": lambda _: ("302", ("Location: /a/relative",), ""),
    "refresh": lambda server: ("200", (f"Refresh: 5; url={own(server)}/a", "Content-Type: text/html"), "<p>refresh</p>"),
    "cookies": lambda _: ("200", ("Set-Cookie: a=1; Path=/a/; Domain=old.example", "Set-Cookie: b=2; Secure",
                                  "Content-Type: text/plain"), "cookies\n"),
    "internal": lambda _: ("200", ("X-Accel-Redirect: /a/x.txt", "X-Kept: no", "Content-Type: text/plain"), "unseen\n"),
    "named": lambda _: ("200", ("X-Accel-Redirect: @n0", "Content-Type: text/plain"), "unseen\n"),
    "expires": lambda _: ("200", ("X-Accel-Expires: 60", "Cache-Control: no-cache", "Expires: Thu, 01 Jan 1970 00:00:00 GMT",
                                  "Content-Type: text/css"), "p {}\n"),
    "typed": lambda _: ("200", ("Content-Type: text/html; charset=koi8-r", "ETag: \"tag\"",
                                "Last-Modified: Fri, 01 Mar 2024 12:00:00 GMT"), "<p>typed</p>\n"),
    "packed": lambda _: ("200", ("Content-Type: text/html", "Content-Encoding: gzip", "ETag: \"packed\""),
                         gzip.compress(b"<p>packed " + b"and the same again " * 9 + b"</p>\n", mtime=0)),
    "bare": lambda _: ("200", (), "no type\n"),
}
