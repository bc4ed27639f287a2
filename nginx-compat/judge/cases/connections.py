"""Client connections: how many requests, how long, in what order."""

import time

from casebook import case
from upstream import answer, stall

PROXIED = "server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; } location /r { return 200 \"r $request_uri\\n\"; } }"


def ask(path="/", *fields, version="1.1"):
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: h", *fields]) + "\r\n\r\n"


@case(PROXIED)
def several_requests(t):
    connection = t.connect()
    for path in ("/1", "/r", "/2", "/r?2"):
        connection.send(ask(path)).read()
    connection.end()


@case(PROXIED)
def pipelining(t):
    t.a.behave = lambda request, connection: answer(request.target)(request, connection)
    t.raw(ask("/1") + ask("/r") + ask("/2") + ask("/3"), 4)


@case(PROXIED)
def pipelining_after_a_body(t):
    post = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    t.raw(post + ask("/1") + post + ask("/r"), 4)


@case(PROXIED)
def pipelining_after_a_chunked_body(t):
    post = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    t.raw(post + ask("/1") + ask("/r"), 3)


@case(PROXIED)
def pipelining_ends_with_close(t):
    t.raw(ask("/1") + ask("/2", "Connection: close") + ask("/3"), 2)


@case(PROXIED)
def pipelined_request_that_is_wrong(t):
    t.raw(ask("/1") + "GET /2\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 2)


@case(PROXIED)
def second_request_arrives_while_the_first_runs(t):
    def slow(request, connection):
        time.sleep(0.3)
        return answer(request.target)(request, connection)

    t.a.behave = slow
    connection = t.connect().send(ask("/1"))
    t.wait(0.1)
    connection.send(ask("/2"))
    connection.read()
    connection.read()
    connection.end()


@case(PROXIED)
def half_a_request_follows(t):
    connection = t.connect().send(ask("/1") + "GET /2 HT")
    connection.read()
    t.wait(0.1)
    connection.send("TP/1.1\r\nHost: h\r\n\r\n").read()
    connection.end()


@case(PROXIED)
def empty_lines_between_requests(t):
    t.raw(ask("/1") + "\r\n\r\n" + ask("/2"), 2)


@case(PROXIED)
def connection_close(t):
    t.raw(ask("/1", "Connection: close"))
    t.raw(ask("/r", "Connection: CLOSE"))


@case(PROXIED)
def http_1_0(t):
    t.raw(ask("/1", version="1.0"))
    t.raw(ask("/r", version="1.0"))


@case(PROXIED)
def http_1_0_keep_alive(t):
    t.raw(ask("/1", "Connection: keep-alive", version="1.0"))
    t.raw(ask("/r", "Connection: Keep-Alive", version="1.0"))


@case("server { listen 127.0.0.1:%PORT%; keepalive_requests 2; location / { proxy_pass http://%A%; } }")
def keepalive_requests(t):
    connection = t.connect()
    for path in ("/1", "/2", "/3"):
        connection.send(ask(path)).read()
    connection.end()


@case("server { listen 127.0.0.1:%PORT%; keepalive_timeout 0; location / { proxy_pass http://%A%; } }")
def keepalive_timeout_0(t):
    t.raw(ask("/1"))


@case("server { listen 127.0.0.1:%PORT%; keepalive_timeout 1s; location / { proxy_pass http://%A%; } }")
def keepalive_timeout_1(t):
    connection = t.connect().send(ask("/1"))
    connection.read()
    started = time.monotonic()
    connection.read()
    t.note(f"closed after 0.8 to 2.5 s: {0.8 < time.monotonic() - started < 2.5}")


@case("""
server { listen 127.0.0.1:%PORT%; location / { keepalive_timeout 0; return 200 "closes"; } location /keep { return 200 "keeps"; } }
""")
def keepalive_timeout_of_a_location(t):
    connection = t.connect()
    connection.send(ask("/keep")).read()
    connection.send(ask("/")).read()
    connection.end()


EXPECT = """
server { listen 127.0.0.1:%PORT%; client_max_body_size 10;
    location / { proxy_pass http://%A%; }
    location /r { return 200 "r"; }
}"""


@case(EXPECT)
def expect_continue(t):
    connection = t.connect().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    t.wait(0.2)
    connection.send("hello").read()
    connection.end()


@case(EXPECT)
def expect_continue_with_the_body_at_once(t):
    t.raw("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")


@case(EXPECT)
def expect_continue_chunked(t):
    connection = t.connect().send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n")
    t.wait(0.2)
    connection.send("5\r\nhello\r\n0\r\n\r\n").read()
    connection.end()


@case(EXPECT)
def expect_continue_and_too_large(t):
    connection = t.connect().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
    connection.read()
    connection.half_close().end()


@case(EXPECT)
def expect_continue_of_a_return(t):
    connection = t.connect().send("POST /r HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    connection.read()
    connection.send("hello" + ask("/r")).read()
    connection.end()


@case(EXPECT)
def expect_continue_in_http_1_0(t):
    t.raw("POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")


LOGGED = """
log_format judge "$status $request $upstream_status";
access_log %DIR%/judge.access judge;
""" + PROXIED


@case(LOGGED)
def client_leaves_while_the_upstream_works(t):
    t.a.behave = stall
    connection = t.connect().send(ask("/1"))
    t.wait(0.2)
    connection.close()
    t.wait(0.3)
    t.a.behave = answer("still here")
    t.get("/2")


@case(LOGGED)
def client_half_closes_while_the_upstream_works(t):
    def slow(request, connection):
        time.sleep(0.4)
        return answer("late")(request, connection)

    t.a.behave = slow
    connection = t.connect().send(ask("/1"))
    t.wait(0.2)
    connection.half_close().read()


@case(LOGGED)
def client_leaves_in_the_middle_of_its_body(t):
    connection = t.connect().send("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
    t.wait(0.1)
    connection.close()
    t.wait(0.2)


@case(LOGGED)
def client_leaves_in_the_middle_of_its_header(t):
    connection = t.connect().send("GET /1 HTTP/1.1\r\nHost:")
    t.wait(0.1)
    connection.close()
    t.wait(0.2)
