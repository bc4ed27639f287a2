"""Who may come in: allow and deny, at every level and inside limit_except."""

from casebook import case, configurations, requests

RULES = """
deny 127.0.0.9;
server {
    listen 127.0.0.1:%PORT%;
    error_page 403 = @no;
    location / { return 200 "program first"; }
    location /inherited { proxy_pass http://%A%; error_page 404 /x; }
    location /own { allow 127.0.0.9; allow 127.0.0.1; deny all; proxy_pass http://%A%; error_page 404 /x; }
    location /first { deny 127.0.0.0/29; allow 127.0.0.1; deny ::/0; proxy_pass http://%A%; error_page 404 /x; }
    location /six { deny ::/0; deny ::1; deny unix:; proxy_pass http://%A%; error_page 404 /x; }
    location /outer { deny all; location /outer/inner { allow 127.0.0.1; proxy_pass http://%A%; } error_page 404 /x; }
    location /page { deny all; }
    location @no { return 200 "kept out of $request_uri by $remote_addr\\n"; }
}
server {
    listen 127.0.0.1:%PORT2%;
    deny 127.0.0.2;
    location / { limit_except GET { allow 127.0.0.1; deny all; } proxy_pass http://%A%; }
    location /deny { limit_except GET { deny 127.0.0.0/8; } proxy_pass http://%A%; }
    location /bare { limit_except GET { } proxy_pass http://%A%; }
    location /own { allow 127.0.0.0/30; deny all; limit_except GET POST { allow 127.0.0.2; deny all; } proxy_pass http://%A%; }
    location /try { deny all; try_files /none =418; }
    location /rewritten { deny all; rewrite ^ /elsewhere last; }
    location /elsewhere { return 200 "by a program"; }
    location /accel { deny 127.0.0.2; proxy_pass http://%A%; }
}
"""

SOURCES = ("127.0.0.1", "127.0.0.2", "127.0.0.9")


def asked(t, target, source, port="PORT", method="GET"):
    t.note(f"{source} {method} {target}")
    connection = t.connect(port, source)
    connection.send(f"{method} {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.read(method)


for path in ("/", "/inherited", "/own", "/first", "/six", "/outer", "/outer/inner", "/page"):
    @case(RULES, f"levels, {path}")
    def levels(t, path=path):
        for source in SOURCES:
            asked(t, path, source)


for path in ("/", "/deny", "/bare", "/own", "/try", "/rewritten", "/accel"):
    @case(RULES, f"methods, {path}")
    def methods(t, path=path):
        for source in SOURCES:
            for method in ("GET", "POST", "DELETE"):
                asked(t, path, source, "PORT2", method)


configurations("access", [
    (text, f"server {{ listen 127.0.0.1:%PORT%; location / {{ {text} }} }}") for text in (
        "allow all;", "deny unix:;", "deny 10.0.0.0/33;", "deny 10.0.0.1/8;", "deny localhost;", "deny;", "allow 1.1.1.1 2.2.2.2;",
        "deny ::ffff:1.2.3.4;", "limit_except GET { deny 10.0.0.0/8; }", "limit_except GET { deny x; }",
        "if ($host) { deny all; }", "allow 10.0.0.0/0;", "deny 2001:db8::/129;")
])
