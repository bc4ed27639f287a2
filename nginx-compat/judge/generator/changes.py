"""Features: what changes a request or an answer on its way: rewrite, set, if, error_page, fields, proxying."""

from generator import vocabulary as words
from generator.contents import WWW
from generator.maker import Place, feature
from generator.tree import Directive, block

LEVELS = ("server", "location")
SCRIPT = ("server", "location", "if", "server-if")
FIELDS = ("server", "location", "if")


@feature("rewrite", "change", SCRIPT, 6, "rewrite ^/(.*)$ /a/$1 last;")
def rewrite(maker, place):
    regex, captures = maker.regex()
    inside = Place("location", "regex", regex, captures or 0)
    flag = maker.pick(("", "", " last", " last", " break", " break", " redirect", " permanent"))
    # At the level of the server, what is rewritten always would leave nothing to look at.
    if place.kind == "server" and regex in (".", r"^(.*)$") and maker.chance(80):
        regex, inside = r"^/old/(.*)$", Place("location", "regex", "", 1)
    text = maker.uri(inside)
    if maker.chance(8):
        text = f"http://elsewhere.example{text}"
    place.captures = max(place.captures, captures)
    return Directive(f"rewrite \"{regex}\" {text}{flag}")


@feature("set", "change", SCRIPT, 5, 'set $probed "x"; return 200 $probed;')
def set_variable(maker, place):
    text = maker.template(place, 2)
    name = f"s{len(maker.variables)}_%R%"
    maker.variables.append(name)
    return Directive(f"set ${name} \"{text}\"")


@feature("set $limit_rate", "change", SCRIPT, 1, 'set $limit_rate 1m; return 200 $limit_rate;')
def set_limit_rate(maker, _place):
    return Directive(f"set $limit_rate {maker.pick(('10m', '0', 'fast', '20971520'))}")


@feature("break", "change", SCRIPT, 1, "location / { break; }")
def stop(maker, _place):
    return Directive("break") if maker.chance(60) else None


def test(maker, place):
    """A condition, without its parentheses, and how many groups it captures."""
    variable = maker.variable(place, groups=False)
    kind = maker.pick(("true", "=", "=", "!=", "~", "~", "~*", "!~", "!~*", "file"))
    if kind == "true":
        return variable, 0
    if kind in ("=", "!="):
        return f"{variable} {kind} {maker.pick(('alpha', 'x', '1', 'GET', 'POST', '/a', words.EMPTY))}", 0
    if kind == "file" and maker.has("if (-f file)"):
        names = (f"{WWW}$uri", f"{WWW}/x.txt", f"{WWW}/a", f"{WWW}/none")
        name = maker.pick(names + ("$request_filename",) if "request_filename" in maker.known_variables else names)
        return f"{maker.pick(('', '', '!'))}-{maker.pick('fdex')} {name}", 0
    if kind == "file":
        return variable, 0
    regex, captures = maker.regex()
    if maker.chance(50):
        regex, captures = maker.pick(((r"^(\w+)a$", 1), ("alpha|beta", 0), (r"^(.)(.*)$", 2), ("a", 0), (r"\d", 0), ("^$", 0)))
    return f"{variable} {kind} \"{regex}\"", 0 if kind.startswith("!") else captures


@feature("if (-f file)", "switch", (), 1, "location / { if (-f /tmp$uri) { return 200 x; } if (!-d /tmp) { return 201; } }")
def if_file(_maker, _place):
    return None


@feature("if", "change", ("server", "location"), 6,
         'location / { if ($arg_a = x) { return 200 x; } if ($arg_a ~* "(x)") { set $probed $1; } if ($arg_b) { break; } }')
def condition(maker, place):
    words_of, captures = test(maker, place)
    kind = "server-if" if place.kind == "server" else "if"
    inside = Place(kind, place.location, place.text, captures or place.captures)
    return block(f"if ({words_of})", *maker.changes(inside, 0, 2), *(maker.content(inside) if maker.chance(75) else []))


@feature("rewrite_log", "change", FIELDS, 1, "rewrite_log on;")
def rewrite_log(_maker, place):
    return Directive("rewrite_log on") if place.once("rewrite_log") else None


@feature("error_page", "change", FIELDS, 5, "error_page 404 /404.html; error_page 500 502 =200 /50x.html; error_page 403 = /a;")
def error_page(maker, place):
    codes = " ".join(str(code) for code in maker.some(words.ERRORS, 1, 3))
    if maker.chance(45):
        codes = maker.pick(("404", "404 403", "502 504", "500 502 503 504"))
    override = maker.pick(("", "", "", " =", " =200", " =404", " =503", " =302"))
    target = maker.pick(("/404.html", "/50x.html", "/index.html?e=1", maker.path(), maker.path(), *maker.named, *maker.named))
    return Directive(f"error_page {codes}{override} {target}")


@feature("error_page with a redirect", "change", FIELDS, 1, "error_page 404 http://elsewhere.example/; error_page 403 =301 /a;")
def error_page_redirect(maker, place):
    code = maker.pick((404, 403, 502, 500))
    target = maker.pick(("http://elsewhere.example/gone", "https://elsewhere.example$request_uri", "=301 http://elsewhere.example/"))
    return Directive(f"error_page {code} {target}")


@feature("recursive_error_pages", "change", LEVELS, 1, "recursive_error_pages on;")
def recursive_error_pages(_maker, place):
    return Directive("recursive_error_pages on") if place.once("recursive_error_pages") else None


@feature("internal", "change", ("location",), 1, "location /a { internal; }")
def internal(_maker, place):
    return Directive("internal") if place.once("internal") and place.location != "named" else None


@feature("add_header", "change", FIELDS, 4, 'add_header X-A "x"; location / { add_header X-B $uri always; return 200 x; }')
def add_header(maker, place):
    name = maker.pick(("X-A", "X-B", "X-Uri", "Cache-Control", "Vary", "x-lower", "Content-Language"))
    return Directive(f"add_header {name} \"{maker.template(place, 2)}\"{maker.pick(('', '', ' always'))}")


@feature("expires", "change", FIELDS, 2, "expires 1h;")
def expires(maker, place):
    if not place.once("expires"):
        return None
    return Directive(f"expires {maker.pick(('1h', '10m', '-1', 'epoch', 'max', 'off', '30d', 'modified +1h', '0'))}")


@feature("limit_except", "change", ("location",), 1, "location / { limit_except GET { deny all; } }")
def limit_except(maker, place):
    if not place.once("limit_except") or place.location == "named":
        return None
    methods = " ".join(maker.some(("GET", "POST", "PUT", "DELETE", "OPTIONS"), 1, 2))
    by_address = maker.has("allow and deny") and maker.chance(30)
    rules = ("allow 192.0.2.0/24", "deny all") if by_address else maker.pick((("deny all",), ("deny all",), ("allow all",)))
    return block(f"limit_except {methods}", *map(Directive, rules))


@feature("limit_except with a pass", "change", ("location",), 1, "location / { limit_except GET { proxy_pass http://127.0.0.1:9; } }")
def limit_except_pass(maker, place):
    if not place.once("limit_except") or place.location == "named":
        return None
    return block(f"limit_except {maker.pick(('GET', 'POST', 'GET POST'))}", Directive("proxy_pass http://%B%"))


@feature("allow and deny", "change", LEVELS, 1, "allow 127.0.0.0/8; location /a { deny all; limit_except GET { allow 192.0.2.0/24; deny all; } }")
def allow_and_deny(maker, _place):
    return Directive(maker.pick(("deny 127.0.0.1", "allow 127.0.0.0/8", "deny all", "allow all", "deny 192.0.2.0/24")))


@feature("satisfy", "change", LEVELS, 1, "satisfy any;")
def satisfy(maker, place):
    return Directive(f"satisfy {maker.pick(('any', 'all'))}") if place.once("satisfy") else None


@feature("limit_req", "change", LEVELS, 1, "limit_req zone=probed burst=3 nodelay; limit_req_status 429;",
         "limit_req_zone $arg_a zone=probed:1m rate=1r/m")
def limit_req(maker, place):
    # Requests come one at a time, and what has come before is the same for both.
    if not place.once("limit_req"):
        return None
    return Directive(f"limit_req zone=requests{maker.pick('ab')}{maker.pick((' burst=2 nodelay', ' burst=1 delay=1', ''))}")


@feature("limit_conn", "change", LEVELS, 1, "limit_conn probed 1;", "limit_conn_zone $arg_a zone=probed:1m")
def limit_conn(_maker, place):
    return Directive("limit_conn requests_at_once 1000") if place.once("limit_conn") else None


@feature("auth_basic", "change", LEVELS, 1, "auth_basic x; auth_basic_user_file users;")
def auth_basic(maker, place):
    if not place.once("auth_basic"):
        return None
    return Directive(f"auth_basic {maker.pick(('area', 'off', '$arg_a', chr(34) + 'of $host' + chr(34)))}; "
                     f"auth_basic_user_file {maker.pick(('users', 'users', 'nowhere'))}")


@feature("valid_referers", "change", ("server", "location"), 1, "location / { valid_referers none example.org; return 200 $invalid_referer; }")
def valid_referers(maker, _place):
    return Directive(f"valid_referers {maker.pick(('none a.example', 'blocked server_names', '*.example', '~^r www.*', 'b.example/a'))}")


@feature("secure_link", "change", LEVELS, 1, "secure_link $arg_a; secure_link_md5 x; location /s { return 200 $secure_link$secure_link_expires; }")
def secure_link(maker, place):
    if not place.once("secure_link"):
        return None
    return Directive(f"secure_link {maker.pick(('$arg_a', '$arg_a,$arg_b', '$uri'))}; secure_link_md5 {maker.pick(('$uri', 'x'))}")


def simple(name, where, weight, values, quoted=False):
    """A directive that stands once, with one of these values."""

    probe = " ".join(f"location /{number} {{ {name} {text}; }}" for number, text in enumerate(values))

    @feature(name, "change", where, weight, probe)
    def make(maker, place):
        return Directive(f"{name} {maker.pick(values)}") if place.once(name) else None

    return make


simple("index", LEVELS, 2, ("index.html", "index.htm index.html", "x.txt", "/index.html", "none.html index.html", "index.php"))
simple("absolute_redirect", LEVELS, 2, ("off", "on"))
simple("server_name_in_redirect", LEVELS, 1, ("on", "off"))
simple("port_in_redirect", LEVELS, 1, ("off", "on"))
simple("default_type", LEVELS, 1, ("text/plain", "application/json", "text/html", "\"\""))
simple("etag", LEVELS, 1, ("off", "on"))
simple("if_modified_since", LEVELS, 1, ("off", "exact", "before"))
simple("max_ranges", LEVELS, 1, ("0", "1", "2"))
simple("charset", FIELDS, 1, ("utf-8", "off", "koi8-r"))
simple("server_tokens", LEVELS, 1, ("off", "on"))
simple("client_max_body_size", LEVELS, 1, ("4", "1k", "0"))
simple("log_not_found", LEVELS, 1, ("off", "on"))
simple("open_file_cache", LEVELS, 1, ("max=100", "off"))
simple("sendfile", FIELDS, 1, ("on", "off"))
simple("msie_padding", LEVELS, 1, ("off", "on"))
simple("chunked_transfer_encoding", LEVELS, 1, ("off", "on"))
simple("disable_symlinks", LEVELS, 1, ("on", "off"))
simple("keepalive_disable", LEVELS, 1, ("none", "msie6"))
simple("add_header_inherit", LEVELS, 1, ("merge", "on", "off"))
simple("uninitialized_variable_warn", FIELDS, 1, ("off", "on"))
simple("proxy_intercept_errors", LEVELS, 3, ("on", "off"))
simple("proxy_pass_request_headers", LEVELS, 1, ("off", "on"))
# Not HEAD: NGINX would wait for the body that the length promises.
simple("proxy_method", LEVELS, 1, ("POST", "GET", "PUT"))
simple("proxy_set_body", LEVELS, 1, ("\"set $request_method\"", "fixed"))
simple("proxy_cookie_domain", LEVELS, 1, ("old.example new.example", "off", "~\\.example$ .test"))
simple("proxy_cookie_path", LEVELS, 1, ("/a/ /b/", "~^/(.*)/$ /$1", "off"))
simple("proxy_cookie_flags", LEVELS, 1, ("a httponly", "~ secure samesite=lax", "b nosecure"))
simple("proxy_ignore_headers", LEVELS, 1, ("X-Accel-Redirect", "X-Accel-Expires Expires"))
simple("proxy_hide_header", LEVELS, 1, ("X-From", "Set-Cookie", "ETag"))
simple("proxy_pass_header", LEVELS, 1, ("Server", "X-Accel-Expires"))
simple("proxy_limit_rate", LEVELS, 1, ("0", "10m"))
simple("proxy_buffering", LEVELS, 1, ("off", "on"))
simple("proxy_ignore_client_abort", LEVELS, 1, ("on", "off"))
simple("early_hints", LEVELS, 1, ("1", "$arg_a", "0"))
simple("gzip", FIELDS, 4, ("on", "on", "on", "off"))
simple("gzip_types", LEVELS, 2, ("*", "text/plain", "text/css application/json"))
simple("gzip_min_length", LEVELS, 2, ("1", "0", "100"))
simple("gzip_comp_level", LEVELS, 1, ("1", "6", "9"))
simple("gzip_vary", LEVELS, 1, ("on", "off"))
simple("gzip_http_version", LEVELS, 1, ("1.0", "1.1"))
simple("gzip_proxied", LEVELS, 1, ("any", "expired no-cache", "no_etag", "no_last_modified auth", "off"))
simple("gzip_disable", LEVELS, 1, ("msie6", "curl", "\"bot/\\d\""))
simple("gzip_static", LEVELS, 1, ("on", "off"))
simple("gunzip", LEVELS, 1, ("on", "off"))
simple("sub_filter_once", LEVELS, 1, ("off", "on"))
simple("sub_filter_types", LEVELS, 1, ("*", "text/plain"))
simple("sub_filter_last_modified", LEVELS, 1, ("on", "off"))
simple("ssi", FIELDS, 2, ("on", "on", "off"))
simple("ssi_types", LEVELS, 1, ("*", "text/plain"))
simple("ssi_last_modified", LEVELS, 1, ("on", "off"))
simple("log_subrequest", LEVELS, 1, ("on", "off"))
simple("addition_types", LEVELS, 1, ("*", "text/plain"))
simple("add_before_body", LEVELS, 1, ("/x.txt", "/a/index.html", "/none", words.EMPTY))
simple("add_after_body", LEVELS, 1, ("/x.txt", "/v1", "/none", words.EMPTY))


@feature("sub_filter", "change", LEVELS, 3, 'sub_filter a "$uri"; sub_filter "$arg_a" b;')
def sub_filter(maker, place):
    text = maker.pick(("a", "in ", "<p>", "index", "0123", "line of", "$arg_a", "A G"))
    if "$" in text and "arg_a" not in maker.known_variables:
        text = "x"
    return Directive(f"sub_filter \"{text}\" \"{maker.template(place, 2)}\"")


@feature("auth_request", "change", ("server",), 1,
         'auth_request /x.txt; auth_request_set $probed $status; location = /x.txt { auth_request off; }')
def auth_request(maker, place):
    # With the length the server that is asked would wait for the body.
    if not place.once("auth_request") or not place.once("proxy_pass_request_body"):
        return None
    name = f"s{len(maker.variables)}_%R%"
    maker.variables.append(name)
    return [Directive(f"auth_request {maker.pick(('/x.txt', '/x.txt', '/v1', '/none', '/files/x.txt', maker.path()))}"),
            Directive(f"auth_request_set ${name} \"{maker.pick(('$upstream_status', '$uri', '$upstream_http_x_from', '$args', 'x'))}\""),
            Directive("proxy_pass_request_body off"), Directive('proxy_set_header Content-Length ""')]


@feature("proxy_pass_request_body", "change", LEVELS, 1,
         'location / { proxy_pass_request_body off; proxy_set_header Content-Length ""; }')
def proxy_pass_request_body(_maker, place):
    # With the length the server would wait for the body.
    if not place.once("proxy_pass_request_body"):
        return None
    return [Directive("proxy_pass_request_body off"), Directive('proxy_set_header Content-Length ""')]


@feature("types", "change", LEVELS, 1, "types { text/x-judged txt; }")
def types(maker, place):
    entries = maker.pick((("text/x-judged txt", "text/html html"), (), ("application/json json js",)))
    return block("types", *(Directive(entry) for entry in entries)) if place.once("types") else None


@feature("proxy_redirect", "change", LEVELS, 2, "proxy_redirect off;")
def proxy_redirect(maker, place):
    # "default" must come after proxy_pass, and does not go with variables.
    return Directive("proxy_redirect off") if place.once("proxy_redirect off") and "proxy_redirect" not in place.used else None


@feature("proxy_redirect default", "switch", (), 1, "location / { proxy_pass http://127.0.0.1:9; proxy_redirect default; }")
def proxy_redirect_default(_maker, _place):
    return None


@feature("proxy_redirect FROM TO", "change", LEVELS, 2, r"proxy_redirect http://a.example/ /b/; proxy_redirect ~^http://[^/]+(/.*)$ /c$1;")
def proxy_redirect_to(maker, place):
    if "proxy_redirect off" in place.used:
        return None
    place.used.add("proxy_redirect")
    return Directive("proxy_redirect " + maker.pick(("http://elsewhere.example/ /here/", "/ /up/", "~^http://[^/]+(/.*)$ /re$1",
                                                    "~*RELATIVE$ $uri", "http://%A%/ http://$host/")))


@feature("proxy_set_header", "change", LEVELS, 4, 'proxy_set_header Host $host; proxy_set_header X-A "x"; proxy_set_header X-B "";')
def proxy_set_header(maker, place):
    name, text = maker.pick((("Host", "$host"), ("Host", "$http_host"), ("X-Real-IP", "$remote_addr"),
                             ("X-A", maker.template(place, 2)), ("X-Forwarded-For", "$proxy_add_x_forwarded_for"), ("X-Flag", ""),
                             ("User-Agent", "judge"), ("X-Uri", "$uri $args"), ("Cookie", ""), ("Accept-Encoding", "")))
    return Directive(f"proxy_set_header {name} \"{text}\"")
