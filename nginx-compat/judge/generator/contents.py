"""Features: what answers a request: return, a pass to a server, files."""

from generator import vocabulary as words
from generator.maker import feature
from generator.tree import Directive

BLOCKS = ("location", "if")
EVERYWHERE = ("location", "if", "server-if")
WWW = "%DIR%/www"


@feature("return code", "content", EVERYWHERE, 2, "location / { return 404; }")
def return_code(maker, _place):
    return Directive(f"return {maker.pick(words.CODES)}")


@feature("return text", "content", EVERYWHERE, 5, 'location / { return 200 "x"; }')
def return_text(maker, place):
    code = maker.pick((200, 200, 200, 200, 201, 202, 403, 404, 410, 503, 204))
    return Directive(f"return {code} \"{maker.template(place, 5)}\"")


@feature("return redirect", "content", EVERYWHERE, 3, "location / { return 301 /a; }")
def return_redirect(maker, place):
    where = maker.pick(("", "", "http://elsewhere.example", "https://$host", "$scheme://$http_host"))
    if "$" in where and "http_host" not in maker.known_variables:
        where = ""
    code = maker.pick((301, 302, 303, 307, 308))
    return Directive(f"return {code} {where}{maker.uri(place)}")


@feature("return URL", "content", EVERYWHERE, 1, "location / { return http://elsewhere.example/; }")
def return_url(maker, place):
    return Directive(f"return {maker.pick(('http', 'https'))}://elsewhere.example{maker.uri(place)}")


@feature("return 444", "content", EVERYWHERE, 1, "location / { return 444; }")
def return_nothing(maker, _place):
    return Directive("return 444") if maker.chance(30) else None


def server(maker):
    groups = [f"u{number + 1}_%R%" for number in range(getattr(maker, "upstreams", 0))]
    if groups and maker.chance(50):
        return maker.pick(groups)
    return "%DEAD%" if maker.chance(8) else maker.pick(("%A%", "%B%"))


def with_redirects(maker, place, passed):
    """What NGINX takes below a pass alone, and where redirects are not off."""
    says = place.kind == "location" and maker.has("proxy_redirect default") and maker.chance(15)
    if not says or not place.used.isdisjoint({"proxy_redirect off"}):
        return passed
    place.used.add("proxy_redirect")
    return [passed, Directive("proxy_redirect default")]


@feature("proxy_pass", "content", BLOCKS, 6, "location / { proxy_pass http://127.0.0.1:9; }")
def proxy_pass(maker, place):
    place.passes = True
    return with_redirects(maker, place, Directive(f"proxy_pass http://{server(maker)}"))


@feature("proxy_pass with a URI", "content", ("location",), 4, "location /a/ { proxy_pass http://127.0.0.1:9/b/; }")
def proxy_pass_uri(maker, place):
    if place.location not in ("prefix", "exact"):
        return proxy_pass(maker, place)
    place.passes = True
    uri = maker.pick(("/", "/base/", "/base", "/a/b/", "/sp%20ace/", "/x?y=z"))
    return with_redirects(maker, place, Directive(f"proxy_pass http://{server(maker)}{uri}"))


@feature("proxy_pass with variables", "content", BLOCKS, 4, "location / { proxy_pass http://127.0.0.1:9$uri; }")
def proxy_pass_variables(maker, place):
    place.passes = True
    rest = maker.pick(("$request_uri", "$uri", "$uri$is_args$args", "/base$uri", "/base/$arg_a", "/fixed$is_args", "?$args", ""))
    if place.captures and maker.chance(50):
        rest = maker.pick(("/$1", "/base/$1$is_args$args", "/$1?x=1"))
    if not rest:
        groups = [name for name in maker.variables if name.startswith("m")]
        return Directive(f"proxy_pass http://{server(maker)}${maker.pick(groups)}") if groups else proxy_pass(maker, place)
    return Directive(f"proxy_pass http://{server(maker)}{rest}")


def rooted(maker, place):
    """A root that may stand here."""
    if not place.once("root"):
        return []
    return [Directive(f"root {maker.pick((WWW, WWW, WWW, WWW + '/a', WWW + '/sub', WWW + '/', WWW + '/none'))}")]


@feature("root", "content", BLOCKS, 6, "location / { root /tmp; }")
def files(maker, place):
    return rooted(maker, place)


@feature("root with variables", "content", BLOCKS, 1, "location / { root /tmp/$arg_a; }")
def files_by_variable(maker, place):
    return Directive(f"root {WWW}/{maker.pick(('$arg_a', '$http_x_flag', '$cookie_c'))}") if place.once("root") else None


@feature("alias", "content", ("location",), 4, "location /a/ { alias /tmp/; }")
def alias(maker, place):
    if place.location == "named" or not place.once("root"):
        return None
    place.once("alias")
    if place.location == "regex":
        # Without a group every path would be the one file.
        return Directive(f"alias {WWW}/{'$1' if place.captures else 'x.txt'}")
    if place.location == "exact":
        return Directive(f"alias {WWW}/{maker.pick(('x.txt', 'a/x.txt', 'a/', 'none'))}")
    ending = "/" if place.text.endswith("/") or maker.chance(20) else ""
    return Directive(f"alias {WWW}/{maker.pick(('a', 'files', 'sub', 'a/b', 'none'))}{ending}")


@feature("try_files", "content", ("location",), 6, "location / { root /tmp; try_files $uri $uri/ /a; }")
def try_files(maker, place):
    directives = rooted(maker, place) if "alias" not in place.used and maker.chance(80) else []
    tried = maker.some(("$uri", "$uri/", "$uri.html", "/x.txt", "$uri/index.html", "/files$uri", "$document_uri", "/a/", "/none"),
                       1, 3)
    if place.captures and maker.chance(40):
        tried.insert(0, maker.pick(("/$1", "/a/$1", "/$1/")))
    last = ["=404", "=403", "/index.html", "/a/index.html?z=$args", maker.path(), *maker.named]
    return [*directives, Directive(f"try_files {' '.join(tried)} {maker.pick(last)}")]


@feature("autoindex", "content", ("location",), 1, "location / { root /tmp; autoindex on; }")
def autoindex(maker, place):
    if not place.once("index"):
        return None
    form = [Directive(f"autoindex_format {maker.pick(('html', 'json', 'xml'))}")] if maker.chance(40) else []
    exact = [Directive("autoindex_exact_size off")] if maker.chance(30) else []
    return [*rooted(maker, place), Directive("autoindex on"), Directive("index none.html"), *form, *exact]


@feature("nothing of its own", "content", BLOCKS, 2, "")
def nothing(_maker, _place):
    return []
