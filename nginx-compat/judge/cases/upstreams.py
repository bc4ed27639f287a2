"""Which server of an upstream answers, and what happens when one does not.

Probes are turned off here (`#lb: health_check off`): with them lb would know of a dead server before the first
request does, and there would be nothing to compare.
"""

import time

from casebook import case
from upstream import answer, hang_up, in_turn, raw, reset, stall


def upstream(servers, location="", block=""):
    """Servers as in an upstream block, behind one location; every try is logged."""
    return f"""
log_format judge "$status $upstream_addr $upstream_status";
access_log %DIR%/judge.access judge;
upstream u {{
    #lb: health_check off;
    {servers}
    {block}
}}
server {{ listen 127.0.0.1:%PORT%;
    location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; {location} }}
}}"""


def ask(t, count, *fields, **asked):
    for _ in range(count):
        t.get("/", "example.org", *fields, **asked)


@case(upstream("server %A%; server %B%; server %C%; server %D%;"))
def round_robin(t):
    ask(t, 9)


@case(upstream("server %A% weight=5; server %B%; server %C%;"))
def weights_5_1_1(t):
    ask(t, 14)


@case(upstream("server %A% weight=3; server %B% weight=2;"))
def weights_3_2(t):
    ask(t, 10)


@case(upstream("server %A%; server %A%; server %B%;"))
def the_same_address_twice(t):
    ask(t, 6)


@case(upstream("server %A% down; server %B%;"))
def a_server_marked_down(t):
    ask(t, 3)


@case(upstream("server %A% down; server %B% down;"))
def all_marked_down(t):
    ask(t, 1)


@case(upstream("server %DEAD%; server %A%;"))
def refused_tries_the_next(t):
    ask(t, 3)


@case(upstream("server %DEAD%; server %A%;"))
def refused_tries_the_next_with_the_body(t):
    ask(t, 1, method="POST", body=b"y" * 200000)


@case(upstream("server %DEAD%;"))
def the_only_server_refuses(t):
    ask(t, 3)


@case("server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%DEAD%; } }")
def an_address_refuses(t):
    ask(t, 2)
    ask(t, 1, method="HEAD")


@case(upstream("server %A%; server %B%;"))
def all_refuse(t):
    t.a.stop()
    t.b.stop()
    ask(t, 2)


@case(upstream("server %A% fail_timeout=1s; server %B% fail_timeout=1s;"))
def all_refuse_and_come_back(t):
    t.a.stop()
    t.b.stop()
    ask(t, 2)
    t.a.start()
    t.b.start()
    t.wait(2.2)
    ask(t, 2)


@case(upstream("server %A% max_fails=1 fail_timeout=30s; server %B%;"))
def one_failure_takes_a_server_out(t):
    t.a.stop()
    ask(t, 2)
    t.a.start()
    ask(t, 3)


@case(upstream("server %A% max_fails=3 fail_timeout=30s; server %B%;"))
def three_failures_take_a_server_out(t):
    t.a.stop()
    ask(t, 12)


@case(upstream("server %A% max_fails=0; server %B%;"))
def max_fails_0_never_takes_it_out(t):
    t.a.stop()
    ask(t, 6)


@case(upstream("server %A% max_fails=1 fail_timeout=1s; server %B%;"))
def back_after_fail_timeout(t):
    t.a.stop()
    ask(t, 2)
    t.a.start()
    t.wait(2.2)
    ask(t, 4)


@case(upstream("server %A% max_fails=1 fail_timeout=1s; server %B%;"))
def still_dead_after_fail_timeout(t):
    t.a.stop()
    ask(t, 2)
    t.wait(2.2)
    ask(t, 4)


@case(upstream("server %A%; server %B% backup;"))
def backup_waits(t):
    ask(t, 3)


@case(upstream("server %A%; server %B% backup;"))
def backup_steps_in(t):
    t.a.stop()
    ask(t, 3)


@case(upstream("server %A%; server %B% backup; server %C% backup; server %D%;"))
def backups_take_turns(t):
    t.a.stop()
    t.d.stop()
    ask(t, 5)


@case(upstream("server %A% down; server %B% backup;"))
def backup_of_a_server_marked_down(t):
    ask(t, 2)


@case(upstream("server %A%; server %B%; server %C% backup;"))
def backup_refuses_too(t):
    for server in (t.a, t.b, t.c):
        server.stop()
    ask(t, 1)


@case(upstream("server %A%; server %B%;"))
def closed_without_an_answer_tries_the_next(t):
    t.a.behave = hang_up
    ask(t, 2)


@case(upstream("server %A%; server %B%;"))
def reset_tries_the_next(t):
    t.a.behave = reset
    ask(t, 2)


@case(upstream("server %A%; server %B%;"))
def a_post_is_not_sent_twice(t):
    t.a.behave = hang_up
    ask(t, 1, method="POST", body=b"once")


@case(upstream("server %A%; server %B%;"))
def a_patch_is_not_sent_twice(t):
    t.a.behave = hang_up
    ask(t, 1, method="PATCH", body=b"once")


@case(upstream("server %A%; server %B%;"))
def a_put_is_sent_twice(t):
    t.a.behave = hang_up
    ask(t, 1, method="PUT", body=b"twice")


@case(upstream("server %A%; server %B%;"))
def a_large_put_is_sent_twice(t):
    t.a.behave = hang_up
    ask(t, 1, method="PUT", body=b"z" * 300000)


@case(upstream("server %A%; server %B%;"))
def a_delete_is_sent_twice(t):
    t.a.behave = hang_up
    ask(t, 1, method="DELETE")


@case(upstream("server %A%; server %B%;"))
def garbage_is_no_reason_to_try_the_next(t):
    t.a.behave = raw(b"garbage\r\n\r\n", close=True)
    ask(t, 2)


@case(upstream("server %A%; server %B%;"))
def a_500_is_no_reason_to_try_the_next(t):
    t.a.behave = answer("oh", "500 Internal Server Error")
    ask(t, 4)


@case(upstream("server %A%; server %B%;", "proxy_read_timeout 1s;"))
def stall_tries_the_next(t):
    t.a.behave = stall
    ask(t, 2)


@case(upstream("server %A%;", "proxy_read_timeout 1s;"))
def stall_of_the_only_server(t):
    t.a.behave = stall
    ask(t, 1)


@case(upstream("server %A%; server %B%;", "proxy_read_timeout 1s;"))
def stall_of_all(t):
    t.a.behave = t.b.behave = stall
    ask(t, 1)


@case(upstream("server %A%; server %B%;", "proxy_read_timeout 1s;"))
def stall_of_a_post(t):
    t.a.behave = stall
    ask(t, 1, method="POST", body=b"once")


@case(upstream("server %A%; server %B%;", "proxy_next_upstream off;"))
def proxy_next_upstream_off(t):
    t.a.stop()
    ask(t, 3)


@case(upstream("server %A%; server %B%;", "proxy_next_upstream error; proxy_read_timeout 1s;"))
def proxy_next_upstream_error_alone(t):
    t.a.behave = stall
    ask(t, 1)
    t.b.behave = hang_up
    ask(t, 1)


@case(upstream("server %A%; server %B%;", "proxy_next_upstream timeout; proxy_read_timeout 1s;"))
def proxy_next_upstream_timeout_alone(t):
    t.a.behave = hang_up
    ask(t, 1)
    t.b.behave = stall
    ask(t, 1)


@case(upstream("server %A%; server %B%;"))
def no_second_try_after_the_answer_began(t):
    t.a.behave = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", close=True)
    ask(t, 2)


@case(upstream("server %A%;", block="keepalive 4;"))
def connections_are_kept(t):
    connection = t.connect()
    for _ in range(5):
        connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").read()
    t.note(f"A was asked on {t.a.connections} connections")


@case(upstream("server %A%;", block="keepalive 4;"))
def a_kept_connection_that_died_is_replaced(t):
    ask(t, 1)
    t.a.drop()
    t.wait(0.2)
    ask(t, 1)
    ask(t, 1, method="POST", body=b"once")


@case(upstream("server %A%; server %B%;", block="keepalive 4;"))
def a_kept_connection_that_dies_on_use(t):
    t.a.behave = in_turn(answer("first"), hang_up, answer("third"))
    ask(t, 5)


@case(upstream("server %A%;", block="keepalive 4; keepalive_requests 2;"))
def keepalive_requests_of_an_upstream(t):
    ask(t, 5)
    t.note(f"A was asked on {t.a.connections} connections")


@case(upstream("server %A%;", block="keepalive 4; keepalive_timeout 1s;"))
def keepalive_timeout_of_an_upstream(t):
    ask(t, 2)
    t.wait(1.8)
    ask(t, 1)
    t.note(f"A was asked on {t.a.connections} connections")


@case(upstream("server %A%;", block="keepalive 4;"))
def a_server_that_says_close(t):
    t.a.behave = answer("bye", "200 OK", "Connection: close")
    ask(t, 2)


@case(upstream("server %UP_SOCK%; server %A%;"))
def server_on_a_unix_socket(t):
    ask(t, 3)


@case("server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%UP_SOCK%:/base/; } }")
def unix_socket_in_proxy_pass(t):
    t.get("/x")


@case(upstream("server %A%; server %B%; server %C%;"))
def the_connection_does_not_bind_to_a_server(t):
    connection = t.connect()
    for _ in range(4):
        connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").read()
    connection.end()


@case("""
upstream u { server %A%; server %B%; }
upstream v { server %B%; server %C%; }
server { listen 127.0.0.1:%PORT%; location /u { proxy_pass http://u; } location /v { proxy_pass http://v; } }
""")
def each_upstream_has_its_own_turn(t):
    for target in ("/u", "/v", "/u", "/v", "/v", "/u"):
        t.get(target)


PLAIN = "server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; } }"


@case(PLAIN)
def a_reload_takes_up_another_server(t):
    ask(t, 2)
    t.reload(PLAIN.replace("%A%", "%C%"))
    deadline = time.monotonic() + 5
    # Written down is only where it ends: how many requests a reload takes is not compared.
    while t.c.connections == 0 and time.monotonic() < deadline:
        connection = t.connect()
        connection.send("GET /until HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        while connection.receive():
            pass
        connection.close()
    t.note(f"C was asked: {t.c.connections > 0}")
    t.wait(0.5)  # an old worker of NGINX may still take one
    t.forget("/until")
    ask(t, 2)


@case(upstream("server %A%;"))
def a_reload_of_a_wrong_file_changes_nothing(t):
    t.reload("no_such_directive on;")
    t.wait(0.5)
    ask(t, 2)
