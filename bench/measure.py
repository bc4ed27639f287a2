"""One measurement each: processor time of a loaded proxy, memory of its idle connections."""

import re
import resource
import socket
import subprocess
import time

from servers import ANSWERS, CannotMeasure, fetch, pinned_to

IDLE_CONNECTIONS = 2000
# Memory is read once the proxy has come to rest.
SETTLES_WITHIN_S = 0.3


def cpu_ns(pids):
    """Processor time of these processes so far, user and system, all threads, ended ones among them.

    Read from each process's own clock: nanoseconds, where /proc/PID/stat has ticks of 10 ms. The clock's
    number is made as Linux's headers make it (CPUCLOCK_SCHED of that process).
    """
    return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in pids)


def ticks(pids):
    """User and system time of these processes so far, as the kernel's clock ticks sample it: good for shares."""
    user = system = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        user, system = user + int(fields[11]), system + int(fields[12])
    return user, system


def proportional_bytes(pids):
    """Proportional set size of these processes."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += int(re.search(r"^Pss:\s+(\d+) kB", file.read(), re.MULTILINE)[1]) * 1024
    return total


def check_answers(proxy, name):
    """A proxy that answers wrongly is not worth measuring."""
    for answer, size in ANSWERS.items():
        status, body = fetch(proxy.port, f"/{answer}")
        if (status, len(body)) != (200, size):
            raise CannotMeasure(f"{name} answers /{answer} with status {status}, {len(body)} bytes (200, {size} expected)")


def load(program, port, answer, connections, seconds, cores):
    """Loads a proxy in a closed loop; how many answers came."""
    with pinned_to(cores):
        done = subprocess.run(
            [program, "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/{answer}"],
            capture_output=True, text=True, timeout=seconds + 20, check=False,
        )
    count = re.search(r"(\d+) requests in ", done.stdout)
    wrong = re.search(r"Non-2xx.*|Socket errors.*", done.stdout)
    if done.returncode or not count or wrong:
        raise CannotMeasure(f"wrk against /{answer}: {wrong[0] if wrong else done.stdout + done.stderr}")
    return int(count[1])


def cpu_us_per_request(program, proxy, answer, connections, seconds, cores):
    """Microseconds of the proxy's processor time per answered request, those of them that were the kernel's, and how
    many requests were answered."""
    pids = proxy.pids()
    before, (user_before, system_before) = cpu_ns(pids), ticks(pids)
    count = load(program, proxy.port, answer, connections, seconds, cores)
    user, system = ticks(pids)
    user, system = user - user_before, system - system_before
    us = (cpu_ns(pids) - before) / 1000 / count
    return us, us * system / max(user + system, 1), count


def share_on_disk(program, nginx, answer, connections, cores):
    """The part of the answers whose body NGINX writes to a temporary file, from 0 to 1, in a load of one second."""
    before = _bodies_on_disk(nginx)
    count = load(program, nginx.port, answer, connections, 1, cores)
    return min((_bodies_on_disk(nginx) - before) / count, 1)


def _bodies_on_disk(nginx):
    return nginx.error_log.read_bytes().count(b"buffered to a temporary file")


def bytes_per_idle_connection(proxy):
    """Growth of the proxy by a connection that has carried one request and waits for the next."""
    allow_open_files(IDLE_CONNECTIONS + 100)
    request = b"GET /60 HTTP/1.1\r\nHost: bench\r\n\r\n"
    for _ in range(20):  # what the first requests allocate is not a connection's price
        fetch(proxy.port, "/60")
    time.sleep(SETTLES_WITHIN_S)
    pids = proxy.pids()
    before = proportional_bytes(pids)
    connections = []
    try:
        for _ in range(IDLE_CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
            connections.append(connection)
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"x" * ANSWERS["60"]):
                part = connection.recv(4096)
                if not part:
                    raise CannotMeasure(f"connection {len(connections)} was closed after {answer!r}")
                answer += part
        time.sleep(SETTLES_WITHIN_S)
        after = proportional_bytes(pids)
        for connection in connections:
            connection.setblocking(False)
            try:
                connection.recv(1)
                raise CannotMeasure("the proxy closed connections that should have been idle")
            except BlockingIOError:
                pass
    finally:
        for connection in connections:
            connection.close()
    return (after - before) / IDLE_CONNECTIONS


def allow_open_files(count):
    """Raises this process's limit on open files when it is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise CannotMeasure(f"{count} open files are needed, the limit is {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
