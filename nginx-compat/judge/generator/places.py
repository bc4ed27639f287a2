"""Features: locations of all kinds, names of servers, and what stands in `http` beside them (map, geo, split_clients)."""

from generator import vocabulary as words
from generator.maker import Place, feature
from generator.tree import Directive, block

AT_SERVER = ("server",)
UNDER_PREFIX = ("server", "prefix parent")
ANYWHERE = ("server", "prefix parent", "regex parent")


def prefix_of(maker, parent):
    """A prefix, within the parent's if there is one."""
    if parent and parent.location == "prefix":
        return parent.text.rstrip("/") + maker.pick(("/", "/a", "/b", "/x.txt", "/files/", "/sub/", "/v1"))
    return maker.pick(words.PREFIXES)


def inside(parent, location, text, captures=0):
    """A place in a location of this kind; what a parent's expression captured can still be used."""
    return Place("location", location, text, captures or (parent.captures if parent else 0))


@feature("location =", "location", UNDER_PREFIX, 3, "location = /a { return 200 x; }")
def location_exact(maker, parent):
    text = prefix_of(maker, parent) if parent else maker.pick(words.EXACT)
    return f"= {text}", inside(parent, "exact", text)


@feature("location", "location", UNDER_PREFIX, 6, "location /a { return 200 x; }")
def location_prefix(maker, parent):
    text = prefix_of(maker, parent)
    return text, inside(parent, "prefix", text)


@feature("location ^~", "location", UNDER_PREFIX, 2, "location ^~ /a { return 200 x; }")
def location_without_regexes(maker, parent):
    text = prefix_of(maker, parent)
    return f"^~ {text}", inside(parent, "prefix", text)


@feature("location ~", "location", ANYWHERE, 4, "location ~ ^/(a|b)$ { return 200 $1; }")
def location_regex(maker, parent):
    text, captures = maker.regex()
    return f"~ \"{text}\"", inside(parent, "regex", text, captures)


@feature("location ~*", "location", ANYWHERE, 2, "location ~* ^/(a|b)$ { return 200 $1; }")
def location_regex_any_case(maker, parent):
    text, captures = maker.regex()
    return f"~* \"{text}\"", inside(parent, "regex", text, captures)


# Only their probes count: other features ask whether they are there.
@feature("location @named", "switch", (), 1, "location @n0 { return 200 x; } location / { error_page 404 = @n0; }")
def location_named(_maker, _place):
    return None


@feature("look-around", "switch", (), 1, r'location ~ "^/(?!api)(\w)\1" { return 200 x; }')
def look_around(_maker, _place):
    return None


@feature("merge_slashes", "switch", (), 1, "merge_slashes off;")
def merge_slashes(_maker, _place):
    return None


@feature("server_name, exact", "server name", AT_SERVER, 3, "server_name a.example b.example;")
def server_name_exact(_maker, number):
    return f"www{number}.%R%.test", [f"www{number}.%R%.test", f"WWW{number}.%R%.test"]


@feature("server_name, *.name", "server name", AT_SERVER, 3, "server_name *.a.example;")
def server_name_wild_before(_maker, number):
    return f"*.s{number}.%R%.test", [f"a.s{number}.%R%.test", f"a.b.s{number}.%R%.test", f"s{number}.%R%.test"]


@feature("server_name, .name", "server name", AT_SERVER, 2, "server_name .a.example;")
def server_name_dot(_maker, number):
    return f".d{number}.%R%.test", [f"a.d{number}.%R%.test", f"d{number}.%R%.test"]


@feature("server_name, name.*", "server name", AT_SERVER, 2, "server_name a.*;")
def server_name_wild_after(_maker, number):
    return f"e{number}.%R%.*", [f"e{number}.%R%.org", f"e{number}.%R%.co.uk", f"e{number}.%R%"]


@feature("server_name, ~regex", "server name", AT_SERVER, 3, r'server_name "~^(?<sub>\w+)\.a\.example$"; return 200 $sub;')
def server_name_regex(maker, number):
    maker.variables.append("host_part")
    hosts = [f"{first}.r{number}.%R%.test" for first in ("a", "beta", "a-b")]
    return f"\"~^(?<host_part>\\w+)\\.r{number}\\.%R%\\.test$\"", hosts


def source(maker):
    """What a map or a split looks at."""
    known = [name for name in ("uri", "arg_a", "http_x_flag", "host", "request_method", "cookie_c", "args", "request_uri")
             if name in maker.known_variables]
    text = "$" + maker.pick(known)
    return f"\"{text}:${maker.pick(known)}\"" if maker.chance(15) else text


def value(maker, captures=0):
    """What a map results in: text, a path, another variable or a group."""
    if captures and maker.chance(60):
        return f"\"{maker.pick(words.WORDS)}-${maker.random.randint(1, captures)}\""
    if maker.variables and maker.chance(10):
        return "$" + maker.pick(maker.variables)
    if maker.chance(25):
        return maker.path()
    return maker.pick(("alpha", "beta", "x", "1", "0", "\"\"", "\"two words\""))


def named(maker, kind):
    name = f"{kind}{len(maker.variables)}_%R%"
    maker.variables.append(name)
    return name


@feature("map", "http", ("http",), 5, "return 200 $probed;", "map $uri $probed { default x; /a y; }")
def map_of_strings(maker, _place, regexes=False, hostnames=False):
    keys = ["hostnames"] if hostnames else []
    entries = [Directive("hostnames")] if hostnames else []
    looked_at = "$host" if hostnames and maker.chance(70) else source(maker)
    if maker.chance(70):
        entries.append(Directive(f"default {value(maker)}"))
    for _ in range(maker.random.randint(1, 5)):
        captures = 0
        if regexes and maker.chance(60):
            text, captures = maker.regex()
            key = f"\"{maker.pick(('~', '~', '~*'))}{text}\""
        elif hostnames:
            key = maker.pick(("*.%R%.test", ".test", "%R%.*", "%R%.test", "www1.%R%.test", "*.s1.%R%.test"))
        else:
            key = maker.pick(("alpha", "beta", "x", "1", "GET", "POST", "/", "/a", "/a/", "/x.txt", "\"\"", "A", "%R%.test",
                              "\\default", "on", "Alpha", "a:GET"))
        if key.lower() not in keys:
            keys.append(key.lower())
            entries.append(Directive(f"{key} {value(maker, captures)}"))
    if maker.chance(8):
        entries.append(Directive("volatile"))
    return block(f"map {looked_at} ${named(maker, 'm')}", *entries)


@feature("map with regexes", "http", ("http",), 5, "return 200 $probed;",
         r'map $uri $probed { default x; "~^/(\w+)" "got-$1"; ~*\.PNG$ $args; }')
def map_of_regexes(maker, place):
    return map_of_strings(maker, place, regexes=True)


@feature("map with hostnames", "http", ("http",), 2, "return 200 $probed;",
         "map $host $probed { hostnames; default x; *.example.org y; .test z; }")
def map_of_hostnames(maker, place):
    return map_of_strings(maker, place, hostnames=True)


@feature("geo", "http", ("http",), 2, "return 200 $probed;", "geo $arg_ip $probed { default x; 10.0.0.0/8 y; 2001:db8::/32 z; }")
def geo(maker, _place):
    addresses = maker.some(("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/24", "2001:db8::/32", "127.0.0.1/32"), 1, 4)
    entries = [Directive(f"{address} {maker.pick(('alpha', 'beta', '1', 'x'))}") for address in addresses]
    if maker.chance(70):
        entries.insert(0, Directive(f"default {maker.pick(('none', 'x', '0'))}"))
    if maker.chance(30) and "10.1.2.3" in addresses:
        entries.append(Directive("delete 10.1.2.3"))
    return block(f"geo {maker.pick(('$arg_ip ', '$arg_ip ', ''))}${named(maker, 'g')}", *entries)


@feature("geo with ranges", "http", ("http",), 1, "return 200 $probed;",
         "geo $arg_ip $probed { ranges; default x; 10.0.0.0-10.1.255.255 y; }")
def geo_of_ranges(maker, _place):
    entries = [Directive("ranges"), Directive("default none")]
    spans = ("10.0.0.0-10.0.255.255", "10.1.0.0-10.1.2.3", "192.0.2.0-192.0.2.8", "192.0.2.9-192.0.2.255")
    entries += [Directive(f"{span} {maker.pick(('alpha', 'beta'))}") for span in maker.some(spans, 1, 3)]
    return block(f"geo $arg_ip ${named(maker, 'g')}", *entries)


@feature("split_clients", "http", ("http",), 3, "return 200 $probed;", "split_clients $arg_a $probed { 20% x; 0.5% z; * y; }")
def split_clients(maker, _place):
    shares = maker.pick((("50%", "*"), ("10%", "20.5%", "*"), ("0.01%", "99.9%"), ("33.33%", "33.33%", "*"), ("5%", "5%")))
    entries = [Directive(f"{share} {maker.pick(('alpha', 'beta', '.a', words.EMPTY, 'x'))}") for share in shares]
    return block(f"split_clients {source(maker)} ${named(maker, 'c')}", *entries)


@feature("upstream", "http", ("http",), 2, "location / { proxy_pass http://probed; }", "upstream probed { server 127.0.0.1:9; }")
def upstream(maker, _place):
    maker.upstreams = getattr(maker, "upstreams", 0) + 1
    return block(f"upstream u{maker.upstreams}_%R%", Directive(f"server {maker.pick(('%A%', '%B%'))}"))
