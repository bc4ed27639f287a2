"""Makes one round of its seed: server blocks, locations, and requests that are likely to meet them.

What may stand where comes from the features (`FEATURES`), each with a weight; those that `lb -t` refuses are left out.
Every choice is drawn from one generator of random numbers, so that seed and features decide all.
"""

import random
import re
from dataclasses import dataclass, field

from generator import vocabulary as words
from generator.tree import Directive, Request, Round, block

FEATURES = []
# Locations within locations, and `if` within them.
DEEPEST = 3


@dataclass(frozen=True)
class Feature:
    """A kind of directive: what it adds at a place, and the smallest file that tells whether lb takes it."""

    name: str
    # Where it may stand: server, location, if, server-if; or http for what stands beside the servers.
    where: tuple
    weight: int
    # "content" (one of them answers), "change" (any number of them), "location", "http", "variable"
    role: str
    # Directives of a server block, and of `http`.
    probe: str
    probe_http: str
    make: object


def feature(name, role, where, weight, probe, probe_http=""):
    """Adds the function below to the table of features."""

    def add(make):
        FEATURES.append(Feature(name, where, weight, role, probe, probe_http, make))
        return make

    return add


@dataclass
class Place:
    """Where directives are being made."""

    kind: str
    # Of the location around: exact, prefix, regex, named; its prefix or expression; how many groups it captures.
    location: str = ""
    text: str = ""
    captures: int = 0
    depth: int = 0
    # Directives that may stand only once.
    used: set = field(default_factory=set)
    # The content is chosen, and it is a pass to a server.
    passes: bool = False

    def once(self, name):
        """Whether this is the first of its name here."""
        if name in self.used:
            return False
        self.used.add(name)
        return True


def flat(directive):
    """A directive, and all that stand in it."""
    yield directive
    for inner in directive.block or ():
        yield from flat(inner)


def braced(text):
    """The text with braces around the name of the variable that it ends with; NGINX knows no group in braces."""
    return re.sub(r"\$([a-z_][\w%]*)$", r"${\1}", text)


class Maker:
    """What the features draw from."""

    def __init__(self, seed, features, variables):
        self.random = random.Random(seed)
        self.seed = seed
        self.features = features
        self.known_variables = variables
        self.http = []
        self.variables = []
        self.named = []
        self.paths = []
        self.used = set()

    # Drawing.

    def pick(self, choices):
        return choices[self.random.randrange(len(choices))]

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def some(self, choices, least, most):
        return self.random.sample(choices, min(len(choices), self.random.randint(least, most)))

    def draw(self, role, place):
        """A feature of this role that may stand here, by weight; None when there is none."""
        choices = [each for each in self.features if each.role == role and place.kind in each.where]
        return self.random.choices(choices, [each.weight for each in choices])[0] if choices else None

    def add(self, role, place):
        """The directives of one feature of this role."""
        drawn = self.draw(role, place)
        made = drawn and drawn.make(self, place)
        if not made:
            return []
        self.used.add(drawn.name)
        return list(made) if isinstance(made, (list, tuple)) else [made]

    def has(self, name):
        return any(each.name == name for each in self.features)

    # Words.

    def path(self):
        """A path that is likely to be met elsewhere."""
        if self.paths and self.chance(40):
            return self.pick(self.paths)
        if self.chance(35):
            return "/" + self.pick(list(words.FILES)).replace(" ", "_").replace("\u00e4", "a")
        return self.pick(words.PREFIXES + words.EXACT)

    def variable(self, place, groups=True):
        """A variable with its dollar: one of the round, a group where one may stand, or one of NGINX's."""
        roll = self.random.randrange(100)
        if self.variables and roll < 30:
            return "$" + self.pick(self.variables)
        if groups and place.captures and roll < 50:
            return f"${self.random.randint(1, place.captures)}"
        if self.known_variables:
            return "$" + self.pick(self.known_variables)
        return "none"

    def template(self, place, parts=3):
        """Text with variables in it, to be put in double quotes."""
        text = ""
        for _ in range(self.random.randint(1, parts)):
            more = self.pick(words.WORDS) if self.chance(35) else self.variable(place)
            # A name ends where no letter can follow it, or in braces.
            text = (braced(text) if more[:1].isalnum() else text) + more
            text += self.pick(("", "", "|", "-", " ", ":", "/"))
        return text.strip() or "x"

    def uri(self, place, arguments=True):
        """A path for a rewriting directive, perhaps with groups, variables and arguments."""
        text = self.path()
        if place.captures and self.chance(50):
            text = f"{text.rstrip('/')}/${self.random.randint(1, place.captures)}"
        elif self.chance(12):
            text = f"{text.rstrip('/')}/{self.variable(place)}"
        if arguments and self.chance(25):
            text += self.pick(("?", "?z=1", "?a=alpha", "$is_args$args", "?c=$arg_a")) if self.known_variables else "?z=1"
        return text

    def regex(self):
        """An expression and how many groups it captures."""
        if self.has("look-around") and self.chance(15):
            return self.pick(words.LOOK_AROUND)
        return self.pick(words.REGEXES)

    # Blocks.

    def content(self, place):
        return self.add("content", place)

    def changes(self, place, least, most):
        made = []
        for _ in range(self.random.randint(least, most)):
            made += self.add("change", place)
        return made

    def location(self, taken, parent=None):
        """A location, or nothing where none fits."""
        depth = parent.depth + 1 if parent else 1
        drawn = self.draw("location", Place(parent.location + " parent" if parent else "server"))
        if not drawn:
            return None
        words_of, place = drawn.make(self, parent)
        place.depth = depth
        # "^~ /a" and "/a" are one location.
        if words_of.removeprefix("^~ ") in taken:
            return None
        taken.add(words_of.removeprefix("^~ "))
        self.used.add(drawn.name)
        if place.location in ("prefix", "exact"):
            self.paths.append(place.text)
        inner = self.changes(place, 0, 3) + self.content(place)
        if depth < DEEPEST and place.location in ("prefix", "regex") and self.chance(20):
            mine = set()
            inner += [made for made in (self.location(mine, place) for _ in range(self.random.randint(1, 2))) if made]
            if mine:
                self.used.add("nested locations")
        self.random.shuffle(inner) if self.chance(20) else None
        return block(f"location {words_of}", *inner)

    def server(self, name, extra):
        place = Place("server")
        self.named = [f"@n{index}" for index in range(self.random.randint(0, 2))] if self.has("location @named") else []
        taken, locations = set(), []
        for made in (self.location(taken) for _ in range(self.random.randint(1, 6))):
            if made:
                locations.append(made)
        for named in self.named:
            inside = Place("location", "named", named)
            locations.append(block(f"location {named}", *self.changes(inside, 0, 2), *self.content(inside)))
            self.used.add("location @named")
        head = [Directive("%LISTEN%"), Directive(f"server_name {name}"), *extra]
        return block("server", *head, *self.changes(place, 0, 4), *locations)

    def round(self):
        for _ in range(self.random.randint(0, 3)):
            self.http += self.add("http", Place("http"))
        slashes = self.has("merge_slashes") and self.chance(8)
        extra = [Directive("merge_slashes off")] if slashes else []
        names, servers = ["%R%.test"], []
        for more in range(self.random.choices((1, 2, 3), (12, 3, 1))[0]):
            name, hosts = "%R%.test", []
            if more or self.chance(10):
                drawn = self.draw("server name", Place("server"))
                if drawn and (made := drawn.make(self, more)):
                    name, hosts = (f"%R%.test {made[0]}" if not more else made[0]), made[1]
                    self.used.add(drawn.name)
                elif more:
                    continue
            servers.append(self.server(name, extra))
            names += hosts
        requests = tuple(self.request(names) for _ in range(self.random.randint(6, 12)))
        # Drawn last, so that all else is as it would be without.
        clients = "http" if slashes else self.random.choices(("http", "https", "http2"), (84, 8, 8))[0]
        servers_speak = self.random.choices(("http", "https", "h2c", "h2"), (82, 8, 5, 5))[0]
        if any(directive.words.startswith("proxy_http_version") for server in servers for directive in flat(server)):
            servers_speak = "http" if servers_speak in ("h2c", "h2") else servers_speak
        self.used.update(name for name in (f"clients of {clients}", f"servers of {servers_speak}") if not name.endswith(" http"))
        return Round(self.seed, (*self.http, *servers), requests, slashes, clients, servers_speak, frozenset(self.used))

    # Requests.

    def target(self):
        if self.chance(55) and self.paths:
            path = self.pick(self.paths)
            if self.chance(40):
                path = path.rstrip("/") + "/" + self.pick(words.SEGMENTS)
        elif self.chance(45):
            path = "/" + self.pick(list(words.FILES)).replace(" ", "%20").replace("\u00e4", "%C3%A4")
            if self.chance(15):
                path = path.rpartition("/")[0] + self.pick(("", "/"))
        else:
            path = ""
            for _ in range(self.random.randint(1, 3)):
                segment = self.pick(words.ODD_SEGMENTS if self.chance(15) else words.SEGMENTS)
                path += "/" + self.pick(words.WRITTEN.get(segment, (segment,)))
            path += self.pick(("", "", "/"))
        path = path or "/"
        if not path.startswith("/"):
            path = "/" + path
        if self.chance(35):
            path += "?" + "&".join(self.pick((f"a={self.pick(words.VALUES)}", f"b={self.pick(words.VALUES)}", "z", "c=%2f+d",
                                             f"ip={self.pick(('10.1.2.3', '192.0.2.9', '::1', '2001:db8::5', 'none'))}"))
                                  for _ in range(self.random.randint(1, 3)))
        return path

    def request(self, names):
        host = names[0] if self.chance(75) else self.pick(names)
        if self.chance(5):
            host = self.pick((host.upper() if "%" not in host else host, host + ":8080", host + "."))
        fields = []
        if self.chance(25):
            fields.append(f"X-Want: {self.pick(WANTS)}")
        if self.chance(20):
            fields.append(f"X-Flag: {self.pick(words.WORDS)}")
        if self.chance(12):
            fields.append(f"Cookie: c={self.pick(words.WORDS)}; d=2")
        if self.chance(12):
            fields.append(f"User-Agent: {self.pick(words.AGENTS)}")
        if self.chance(8):
            fields.append(self.pick(CONDITIONS))
        if self.chance(8):
            fields.append(f"Range: bytes={self.pick(('0-4', '2-', '-3', '0-0,2-3', '5-2', '900-', '0-', '-0', '1-1,4-', 'x'))}")
        if self.chance(10):
            fields.append(f"Authorization: Basic {self.pick(words.CREDENTIALS)}")
        if self.chance(8):
            fields.append(f"Referer: {self.pick(words.REFERERS)}")
        if self.chance(5):
            fields.append("X-Forwarded-For: 192.0.2.1")
        if self.chance(25):
            fields.append(f"Accept-Encoding: {self.pick(('gzip', 'gzip', 'deflate, gzip;q=0.5', 'gzip;q=0', '*', 'identity'))}")
        if self.chance(3):
            fields.append("Via: 1.1 proxy")
        method = self.random.choices(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"), (78, 7, 8, 3, 2, 1, 1))[0]
        body = self.pick(("hello", "a=1&b=2", "x" * 900)) if method in ("POST", "PUT") and self.chance(80) else ""
        return Request(self.target(), host, tuple(fields), method, body)


WANTS = ("404", "404", "500", "503", "403", "401", "400", "204", "304", "201", "moved", "elsewhere", "relative", "refresh", "cookies",
         "internal", "named", "expires", "typed", "bare", "packed", "302")
CONDITIONS = ("If-Modified-Since: Fri, 01 Mar 2024 12:00:00 GMT", "If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT",
              "If-Modified-Since: Sat, 01 Mar 2025 12:00:00 GMT", "If-Unmodified-Since: Thu, 01 Jan 2015 00:00:00 GMT",
              "If-None-Match: *", "If-None-Match: \"65e1bfc0-e\"", "If-Match: \"65e1bfc0-e\"", "If-Range: \"65e1bfc0-12c\"")
