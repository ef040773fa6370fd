#!/usr/bin/env python3
"""Every relative link of our pages leads to a file that exists, and to a heading that it has; and the book lists every page.

Links to other sites are not followed: what is true here must not depend on them. Anchors follow GitHub's rule: a heading in lower
case, without punctuation, with a hyphen for each space, and `-1`, `-2` for one that comes again.

    scripts/check-links.py              checks the pages of git, and docs/SUMMARY.md
    scripts/check-links.py --files      prints the pages and the files that they link to, each with a zero byte after it
    scripts/check-links.py --self-test  checks this program
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

# Pages by others, which we ship as they are, and forms that GitHub shows.
NOT_OURS = ("patches/", ".github/")
# The book's list of pages.
SUMMARY = "docs/SUMMARY.md"

FENCE = re.compile(r"^\s*(```+|~~~+)")
ITEM = re.compile(r"^(\s*)([-*+]|\d+[.)])(\s+)")
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
# `[text](target)` and `![text](target)`; the text may contain brackets, like an image within a link.
INLINE = re.compile(r"\]\(\s*(<[^<>\n]*>|[^()\s]+(?:\([^()\s]*\)[^()\s]*)*)(?:\s+[\"'(][^\n]*?[\"')])?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]\n]+\]:\s*(<[^<>\n]*>|\S+)", re.MULTILINE)
HTML = re.compile(r"<(?:a|img|source)\s[^>]*?\b(?:href|src)\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
NAMED = re.compile(r"<[a-z]+\s[^>]*?\b(?:id|name)\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)


def prose(text):
    """The lines of the page, with code blocks emptied, so that line numbers stay the same."""
    lines, fence, code, content, blank = [], None, False, 0, True
    for line in text.splitlines():
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip(" `~"):
                fence = None
            lines.append("")
            continue
        if mark:
            fence = mark[1]
            lines.append("")
            continue
        indent = len(line) - len(line.lstrip())
        item = ITEM.match(line)
        if not line.strip():
            lines.append("")
            blank = True
            continue
        # Indented code begins after an empty line, four columns to the right of the text around it.
        if indent >= content + 4 and (blank or code):
            code = True
            lines.append("")
            continue
        code = False
        if item:
            content = len(item[0])
        elif indent < content and blank:
            content = 0
        blank = False
        lines.append(line)
    return lines


def anchors_of(text):
    """The anchors of a page."""
    seen, anchors = {}, set()
    lines = prose(text)
    for line in lines:
        heading = HEADING.match(line)
        if not heading:
            continue
        title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[2])
        title = re.sub(r"<[^>]+>", "", title)
        title = re.sub(r"(?<!\w)[*_]+|[*_]+(?!\w)", "", title)
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        times = seen.get(anchor, 0)
        seen[anchor] = times + 1
        anchors.add(f"{anchor}-{times}" if times else anchor)
    anchors.update(NAMED.findall("\n".join(lines)))
    return anchors


def links_of(text):
    """Each link of a page, with its line."""
    page = "\n".join(prose(text))
    # Code keeps its length and its newlines.
    page = CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), page)
    for pattern in (INLINE, REFERENCE, HTML):
        for match in pattern.finditer(page):
            yield page.count("\n", 0, match.start()) + 1, match[1].strip("<>")


def targets_of(root, page):
    """Each link of a page to a place in the repository: its line, the link, and the path and anchor that it leads to."""
    for line, link in links_of((root / page).read_text(encoding="utf-8")):
        if not ELSEWHERE.match(link):
            path, _, anchor = link.partition("#")
            target = (root / page).parent / unquote(path) if path else root / page
            yield line, link, target.resolve(), unquote(anchor)


def wrong_links(root, pages):
    """What is wrong with the links of these pages, whose paths are relative to the root."""
    known, wrong = {}, []
    for page in pages:
        for line, link, target, anchor in targets_of(root, page):
            if root not in target.parents:
                wrong.append(f"{page}:{line}: {link} leads out of the repository")
            elif not target.exists():
                wrong.append(f"{page}:{line}: {link} does not exist")
            elif target.is_dir():
                wrong.append(f"{page}:{line}: {link} is a folder, which a book cannot show")
            elif anchor and target.suffix == ".md":
                if target not in known:
                    known[target] = anchors_of(target.read_text(encoding="utf-8"))
                if anchor not in known[target]:
                    wrong.append(f"{page}:{line}: {link}: that page has no such heading")
    return wrong


def missing_pages(root, pages):
    """The pages that the book does not list."""
    listed = {target for _, _, target, _ in targets_of(root, SUMMARY)}
    return [f"{SUMMARY}: {page} is missing" for page in pages if page != SUMMARY and root / page not in listed]


def files(root, pages):
    """The pages, and the files that they link to."""
    targets = (target for page in pages for _, _, target, _ in targets_of(root, page))
    return sorted({*pages, *(str(target.relative_to(root)) for target in targets)})


SELF_TEST = {
    "good.md": """# A *title*, with `code`
## Twice
## Twice
<a id="named"></a>
[file](other.md) [heading](other.md#what-costs-10--and-why) [self](#a-title-with-code) [second](#twice-1)
[named](#named) [elsewhere](https://example.org/nothing) ![picture](sub/a%20picture.svg "title") `[code](nothing.md)`
[over
two lines](sub/deep.md#snake_case-stays)

    [indented code](nothing.md)

```
[fenced code](nothing.md)
```

[reference]: other.md#twice
""",
    "other.md": "# What costs 10 %, and why?\n\n## Twice\n",
    "sub/deep.md": "# `snake_case` stays\n\n[up](../good.md#twice)\n",
    "sub/a picture.svg": "",
    "bad.md": """[no file](nothing.md)

1. Item

   [no heading](other.md#nothing)

       [code](nothing.md)

[third](good.md#twice-2) [out](../outside.md)
[reference]: gone.md
<img src="gone.svg">
[folder](sub)
""",
}
WRONG = ["1: nothing.md", "5: other.md#nothing", "9: good.md#twice-2", "9: ../outside.md", "10: gone.md", "11: gone.svg", "12: sub is"]


def self_test():
    """Writes pages with known faults, and checks that exactly these are found."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "root"
        for name, text in SELF_TEST.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        (root.parent / "outside.md").write_text("", encoding="utf-8")
        found = wrong_links(root, ["good.md", "sub/deep.md"])
        assert not found, found
        found = wrong_links(root, ["bad.md"])
        assert len(found) == len(WRONG), found
        for fault in WRONG:
            assert any(line.startswith(f"bad.md:{fault}") for line in found), (fault, found)
        (root / "docs").mkdir()
        (root / SUMMARY).write_text("- [one](one.md)\n- [good](../good.md)\n", encoding="utf-8")
        pages = ["docs/one.md", "docs/two.md", "good.md", SUMMARY]
        assert missing_pages(root, pages) == [f"{SUMMARY}: docs/two.md is missing"]
        assert files(root, ["sub/deep.md"]) == ["good.md", "sub/deep.md"]


def main():
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        self_test()
        return 0
    if arguments not in ([], ["--files"]):
        print(__doc__, file=sys.stderr)
        return 1
    root = Path(__file__).resolve().parent.parent
    # Pages that git ignores are not part of the repository, but new ones that nobody has added yet are.
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
    pages = [name for name in sorted(names) if name and not name.startswith(NOT_OURS) and (root / name).exists()]
    if arguments:
        print(*files(root, pages), sep="\0", end="\0")
        return 0
    wrong = wrong_links(root, pages) + missing_pages(root, pages)
    for fault in wrong:
        print(f"links: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
