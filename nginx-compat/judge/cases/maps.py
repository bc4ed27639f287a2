"""Variables that the configuration defines: map, geo and split_clients."""

from casebook import case, configurations, requests

MAPS = r"""
map $arg_k $plain {
    default "default";
    one "value one";
    Two "value two";
    ~^re "regex";
    ~*^CASE "caseless";
    "~^n(?<digits>\d+)$" "number $1 $digits";
    ~^late "late regex";
    late "exact before regex";
    \~tilde "tilde";
    \default "the word";
    "" "empty";
    empty "";
    other $arg_other;
}
map $arg_k $no_default { one 1; ~^$ never; }
map $host $masked {
    hostnames;
    default none;
    .both.example both;
    *.leading.example leading;
    *.deep.leading.example deeper;
    www.* trailing;
    exact.example exact;
    ~^r\d+\.example$ regex;
}
map "$arg_k-$arg_other" $two { one-x "both"; default "neither"; }
map $plain $chained { "value one" "chained"; default "unchained"; }
map $arg_k $ends { ~(?<head>.+)-(?<tail>.+) "$tail/$head"; default -; }
map $request_method $method_class { default other; GET get; }
map $arg_k $last { default first; }
map $arg_k $last { default second; }
server {
    listen 127.0.0.1:%PORT%;
    location / { return 200 "[$plain] [$no_default] [$two] [$chained] [$ends] [$method_class] [$last]\n"; }
    location /masks { return 200 "$masked\n"; }
    location /set { set $plain changed; return 200 "[$plain] [$chained]\n"; }
    location ~ ^/groups/(.*)$ { return 200 "$plain $1\n"; }
    location ~ ^/lang/(?<lang>[a-z]+)/ { return 200 "$lang $1\n"; }
}
"""

requests("maps", MAPS, [
    ("exact", "/?k=one"),
    ("exact in another case", "/?k=tWO"),
    ("regular expression", "/?k=rex"),
    ("regular expression in another case", "/?k=REx"),
    ("regular expression without case", "/?k=case"),
    ("groups", "/?k=n42"),
    ("exact before regular expression", "/?k=late"),
    ("first regular expression", "/?k=later"),
    ("escaped tilde", "/?k=~tilde"),
    ("escaped default", "/?k=default"),
    ("empty", "/?k="),
    ("absent", "/"),
    ("empty value", "/?k=empty"),
    ("value of a variable", "/?k=other&other=x"),
    ("source of two variables", "/?k=one&other=x"),
    ("named groups", "/?k=a-b"),
    ("default", "/?k=nothing"),
    ("set over a map", "/set?k=one"),
    ("groups of a map take the place of those of a location", "/groups/x?k=n7"),
    ("groups of a location without a map's", "/groups/x?k=one"),
    ("named group of a location", "/lang/de/x"),
    *[(f"mask: {host}", "/masks", host) for host in (
        "both.example", "a.both.example", "leading.example", "a.leading.example", "a.deep.leading.example",
        "www.anything", "www.both.example", "exact.example", "EXACT.example.", "r12.example", "other")],
])

GEO = r"""
geo $arg_ip $network {
    default none;
    10.0.0.0/8 ten;
    10.1.0.0/16 ten-one;
    10.1.2.3 host;
    10.2.0.0/16 gone;
    delete 10.2.0.0/16;
    2001:db8::/32 six;
    2001:db8:1::/48 six-one;
    255.255.255.255 last;
}
geo $arg_ip $range {
    ranges;
    default none;
    10.0.0.0-10.3.0.9 wide;
    10.1.0.5-10.1.0.9 narrow;
    11.0.0.1-11.0.0.1 one;
}
geo $client { default other; 127.0.0.0/8 local; }
geo $behind { proxy 127.0.0.1; default other; 127.0.0.0/8 local; 10.0.0.0/8 ten; 11.0.0.0/8 eleven; }
geo $far_behind { proxy 127.0.0.1; proxy 10.0.0.0/8; proxy_recursive; default other; 10.0.0.0/8 ten; 11.0.0.0/8 eleven; }
geo $nothing { 1.1.1.1 x; }
server {
    listen 127.0.0.1:%PORT%;
    return 200 "[$network] [$range] [$client] [$behind] [$far_behind] [$nothing]\n";
}
"""

requests("maps", GEO, [
    *[(f"geo: {address}", f"/?ip={address}") for address in (
        "10.9.9.9", "10.1.1.1", "10.1.2.3", "10.2.0.1", "10.1.0.4", "10.1.0.5", "10.1.0.10", "10.3.0.9", "10.3.0.10",
        "11.0.0.1", "255.255.255.255", "2001:db8:2::1", "2001:db8:1::1", "::ffff:10.1.2.3", "nonsense", "")],
    *[(f"geo: forwarded for {names}", "/", "example.org", f"X-Forwarded-For: {names}") for names in (
        "10.0.0.1", "11.0.0.1, 10.0.0.1", "10.0.0.1, 11.0.0.1", "12.0.0.1, 11.0.0.1,10.0.0.1", "nonsense", "11.0.0.1, ")],
])

SPLIT = r"""
split_clients $arg_k $variant { 0.5% a; 20% b; 33.33% c; 0.01% d; * e; }
split_clients "$host$arg_k" $salted { 50% a; 25% b; }
server { listen 127.0.0.1:%PORT%; return 200 "$variant [$salted]\n"; }
"""


@case(SPLIT)
def keys_are_split_alike(t):
    keys = range(0, 20 * 7919, 7919)
    t.raw("".join(f"GET /?k=client-{key} HTTP/1.1\r\nHost: x\r\n\r\n" for key in keys).encode(), len(keys))


# Many keys in one request: each variable has its own share of them.
SPREAD = range(100)
MANY = "\n".join(
    f"split_clients $arg_k-{index} $v{index} {{ 0.5% a; 20% b; 33.33% c; 0.01% d; * e; }}" for index in SPREAD
) + """
server { listen 127.0.0.1:%PORT%; return 200 "%VALUES%\n"; }
""".replace("%VALUES%", "".join(f"$v{index}" for index in SPREAD))


@case(MANY)
def ten_thousand_keys_are_split_alike(t):
    t.raw("".join(f"GET /?k=client-{key} HTTP/1.1\r\nHost: x\r\n\r\n" for key in range(100)).encode(), 100)


configurations("maps", [
    ("conflicting entries", "map $host $x { a 1; A 2; }"),
    ("conflicting masks", "map $host $x { hostnames; .a.b 1; *.a.b 2; }"),
    ("invalid mask", "map $host $x { hostnames; a.*.b 1; }"),
    ("entry without a value", "map $host $x { a; }"),
    ("two defaults", "map $host $x { default 1; default 2; }"),
    ("map of no variable", "map $host $host { }"),
    ("invalid expression in a map", "map $host $x { ~( 1; }"),
    ("invalid network", "geo $x { 10.0.0.0/33 1; }"),
    ("duplicate network", "geo $x { 10.0.0.0/8 1; 10.0.0.0/8 2; }"),
    ("low address bits", "geo $x { 10.0.0.1/8 1; }"),
    ("nothing to delete", "geo $x { delete 10.0.0.0/8; }"),
    ("overlapping ranges", "geo $x { ranges; 10.0.0.5-10.0.0.9 1; 10.0.0.0-10.0.0.255 2; }"),
    ("ranges after networks", "geo $x { default 1; ranges; }"),
    ("more than all", "split_clients $host $x { 50% a; 50.5% b; }"),
    ("invalid per cent", "split_clients $host $x { 1.234% b; }"),
])
