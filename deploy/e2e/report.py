#!/usr/bin/env python3
"""Looks at reports of loadgen in a real browser.

    deploy/e2e/report.py REPORT.html…      fails when a page is not as it must be; screenshots go to target/e2e

Reports of runs that never were, from a calm one to one of nothing but errors:

    LOADGEN_WRITE_REPORTS=$PWD/target/e2e cargo test -p loadgen every_kind_of_run

A page must load without a line on the console, ask for nothing but itself, show its charts, be no wider than a phone,
and say the values under the pointer.
"""

import sys
import time
from pathlib import Path

# No __pycache__ in the source tree.
sys.dont_write_bytecode = True

import devtools  # noqa: E402

ARTIFACTS = Path(__file__).resolve().parents[2] / "target" / "e2e"

PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
SCREEN = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}

# The charts that are really seen: drawn, and with a size.
CHARTS = """
[...document.querySelectorAll("svg.chart")].filter((chart) => {
    const box = chart.getBoundingClientRect();
    return box.width > 200 && box.height > 100 && chart.querySelector("path, rect") !== null;
}).length
"""

# What the pointer shows in the middle of a chart over time; an empty text without one.
POINTED = """
(() => {
    const chart = [...document.querySelectorAll("svg.over-time")].find((chart) => chart.getBoundingClientRect().width);
    if (!chart) return "no chart";
    const box = chart.getBoundingClientRect();
    const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true };
    chart.dispatchEvent(new PointerEvent("pointermove", at));
    const tip = document.querySelector(".tip");
    const text = !tip || tip.hidden ? "" : tip.textContent;
    chart.dispatchEvent(new PointerEvent("pointerleave", at));
    return text;
})()
"""

def look_at(page, path, artifacts=None, pause_s=0.3):
    """What is wrong with the report at `path`, in a list of sentences; screenshots go to `artifacts` if given."""
    path = Path(path).resolve()
    wrong = []

    def check(holds, sentence):
        if not holds:
            wrong.append(f"{path.name}: {sentence}")

    page.events.clear()
    page.call("Page.navigate", url=path.as_uri())
    end = time.monotonic() + 20
    while page.evaluate("document.readyState") != "complete" or page.evaluate("location.href") != path.as_uri():
        if time.monotonic() > end:
            return [f"{path.name}: did not load within 20 s"]
        time.sleep(0.1)

    for device, settings in (("screen", SCREEN), ("phone", PHONE)):
        page.call("Emulation.setDeviceMetricsOverride", **settings)
        for scheme in ("light", "dark"):
            page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            time.sleep(pause_s)
            wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            check(wider <= 0, f"is {wider} pixels too wide for a {device}")
            if artifacts is not None:
                screenshot(page, Path(artifacts) / f"{path.stem}-{device}-{scheme}.png", settings)
        over_time = page.evaluate("document.querySelectorAll('svg.over-time').length")
        if over_time:
            charts = page.evaluate(CHARTS)
            check(charts >= over_time / 2, f"shows {charts} charts on a {device}")
            pointed = page.evaluate(POINTED)
            check("Time" in pointed and "Successful" in pointed, f"says {pointed!r} under the pointer on a {device}")
    complaints = page.complaints()
    check(not complaints, f"the console says {complaints}")
    others = [url for url in page.requested_urls() if url != path.as_uri() and not url.startswith("data:")]
    check(not others, f"asks for {others}")
    return wrong


def screenshot(page, path, settings):
    """The whole page, however long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height = int(page.evaluate("document.documentElement.scrollHeight"))
    page.call("Emulation.setDeviceMetricsOverride", **{**settings, "height": min(height, 8000)})
    page.screenshot(path)
    page.call("Emulation.setDeviceMetricsOverride", **settings)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wrong = []
    with devtools.chromium() as page:
        for path in sys.argv[1:]:
            wrong += look_at(page, path, ARTIFACTS)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    print(f"{len(sys.argv) - 1} reports looked at, {len(wrong)} complaints; screenshots: {ARTIFACTS}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
