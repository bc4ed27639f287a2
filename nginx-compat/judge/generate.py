#!/usr/bin/env python3
"""Random configurations and random requests against NGINX and lb.

    nginx-compat/judge/generate.py LB [--rounds N] [--seed SEED] [--round N] [--require-all] [--show] [--jobs N]

A round is a configuration of the features that lb takes, and requests that are likely to meet it; status, fields, body
and what the upstream servers saw are compared. A round that differs is shrunk and printed as a case for `cases/`;
`--seed SEED --round N` plays it again. Features that `lb -t` refuses are left out, and told.

Exit code 0 when nothing is unexpected, 1 otherwise, 2 when the judge cannot sit.
"""

import argparse
import multiprocessing
import multiprocessing.util
import os
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import certificates
from generator import changes, contents, places, vocabulary  # noqa: F401: they fill the table of features
from generator.arena import PORTS, Arena
from generator.maker import FEATURES, Maker
from generator.shrink import Shrinker, as_case
from generator.tree import Directive, Round, block
from generator.verdict import Known, differing, kind
from program import current_nginx, version
from stage import Ports

# Rounds in one configuration.
BATCH = 25
# So many differences are shrunk; of the others only the numbers are told.
SHRUNK = 12
# And all of them in so many seconds.
SHRINKS_FOR_S = 60


def main():
    options = parse_arguments()
    lb, nginx = Path(options.lb).resolve(), current_nginx()
    if not nginx or not os.access(lb, os.X_OK):
        print(f"generate.py: {'there is no NGINX to compare with' if not nginx else f'{lb} is not there'}", file=sys.stderr)
        return 2
    began = time.monotonic()
    ports = Ports()
    features, variables, skipped = probe(nginx, lb, ports)
    numbers = [options.round] if options.round is not None else list(range(options.rounds))
    chosen = [each for each in features if not options.without or not any(word in each.name for word in options.without)]
    batches = [numbers[index:index + BATCH] for index in range(0, len(numbers), BATCH)]
    tally, known, failures, used = Counter(), Counter(), [], Counter()
    seats = multiprocessing.SimpleQueue()
    for _ in range(options.jobs):
        seats.put([ports.take() for _ in range(PORTS)])
    names = [each.name for each in chosen]
    with ProcessPoolExecutor(options.jobs, initializer=sit_down, initargs=(seats, nginx, str(lb), names, variables)) as pool:
        for result in pool.map(play, [(options.seed, batch, options.show) for batch in batches]):
            tally.update(result["tally"])
            known.update(result["known"])
            used.update(result["used"])
            failures += result["failures"]
            for text in result["shown"]:
                print(text)
        failures = confirmed(pool, options.seed, failures, options.shrink, tally)
    certificates.forget()
    print(f"\n{tally['rounds']} rounds, {tally['requests']} requests of seed {options.seed}: "
          f"{tally['differ']} rounds unexpected ({version(nginx)}; {time.monotonic() - began:.0f} s); {tally['invalid']} rounds left out as NGINX refused them"
          + (f"; {tally['slow']} answers of NGINX never came" if tally["slow"] else ""))
    print("features, by rounds: " + ", ".join(f"{name} {count}" for name, count in used.most_common()))
    for reason, count in known.most_common():
        print(f"known everywhere ({count} requests): {reason}")
    if skipped:
        print(f"{len(skipped)} of {len(FEATURES) + len(vocabulary.VARIABLES)} features and variables left out, "
              f"as lb refuses them: {', '.join(skipped)}")
    if tally["invalid"] * 5 > tally["rounds"]:
        print("UNEXPECTED  more than a fifth of the rounds is invalid: the generator does not know NGINX")
        return 1
    return 1 if failures or (skipped and options.require_all) else 0


def parse_arguments():
    parser = argparse.ArgumentParser(prog="nginx-compat/judge/generate.py",
                                     description="plays random rounds against NGINX and lb")
    parser.add_argument("lb", help="the program to judge")
    parser.add_argument("--rounds", type=int, default=200, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--seed", default="1", help="what all is drawn from (%(default)s)")
    parser.add_argument("--round", type=int, metavar="N", help="only this one")
    parser.add_argument("--without", action="append", default=[], metavar="TEXT", help="no features whose name contains this")
    parser.add_argument("--require-all", action="store_true", help="fail when lb refuses a feature")
    parser.add_argument("--shrink", type=int, default=SHRUNK, metavar="N",
                        help="how many differences to shrink (%(default)s)")
    parser.add_argument("--show", action="store_true", help="print the configurations and what NGINX did")
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    return parser.parse_args()


def probe(nginx, lb, ports):
    """The features and variables that lb takes, and the names of the others; NGINX must take all of them."""
    arena = Arena(nginx, lb, [ports.take() for _ in range(PORTS)])

    def server(directive):
        return block("server", Directive("%LISTEN%"), Directive("server_name %R%.test"), *([directive] if directive else []))

    try:
        rounds = []
        for each in FEATURES:
            # What a probe defines is its own.
            text, http = (re.sub(r"\bprobed\b", "probed_%R%", part) for part in (each.probe, each.probe_http))
            beside = (Directive(http.rstrip("; ")),) if http else ()
            rounds.append(Round("", (*beside, server(Directive(text.rstrip("; ")) if text else None)), ()))
        for name in vocabulary.VARIABLES:
            rounds.append(Round("", (server(Directive(f"return 200 \"${name}\"")),), ()))
        outcomes = arena.check(rounds)
    finally:
        arena.close()
    names = [each.name for each in FEATURES] + ["$" + name for name in vocabulary.VARIABLES]
    for name, outcome in zip(names, outcomes):
        if outcome.invalid:
            raise SystemExit(f"generate.py: NGINX refuses the probe of {name}: {outcome.invalid}")
    features = [each for each, outcome in zip(FEATURES, outcomes) if not outcome.refused]
    variables = [name for name, outcome in zip(vocabulary.VARIABLES, outcomes[len(FEATURES):]) if not outcome.refused]
    return features, variables, [name for name, outcome in zip(names, outcomes) if outcome.refused]


# What each process has.
SEAT = {}


def sit_down(seats, nginx, lb, names, variables):
    SEAT["features"] = [each for each in FEATURES if each.name in names]
    SEAT["variables"] = variables
    SEAT["known"] = Known(HERE / "differences.toml")
    SEAT["arena"] = Arena(nginx, lb, seats.get())
    multiprocessing.util.Finalize(None, SEAT["arena"].close, exitpriority=10)


def make(seed, number):
    return Maker(f"{seed}:{number}", SEAT["features"], SEAT["variables"]).round()


def play(task):
    """One configuration of many rounds."""
    seed, numbers, show = task
    rounds = [make(seed, number) for number in numbers]
    tally, known, used, failures, shown = Counter(), Counter(), Counter(), [], []
    for number, played, outcome in zip(numbers, rounds, SEAT["arena"].play(rounds)):
        if show:
            shown += [f"# round {number} {outcome.invalid}{outcome.refused}", *played.lines("x"),
                      *(line for lines in outcome.nginx for line in lines)]
        if outcome.invalid:
            tally["invalid"] += 1
            continue
        tally["rounds"] += 1
        tally["requests"] += len(outcome.nginx)
        tally["slow"] += sum("within" in line for lines in outcome.nginx for line in lines)
        used.update(played.features)
        found = differing(SEAT["known"], outcome, known) if not outcome.refused else None
        if outcome.refused:
            failures.append((number, "refused: " + re.sub(r"_q\d+\b", "", outcome.refused)[:60]))
        elif found:
            failures.append((number, " ".join(sorted(kind(found[1])))))
    return {"tally": tally, "known": known, "used": used, "failures": failures, "shown": shown}


def confirm(task):
    """Plays a round that differed by itself, and shrinks it. What it prints, or nothing when it was a slow moment."""
    seed, number, deadline = task
    found = Shrinker(SEAT["arena"], SEAT["known"], deadline).shrink(make(seed, number))
    if not found:
        return None
    small, outcome = found
    lines = [f"    {line}" for line in as_case(small)]
    if outcome.refused:
        return [*lines, f"    + lb refuses it: {outcome.refused}"]
    return [*lines, *(f"    {line}" for line in differing(SEAT["known"], outcome, {})[1])]


def confirmed(pool, seed, failures, shrunk, tally):
    """The failures that show again, printed: of each kind the first ones are shrunk, as long as there is time."""
    seen, sorts = Counter(), {}
    order = sorted(failures, key=lambda failure: (seen.update([failure[1]]) or seen[failure[1]], failure[0]))
    deadline = time.time() + SHRINKS_FOR_S
    tasks = [(seed, number, deadline) for number, _ in order[:shrunk]]
    for (number, sort), lines in zip(order, pool.map(confirm, tasks)):
        if lines is None:
            tally["once"] += 1
            continue
        sorts.setdefault(sort, []).append(number)
        print(f"UNEXPECTED  --seed {seed} --round {number}")
        for line in lines:
            print(line)
    # What was not played again counts as it was.
    for number, sort in order[shrunk:]:
        sorts.setdefault(sort, []).append(number)
    for sort, numbers in sorted(sorts.items(), key=lambda item: -len(item[1])):
        print(f"UNEXPECTED  {len(numbers)} rounds of this kind ({', '.join(map(str, numbers[:5]))}): {sort}")
    tally["differ"] = sum(map(len, sorts.values()))
    return list(sorts)


if __name__ == "__main__":
    sys.exit(main())
