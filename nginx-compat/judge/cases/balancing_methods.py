"""The balancing methods: which server of an upstream is asked.

Probes are turned off here, as in `upstreams.py`. Where answers are counted instead of compared one by one, the
transcript says whether the counts are as they should be.
"""

from casebook import case, configurations
from upstream import stall


def upstream(method, servers, log=True):
    """Servers as in an upstream block below its method; `log` logs every try."""
    logged = """log_format judge "$status $upstream_addr $upstream_status";
access_log %DIR%/judge.access judge;""" if log else ""
    return f"""
{logged}
upstream u {{
    #lb: health_check off;
    {method}
    {servers}
}}
server {{ listen 127.0.0.1:%PORT%;
    location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; }}
}}"""


def ask(t, count):
    for _ in range(count):
        t.get("/")


# least_conn.


def keep_asking(t, count):
    """Requests one after the other, all of which stay in flight."""
    for server in (t.a, t.b, t.c, t.d):
        server.behave = stall
    for number in range(count):
        t.connect().send(f"GET /{number} HTTP/1.1\r\nHost: example.org\r\n\r\n")
        t.eventually(f"request {number} reached a server", lambda: t.seen() > number)


@case(upstream("least_conn;", "server %A%; server %B%; server %C%;", log=False))
def least_conn_fills_the_idle_servers(t):
    keep_asking(t, 11)


@case(upstream("least_conn;", "server %A% weight=3; server %B%; server %C% weight=2;", log=False))
def least_conn_divides_by_the_weights(t):
    keep_asking(t, 14)


@case(upstream("least_conn;", "server %A%; server %B% down; server %C% backup; server %D%;", log=False))
def least_conn_asks_no_backup_while_a_server_is_up(t):
    keep_asking(t, 5)


@case(upstream("least_conn;", "server %A% weight=3; server %B% weight=2;"))
def least_conn_without_load_is_round_robin(t):
    ask(t, 10)


@case(upstream("least_conn;", "server %DEAD%; server %A%; server %B%;"))
def least_conn_tries_the_next(t):
    ask(t, 6)


@case(upstream("least_conn;", "server %DEAD%; server %A% backup; server %B% backup;"))
def least_conn_among_backups(t):
    ask(t, 4)


# ip_hash. The key is a network: a client per network, from all over the loopback one.


def networks(t, count):
    """A request from each of so many networks; what came back is one line of servers' names."""
    names = ""
    for number in range(count):
        source = f"127.{number * 13 % 256}.{number * 7 % 256}.{number % 254 + 1}"
        connection = t.connect(source=source, write=lambda *lines: None)
        answer = connection.send("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").read()
        names += answer.body.decode().strip() if answer and answer.status == 200 else "-"
        connection.close()
    t.note(names)


@case(upstream("ip_hash;", "server %A%; server %B%; server %C%;"))
def ip_hash(t):
    networks(t, 300)


@case(upstream("ip_hash;", "server %A% weight=5; server %B% weight=2; server %C%; server %D% down;"))
def ip_hash_with_weights_and_a_server_down(t):
    networks(t, 300)


@case(upstream("ip_hash;", "server %A% fail_timeout=60s; server %DEAD% fail_timeout=60s; server %C%;"))
def ip_hash_with_a_dead_server(t):
    networks(t, 100)


@case(upstream("ip_hash;", "server %A%; server %B%; server %C%;"))
def ip_hash_after_a_server_has_gone(t):
    networks(t, 30)
    t.b.stop()
    networks(t, 60)


@case(upstream("ip_hash;", "server %A%; server %DEAD%;"))
def ip_hash_of_one_client(t):
    ask(t, 4)


@case(upstream("server %B% backup; server %DEAD%; ip_hash;", "server %DEAD% weight=2;"))
def ip_hash_with_a_backup_above_it(t):
    networks(t, 12)


# hash.


def keys(t, count):
    """A request for each of so many keys, on one connection; what came back is one line of servers' names."""
    connection = t.connect(write=lambda *lines: None)
    names = ""
    for number in range(count):
        answer = connection.send(f"GET /?k=key-{number} HTTP/1.1\r\nHost: example.org\r\n\r\n").read()
        names += answer.body.decode().strip() if answer and answer.status == 200 else "-"
    connection.close()
    t.note(names)


@case(upstream("hash $arg_k;", "server %A%; server %B%; server %C%;"))
def hash(t):
    keys(t, 300)


@case(upstream("hash $arg_k;", "server %A% weight=5; server %B% weight=2; server %C%; server %D% down;"))
def hash_with_weights_and_a_server_down(t):
    keys(t, 300)


@case(upstream("hash $arg_k;", "server %A% fail_timeout=60s; server %DEAD% fail_timeout=60s; server %C%;"))
def hash_with_a_dead_server(t):
    keys(t, 100)


@case(upstream("hash $arg_k;", "server %A%; server %B%; server %C% max_fails=0;"))
def hash_after_servers_have_gone(t):
    keys(t, 30)
    t.a.stop()
    t.c.stop()
    keys(t, 60)


@case(upstream("hash $arg_k;", "server %A% down; server %B% weight=40; server %A% down; server %C%;"))
def hash_goes_over_to_round_robin(t):
    t.b.stop()
    keys(t, 40)


@case(upstream("hash $http_key$arg_k;", "server %A%; server %B%; server %C%;"))
def hash_without_a_key(t):
    ask(t, 5)
    for key in ("one", "two", "three", ""):
        t.get("/", "example.org", f"Key: {key}")
        t.get("/", "example.org", f"Key: {key}")


# hash consistent.


@case(upstream("hash $arg_k consistent;", "server %A%; server %B%; server %C%;"))
def consistent_hash(t):
    keys(t, 300)


@case(upstream("hash $arg_k consistent;", "server %A% weight=5; server %B% weight=2; server %C%; server %D% down;"))
def consistent_hash_with_weights_and_a_server_down(t):
    keys(t, 300)


@case(upstream("hash $arg_k consistent;", "server %A% fail_timeout=60s; server %DEAD% fail_timeout=60s; server %C%;"))
def consistent_hash_with_a_dead_server(t):
    keys(t, 100)


@case(upstream("hash $arg_k consistent;", "server %A%; server %B%; server %C% max_fails=0;"))
def consistent_hash_after_servers_have_gone(t):
    keys(t, 30)
    t.a.stop()
    t.c.stop()
    keys(t, 60)


@case(upstream("hash $arg_k consistent;", "server %A%; server %A%; server %B% weight=2;"))
def consistent_hash_of_a_server_named_twice(t):
    keys(t, 60)


@case(upstream("hash $http_key consistent;", "server %A%; server %B%; server %C%;"))
def consistent_hash_without_a_key(t):
    ask(t, 5)


# random. Which server is drawn cannot be compared, only how often.


def count(t, requests):
    """How often each server answered."""
    counts = {}
    connection = t.connect(write=lambda *lines: None)
    for _ in range(requests):
        answer = connection.send("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").read()
        name = answer.body.decode().strip() if answer and answer.status == 200 else "-"
        counts[name] = counts.get(name, 0) + 1
    connection.close()
    return counts


def note_shares(t, counts, expected, within):
    """Notes whether each server answered so many requests, with so much allowed for chance."""
    assert counts.keys() == expected.keys(), counts
    for name, share in expected.items():
        t.note(f"{name}: " + (f"about {share}" if abs(counts[name] - share) < within else f"{counts[name]}"))


# Six deviations of the binomial distribution are 62 and less.
@case(upstream("random;", "server %A% weight=2; server %B%; server %C%; server %D% down;", log=False))
def random_by_weight(t):
    t.forget("/")
    note_shares(t, count(t, 400), {"A": 200, "B": 100, "C": 100}, 63)


@case(upstream("random two;", "server %A%; server %B%; server %C%;", log=False))
def random_two_without_load(t):
    t.forget("/")
    note_shares(t, count(t, 300), {"A": 100, "B": 100, "C": 100}, 55)


@case(upstream("random two least_conn;", "server %A%; server %B%;", log=False))
def random_two_fills_both_servers(t):
    # Of two servers both are drawn: the idler one is asked, so that none is ever two requests ahead.
    for server in (t.a, t.b):
        server.behave = stall
    for number in range(0, 12, 2):
        for one in (number, number + 1):
            t.connect().send("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
            t.eventually(f"request {one} reached a server", lambda: t.seen() > one)
        t.note(f"in flight: {t.a.connections} and {t.b.connections}")
    t.forget("/")


@case(upstream("random;", "server %A%; server %DEAD% fail_timeout=60s;", log=False))
def random_tries_the_next(t):
    t.forget("/")
    note_shares(t, count(t, 60), {"A": 60}, 1)


configurations("balancing_methods", [
    (f"least_conn in a file: {text}", f"upstream u {{ {text} }}") for text in (
        "server %A%; least_conn;",
        "least_conn; server %A% weight=3; server %B% backup;",
        "least_conn; server %A%; least_conn;",
        "least_conn 1; server %A%;",
        "least_conn { } server %A%;",
    )
])

configurations("balancing_methods", [
    (f"ip_hash in a file: {text}", f"upstream u {{ {text} }}") for text in (
        "ip_hash; server %A%;",
        "ip_hash; server %A%; server %B% backup;",
        "server %A%; server %B% backup; ip_hash;",
        "ip_hash; least_conn; server %A%; server %B% backup;",
        "ip_hash on; server %A%;",
    )
])

configurations("balancing_methods", [
    (f"hash in a file: {text}", f"upstream u {{ {text} }}") for text in (
        "hash $arg_k; server %A%;",
        "hash constant; server %A%;",
        "hash $arg_k consistent; server %A%;",
        "hash $arg_k consistent more; server %A%;",
        "hash $arg_k consistent; server %A%; server %B% backup;",
        "hash; server %A%;",
        "hash $; server %A%;",
        "hash $arg_k continuous; server %A%;",
        "hash $arg_k; server %A%; server %B% backup;",
    )
])

configurations("balancing_methods", [
    (f"random in a file: {text}", f"upstream u {{ {text} }}") for text in (
        "random; server %A%;",
        "random two; server %A%;",
        "random two least_conn; server %A%;",
        "random three; server %A%;",
        "random two most_conn; server %A%;",
        "random two least_conn more; server %A%;",
        "random; server %A%; server %B% backup;",
    )
])
