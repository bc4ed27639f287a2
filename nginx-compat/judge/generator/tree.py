"""A configuration as a tree of directives, so that parts of it can be taken out, and a round: what is played.

A round's text may hold `%R%`, the round's own tag: many rounds stand in one file, and the names of variables, upstream
groups and servers belong to all of it.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Optional


@dataclass(frozen=True)
class Directive:
    """One directive: its words as they are written, and what stands in its block."""

    words: str
    block: Optional[tuple] = None

    def lines(self, indent=""):
        if self.block is None:
            # A probe is written as text, blocks and all.
            return [f"{indent}{self.words}" + ("" if self.words.endswith("}") else ";")]
        inner = [line for directive in self.block for line in directive.lines(indent + "    ")]
        return [f"{indent}{self.words} {{", *inner, f"{indent}}}"]


def block(words, *directives):
    return Directive(words, tuple(directives))


@dataclass(frozen=True)
class Request:
    """One request; `host` is the name of one of the round's servers."""

    target: str = "/"
    host: str = "%R%.test"
    fields: tuple = ()
    method: str = "GET"
    body: str = ""

    def data(self, tag):
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {self.host}", *self.fields]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).replace("%R%", tag).encode("latin-1")

    def smaller(self):
        """The same with one thing less, or plainer."""
        for index in range(len(self.fields)):
            yield replace(self, fields=self.fields[:index] + self.fields[index + 1:])
        if self.body:
            yield replace(self, body="")
        path, mark, arguments = self.target.partition("?")
        if mark:
            yield replace(self, target=path)
            parts = arguments.split("&")
            for index in range(len(parts) if len(parts) > 1 else 0):
                yield replace(self, target=f"{path}?{'&'.join(parts[:index] + parts[index + 1:])}")
        if self.method != "GET":
            yield replace(self, method="GET", body="")


@dataclass(frozen=True)
class Round:
    """What stands in `http`, servers included, and what is asked. `slashes`: on the port that merges none.

    Directives are written as if all spoke HTTP/1 in the clear; `lines` puts in what `clients` and `servers` ask for."""

    seed: str
    http: tuple
    requests: tuple
    slashes: bool = False
    # What clients speak (http, https, http2) and what servers do (http, https, h2c, h2).
    clients: str = "http"
    servers: str = "http"
    features: frozenset = field(default=frozenset(), compare=False)

    def lines(self, tag):
        listen = "listen 127.0.0.1:%PORT2%;" if self.slashes else "listen 127.0.0.1:%PORT%;"
        if self.clients != "http":
            listen = "listen 127.0.0.1:%PORT3% ssl; http2 on;"
        text = [self._to_servers(line) for directive in self.http for line in directive.lines()]
        return [line.replace("%LISTEN%;", listen).replace("%R%", tag) for line in text]

    def _to_servers(self, line):
        if self.servers == "http":
            return line
        kind = {"https": "S", "h2c": "C", "h2": "H"}[self.servers]
        line = re.sub("%([AB])%", rf"%{kind}\1%", line)
        if self.servers != "h2c":
            line = line.replace("proxy_pass http://", "proxy_pass https://")
        if self.servers != "https" and "%LISTEN%" in line:
            line += " proxy_http_version 2;"
        return line

    def without(self, path):
        """Without the directive at `path`: the places in each list of directives on the way to it."""
        return replace(self, http=_without(self.http, path))

    def unwrapped(self, path):
        """With what stands in the block at `path` instead of it."""
        return replace(self, http=_without(self.http, path, unwrap=True))

    def paths(self):
        """The path of every directive, blocks before what stands in them."""
        return list(_paths(self.http, ()))

    def at(self, path):
        directives = self.http
        for index in path[:-1]:
            directives = directives[index].block
        return directives[path[-1]]


def _without(directives, path, unwrap=False):
    index, rest = path[0], path[1:]
    if rest:
        inner = directives[index]
        kept = (replace(inner, block=_without(inner.block, rest, unwrap)),)
    else:
        kept = directives[index].block if unwrap else ()
    return directives[:index] + kept + directives[index + 1:]


def _paths(directives, before):
    for index, directive in enumerate(directives):
        yield (*before, index)
        if directive.block:
            yield from _paths(directive.block, (*before, index))
