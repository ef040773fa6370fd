#!/usr/bin/env python3
"""The README's picture of a real run, made from the transcript in docs/tour.md: its beginning, and what everybody was paid.

    scripts/demo-picture.py            writes docs/demo.svg
    scripts/demo-picture.py --check    says whether it is what the transcript makes
"""

import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOUR, PICTURE = ROOT / "docs/tour.md", ROOT / "docs/demo.svg"
HEADING = "## What the demo does"

# The picture leaves out what is between these: all rounds except the first, and the last lines, which repeat the sums.
REST, ACCOUNTS, END = "round  1", "account ", "credit and proved"

LINE, CHARACTER, MARGIN = 17, 7.25, 16
# The first of these that a line contains decides its colour.
COLOURS = [("convicted", "#ff9e64"), ("refuted", "#ff9e64"), ("dropped", "#8b93a7"), ("merged: credit", "#9ece6a"), ("account ", "#7aa2f7")]
PLAIN, GROUND = "#d5d9e5", "#1b1e2b"


def transcript():
    """The demo's lines, without their indent."""
    section = TOUR.read_text(encoding="utf-8").split(HEADING + "\n", 1)[1].split("\n## ", 1)[0]
    lines = section.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("    "))
    end = next(at for at in range(start, len(lines)) if lines[at] and not lines[at].startswith("    "))
    return [line[4:] for line in lines[start:end]]


def excerpt(lines):
    rest, accounts, end = (next(at for at, line in enumerate(lines) if line.startswith(mark)) for mark in (REST, ACCOUNTS, END))
    return ["$ make demo", *lines[:rest], "...", *lines[accounts : end + 1]]


def picture(lines):
    width = round(max(map(len, lines)) * CHARACTER + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    svg = [
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{GROUND}"/>',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="12" xml:space="preserve">',
    ]
    for at, line in enumerate(lines):
        colour = next((colour for mark, colour in COLOURS if mark in line), PLAIN)
        # The length of every line is given, so that columns stay aligned in any font.
        length = f' textLength="{len(line) * CHARACTER:g}"' if line else ""
        text = escape(line).replace(" ", "&#160;")
        svg.append(f'<text x="{MARGIN}" y="{MARGIN + at * LINE + 12}" fill="{colour}"{length}>{text}</text>')
    return "\n".join([*svg, "</g>", "</svg>", ""])


def main():
    made = picture(excerpt(transcript()))
    if sys.argv[1:] == ["--check"]:
        if PICTURE.read_text(encoding="utf-8") == made:
            return 0
        print("docs/demo.svg is not what docs/tour.md makes: run scripts/demo-picture.py", file=sys.stderr)
        return 1
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 1
    PICTURE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
