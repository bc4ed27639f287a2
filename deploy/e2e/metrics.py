"""lb's counters, as Prometheus reads them."""

import re
from collections import Counter

import stack as stacks

_LINE = re.compile(r"^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?P<labels>.*)\})? (?P<value>\S+)( \d+)?$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def samples():
    """Every sample as (name, labels, value). A line that is neither a sample nor a comment is an error."""
    answer = stacks.get(f"{stacks.current().admin}/metrics")
    if answer.status != 200:
        raise AssertionError(f"/metrics answered {answer.status}")
    found = []
    for line in answer.body.decode().splitlines():
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if not match:
            raise AssertionError(f"/metrics has a line that is no sample: {line!r}")
        found.append((match["name"], dict(_LABEL.findall(match["labels"] or "")), float(match["value"])))
    return found


def requests_per_server():
    """Requests that lb sent, by the server's address (IP:PORT)."""
    totals = Counter()
    for name, labels, value in samples():
        if name == "lb_upstream_requests_total":
            totals[labels["server"]] += int(value)
    return totals
