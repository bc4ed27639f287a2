"""Compares what both programs did in a round, after known differences have been taken out."""

import difflib
import re
import tomllib


NEVER = "<- nothing within"


class Known:
    """The differences that every round may show; `[[generated]]` in differences.toml, each with its reason."""

    def __init__(self, file):
        self._rules = []
        for table in tomllib.loads(file.read_text()).get("generated", []):
            where = re.compile(table.get("where", ""), re.DOTALL)
            text = re.compile(table["text"], re.MULTILINE)
            self._rules.append((table["reason"], table["side"], where, text, table["becomes"]))

    def apply(self, side, configuration, lines, used):
        text = "\n".join(lines)
        for reason, of_side, where, pattern, becomes in self._rules:
            if of_side in (side, "both") and where.search(configuration):
                changed, count = pattern.subn(becomes, text)
                if changed != text:
                    used[reason] = used.get(reason, 0) + count
                text = changed
        return text.rstrip("\n").split("\n")


def differing(known, outcome, used):
    """The first request that went differently, as (its number, the lines), or None.

    A reason is counted where the two would differ without it."""
    for number, (nginx, lb) in enumerate(zip(outcome.nginx, outcome.lb)):
        if nginx == lb:
            continue
        # What NGINX never answers, as it waits for what never comes, is no rule; and what it asked for then shows later.
        if any(NEVER in line for line in nginx):
            return None
        here = {}
        changed = [known.apply(side, outcome.text, lines, here) for side, lines in (("nginx", nginx), ("lb", lb))]
        if changed[0] != changed[1]:
            return number, diff(*changed)
        for reason in here:
            used[reason] = used.get(reason, 0) + 1
    if len(outcome.nginx) != len(outcome.lb):
        number = min(len(outcome.nginx), len(outcome.lb))
        return max(0, number - 1), [f"-{len(outcome.nginx)} answers", f"+{len(outcome.lb)} answers"]
    return None


def diff(nginx, lb):
    return [line for line in difflib.unified_diff(nginx, lb, n=0, lineterm="") if not line.startswith(("---", "+++", "@@"))]


def kind(lines):
    """What sort of difference it is: statuses and names of fields, without their values. Shrinking keeps to it."""
    kinds = set()
    for line in lines:
        sign, text = line[0], line[1:]
        if text.startswith("<- "):
            kinds.add(sign + text[:15])
        elif match := re.match(r"   (?: *)([\w-]+)[: ]", text):
            kinds.add(match[1])
        else:
            kinds.add(re.sub(r"\W.*", "", text.strip())[:12])
    return frozenset(kinds)
