"""The live page through the balancer, in a real browser."""

import re
import time
import unittest
from urllib.parse import urlsplit

import devtools
import load
import stack as stacks
from stack import figure, until

TOLERANCE = 0.10
WINDOW_S = 20

# Looks at the page ten times a second. The mean of what it sees is the mean of what a person sees: a number that
# counts up to its new value is in between only for a moment.
WATCH = """
(() => {
    window.seen = [];
    setInterval(() => window.seen.push(document.getElementById("rps").textContent), 100);
})()
"""

# Every status that the page shows, in order.
WATCH_STATUS = """
(() => {
    const status = document.getElementById("status");
    window.statuses = [status.textContent.trim()];
    new MutationObserver(() => {
        const now = status.textContent.trim();
        if (now && now !== window.statuses.at(-1)) window.statuses.push(now);
    }).observe(status, { childList: true, characterData: true, subtree: true });
})()
"""


def text(page, id):
    return page.evaluate(f"(document.getElementById({id!r}) || {{}}).textContent || ''").strip()


def number(shown):
    """The number on the page, however its digits are grouped."""
    digits = re.sub(r"[^0-9]", "", shown)
    return int(digits) if digits else None


class LivePage(unittest.TestCase):
    def setUp(self):
        self.stack = stacks.current()
        self.stack.up(backends=4)

    def test_name_and_number_under_load(self):
        """/rps-display in Chromium shows the serving backend's name, and its share of the load within 10 %"""
        backends = {backend.id[:12]: backend for backend in self.stack.backends()}
        url = f"http://localhost:{self.stack.port}/rps-display" if self.stack.port != 80 \
            else "http://localhost/rps-display"
        with devtools.chromium() as page, load.Load("page", seconds=45, concurrent=8) as running:
            page.call("Page.navigate", url=url)
            until(15, "the page names a backend", lambda: text(page, "server") in backends, every_s=0.2)
            until(10, "the page shows a rate", lambda: number(text(page, "rps")) or 0, every_s=0.2)
            name = text(page, "server")

            # Past the moment in which the browser's own start took the processor from the load.
            time.sleep(3)
            page.evaluate(WATCH)
            begin, before = time.monotonic(), {key: backend.total_requests() for key, backend in backends.items()}
            time.sleep(WINDOW_S)
            seen = [number(shown) for shown in page.evaluate("window.seen")]
            seconds = time.monotonic() - begin
            served = {key: backend.total_requests() - before[key] for key, backend in backends.items()}

            self.assertEqual(name, text(page, "server"), "the stream moved to another backend")
            status = text(page, "status")
            page.screenshot(stacks.ARTIFACTS / "rps-display.png")
            page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
            page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
            time.sleep(1.2)
            page.screenshot(stacks.ARTIFACTS / "rps-display-phone-dark.png")
            wider = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
            complaints, urls = page.complaints(), page.requested_urls()
            summary = running.finish()

        figure(load.describe(summary))
        shown = sum(seen) / len(seen)
        total = sum(served.values())
        share = served[name] / total
        expected = total / seconds * share
        figure(f"{name} served {share:.1%} of {total / seconds:.0f}/s = {expected:.0f}/s; "
               f"the page showed {shown:.0f}/s ({shown / expected - 1:+.1%}) in {len(set(seen))} numbers over {seconds:.0f} s")
        figure(f"status: {status!r}")
        self.assertGreaterEqual(len(set(seen)), WINDOW_S / 2, "the number hardly moved")
        self.assertAlmostEqual(expected, shown, delta=TOLERANCE * expected)
        self.assertFalse(wider, "the page is wider than a phone")
        # The icon that browsers ask for by themselves is nobody's asset.
        complaints = [entry for entry in complaints if "favicon" not in str(entry)]
        self.assertEqual([], complaints, "the browser complained")
        hosts = {urlsplit(requested).hostname for requested in urls if requested.startswith("http")}
        self.assertEqual({"localhost"}, hosts, "the page asked somebody else")

    def test_over_https_and_http_2(self):
        """/rps-display in Chromium over HTTPS: the page and its stream come by HTTP/2"""
        backends = {backend.id[:12] for backend in self.stack.backends()}
        port = "" if stacks.TLS_PORT == 443 else f":{stacks.TLS_PORT}"
        # Nobody has signed the certificate that was made on the spot.
        with devtools.chromium("--ignore-certificate-errors") as page:
            page.call("Page.navigate", url=f"https://localhost{port}/rps-display")
            until(15, "the page names a backend", lambda: text(page, "server") in backends, every_s=0.2)
            until(10, "the page shows a rate", lambda: number(text(page, "rps")) is not None, every_s=0.2)
            protocol = page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
            secure = page.evaluate("window.isSecureContext")
        self.assertEqual(("h2", True), (protocol, secure))

    def test_reconnects_by_itself(self):
        """The page says that its stream broke, and has another one by itself, when its backend is restarted"""
        backends = {backend.id[:12]: backend for backend in self.stack.backends()}
        with devtools.chromium() as page:
            page.call("Page.navigate", url=f"{self.stack.url}/rps-display")
            until(15, "the page names a backend", lambda: text(page, "server") in backends, every_s=0.2)
            name = text(page, "server")
            page.evaluate(WATCH_STATUS)
            begin = time.monotonic()
            self.stack.run(["docker", "restart", backends[name].id])
            until(20, "the page has a stream again", lambda: reconnected(page), every_s=0.1)
            figure(f"status: {' > '.join(page.evaluate('window.statuses'))}, {time.monotonic() - begin:.1f} s after "
                   f"docker restart began; now {text(page, 'server')}, before {name}")
            self.assertIn(text(page, "server"), backends)


def reconnected(page):
    """Whether the status changed to something else and back to what it was."""
    statuses = page.evaluate("window.statuses")
    return len(set(statuses)) > 1 and statuses[-1] == statuses[0]
