"""Pages of the site as axe-core finds them in headless Chromium: light and dark, wide and narrow.

    make site && python tools/accessibility.py              # the pages below
    python tools/accessibility.py guide/models.html         # others
    python tools/accessibility.py --screenshots FOLDER      # pictures too, to be judged and not stored

It needs Chromium, and npm or --axe FILE for axe-core (MPL-2.0), which is not kept here. The exit code is 1 if
a finding is serious or critical, 2 if a program is missing.

All is one page that Chromium prints when its title says so: it opens each page of the site in a frame of the
wanted width, gives it the theme, and runs axe inside.
"""

from __future__ import annotations

import argparse
import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"
PAGES = [
    "index.html",
    "start/which-model.html",
    "guide/index.html",
    "auto_gallery/index.html",
    "auto_gallery/plot_explanation.html",
    "performance/growth.html",
    "generated/fastfm_c.FM.html",
    "search.html",
]
WIDTHS = {"wide": 1280, "narrow": 390}
THEMES = "light", "dark"
BAD = "serious", "critical"
MILLISECONDS = 240_000  # that Chromium gives to the page, of its own clock
CHROMIUMS = "chromium", "chromium-browser", "google-chrome"
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]

JUDGE = """<!doctype html><html lang="en"><title>judge</title><body><pre id="found"></pre><script>
const cases = %s;
async function judge([page, theme, width]) {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 1600; frame.src = "/" + page;
  const loaded = new Promise(resolve => { frame.onload = resolve; });
  document.body.append(frame);
  await loaded;
  const inside = frame.contentDocument;
  inside.documentElement.dataset.theme = inside.documentElement.dataset.mode = theme;
  const script = inside.createElement("script");
  script.src = "/axe.min.js";
  const ready = new Promise(resolve => { script.onload = resolve; });
  inside.head.append(script);
  await ready;
  await new Promise(resolve => setTimeout(resolve, 500));  // colours change slowly
  const result = await frame.contentWindow.axe.run(inside, {resultTypes: ["violations"]});
  frame.remove();
  return result.violations.map(v => ({impact: v.impact, id: v.id, help: v.help,
    nodes: v.nodes.map(n => n.target.join(" ") + "  " + n.html.slice(0, 120))}));
}
(async () => {
  const found = [];
  for (const one of cases) {
    try { found.push(await judge(one)); } catch (error) { found.push(String(error)); }
  }
  document.getElementById("found").textContent = JSON.stringify(found);
})();
</script>"""


class Lacking(Exception):
    """This machine has not what the check needs."""


def program(*names: str) -> str:
    for name in names:
        if shutil.which(name):
            return name
    raise Lacking(f"no {names[0]}")


def axe(folder: Path) -> bytes:
    """axe.min.js of the newest axe-core, by npm."""
    subprocess.run([program("npm"), "pack", "--silent", "axe-core"], cwd=folder, check=True)
    with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as archive:
        return archive.extractfile("package/axe.min.js").read()


class Handler(http.server.SimpleHTTPRequestHandler):
    """The site, and beside it axe and the page that judges."""

    extra: dict[str, tuple[str, bytes]]  # path: its type and what it holds

    def do_GET(self) -> None:
        if self.path not in self.extra:
            super().do_GET()
            return
        kind, content = self.extra[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def serve(site: Path, extra: dict[str, tuple[str, bytes]]) -> http.server.ThreadingHTTPServer:
    handler = type("Site", (Handler,), {"extra": extra})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def findings(chromium: str, address: str) -> list:
    command = [
        chromium,
        *OPTIONS,
        f"--virtual-time-budget={MILLISECONDS}",
        "--dump-dom",
        f"{address}/judge.html",
    ]
    page = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r'<pre id="found">(.*?)</pre>', page, re.DOTALL)[1]
    return json.loads(html.unescape(found))


def show(case: tuple[str, str, int], found: list | str) -> int:
    """Prints a page's findings; returns how many are serious, a page that could not be judged among them."""
    page, theme, width = case
    if isinstance(found, str):
        print(f"{page} {theme} {width}: {found}")
        return 1
    bad = [finding for finding in found if finding["impact"] in BAD]
    print(f"{page} {theme} {width}: {len(bad)} serious, {len(found) - len(bad)} others")
    for finding in found:
        print(f"    {finding['impact']}: {finding['id']}: {finding['help']} ({len(finding['nodes'])})")
        for node in finding["nodes"][:3]:
            print(f"        {node}")
    return len(bad)


def take_pictures(chromium: str, address: str, pages: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages:
        for name, width in WIDTHS.items():
            picture = folder / f"{page.removesuffix('.html').replace('/', '-')}-{name}.png"
            command = [chromium, *OPTIONS, f"--window-size={max(width, 500)},1600", f"--screenshot={picture}"]
            subprocess.run([*command, f"{address}/{page}"], check=True, capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", help=f"default: {' '.join(PAGES)}")
    parser.add_argument("--site", type=Path, default=SITE, help="default: %(default)s")
    parser.add_argument("--axe", type=Path, metavar="FILE", help="axe.min.js; default: npm gets it")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    pages = arguments.pages or PAGES
    cases = [(page, theme, width) for page in pages for theme in THEMES for width in WIDTHS.values()]
    try:
        chromium = program(*CHROMIUMS)
        with tempfile.TemporaryDirectory() as folder:
            script = arguments.axe.read_bytes() if arguments.axe else axe(Path(folder))
    except Lacking as lacking:
        print(f"skipped: {lacking}")
        return 2
    judge = (JUDGE % json.dumps(cases)).encode()
    extra = {"/axe.min.js": ("text/javascript", script), "/judge.html": ("text/html; charset=utf-8", judge)}
    server = serve(arguments.site, extra)
    address = f"http://127.0.0.1:{server.server_port}"
    if arguments.screenshots:
        take_pictures(chromium, address, pages, arguments.screenshots)
    n_bad = sum(map(show, cases, findings(chromium, address)))
    print(f"{len(cases)} views, {n_bad} serious findings")
    return n_bad > 0


if __name__ == "__main__":
    sys.exit(main())
