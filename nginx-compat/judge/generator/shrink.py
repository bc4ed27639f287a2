"""Makes a round that differs small: takes out requests and directives while the difference stays.

All that could be taken out next is tried at once, as rounds of one configuration.
"""

import time
from dataclasses import replace

from generator.verdict import differing, kind

# Rounds in one configuration, and configurations for one shrinking.
AT_ONCE = 24
MOST_TRIES = 60


class Shrinker:
    """Shrinks in this arena, by these known differences."""

    def __init__(self, arena, known, deadline):
        """`deadline`: when to be content with what is small already, a moment of `time.time`."""
        self._arena, self._known, self._deadline = arena, known, deadline
        self._tries = 0

    def sort_of(self, outcome):
        """What kind of difference this is; None when there is none."""
        if outcome.invalid:
            return None
        if outcome.refused:
            return "refused"
        found = differing(self._known, outcome, {})
        return kind(found[1]) if found else None

    def shrink(self, played):
        """The smallest round found, and its outcome; None when the difference does not show again."""
        outcome = self._arena.play([played])[0]
        wanted = self.sort_of(outcome)
        if wanted is None:
            return None
        self._tries = 0
        while self._has_time():
            found = self._first(self._smaller(played, outcome), wanted)
            if not found:
                break
            played, outcome = found
        return played, outcome

    def _has_time(self):
        return self._tries < MOST_TRIES and time.time() < self._deadline

    def _first(self, candidates, wanted):
        while candidates and self._has_time():
            batch, candidates = candidates[:AT_ONCE], candidates[AT_ONCE:]
            self._tries += 1
            for candidate, outcome in zip(batch, self._arena.play(batch)):
                if self.sort_of(outcome) == wanted:
                    return candidate, outcome
        return None

    def _smaller(self, played, outcome):
        """Rounds with less, the greatest steps first."""
        candidates = []
        requests = played.requests
        if len(requests) > 1 and not outcome.refused:
            found = differing(self._known, outcome, {})
            candidates.append(replace(played, requests=(requests[found[0]],)))
            candidates.append(replace(played, requests=requests[:found[0] + 1]))
            candidates += [replace(played, requests=requests[:index] + requests[index + 1:]) for index in range(len(requests))]
        elif outcome.refused and len(requests) > 1:
            candidates.append(replace(played, requests=requests[:1]))
        paths = played.paths()
        if len(paths) > 12:
            # Many at a time: every second one of those that stand in servers.
            inner = [path for path in paths if len(path) == 2 and not played.at(path).words.startswith(("%LISTEN", "server_name"))]
            for part in (inner[::2], inner[1::2], inner[: len(inner) // 2], inner[len(inner) // 2:]):
                smaller = played
                for path in sorted(part, reverse=True):
                    smaller = smaller.without(path)
                candidates.append(smaller)
        candidates += [played.without(path) for path in paths if not played.at(path).words.startswith("%LISTEN")]
        candidates += [played.unwrapped(path) for path in paths if len(path) > 2 and played.at(path).block]
        if len(requests) == 1:
            candidates += [replace(played, requests=(smaller,)) for smaller in requests[0].smaller()]
        return candidates


def as_case(played):
    """The round as a case for `cases/`."""
    http = "\n".join(played.lines("x")).replace("%PORT2%", "%PORT%")
    needs, setup = [], []
    if played.clients != "http" or played.servers != "http":
        needs.append(f"# Clients speak {played.clients}, servers {played.servers}; see generator/arena.py.")
    if "%DIR%/www" in http:
        needs.append("from generator.vocabulary import plant")
        setup.append("    plant(t.directory / \"www\")")
    if "proxy_pass" in http:
        needs.append("from generator.backend import wanted")
        setup.append("    t.a.behave, t.b.behave = wanted(t.a), wanted(t.b)")
    calls = []
    for request in played.requests:
        words = [repr(request.target), repr(request.host.replace("%R%", "x")), *map(repr, request.fields)]
        if request.method != "GET":
            words.append(f"method={request.method!r}")
        if request.body:
            words.append(f"body={request.body.encode()!r}")
        calls.append(f"    t.get({', '.join(words)})")
    name = "".join(character if character.isalnum() else "_" for character in played.seed)
    return [*needs, f"@case(r\"\"\"\n{http}\n\"\"\")", f"def round_{name}(t):", *setup, *calls]
