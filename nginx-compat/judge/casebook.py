"""The list of cases, and how a topic's file adds to it."""

from dataclasses import dataclass
from typing import Callable, Optional

CASES = []


@dataclass
class Case:
    """One configuration and one script, to be played under NGINX and under lb."""

    name: str
    http: str
    script: Callable
    main: Optional[str] = None
    checks_only: bool = False
    # Called before the proxy starts: it puts beside the configuration what that names.
    lays_out: Optional[Callable] = None


def topic_of(module):
    return module.rpartition(".")[2]


def case(http, name=None):
    """A function that plays the client; its name is the case's."""

    def add(script):
        title = name or script.__name__.replace("_", " ")
        CASES.append(Case(f"{topic_of(script.__module__)}/{title}", http, script))
        return script

    return add


def requests(topic, http, rows):
    """One case per row: its name, and what `Stage.get` takes."""
    for name, *arguments in rows:
        fields = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        CASES.append(Case(f"{topic}/{name}", http, lambda t, a=arguments, f=fields: t.get(*a, **f)))


def raw_requests(topic, http, rows):
    """One case per row: its name, the bytes sent, how many answers are awaited (1)."""
    for name, data, *rest in rows:
        CASES.append(Case(f"{topic}/{name}", http, lambda t, d=data, r=rest: t.raw(d, *r)))


def configurations(topic, rows):
    """One case per row, played by `-t` alone: its name and the whole file, or what stands in `http`."""
    for name, text in rows:
        main = text if "events" in text or text.startswith("#main") else None
        CASES.append(Case(f"{topic}/{name}", "" if main else text, lambda t: None, main, checks_only=True))
