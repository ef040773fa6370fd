#!/usr/bin/env python3
"""The worker builds on Windows and macOS as well: what only one system has stands behind a `cfg` that keeps it from the others.

No Windows target is at hand whose standard library fits our compiler, so this reads the sources in its place. It takes them
apart into tokens, so comments do not count, and for every token knows the `cfg`s that it stands behind: those of its item and of
all items around it, of its file (`#![cfg(...)]`), and of the `mod` that brings the file in.

    scripts/check-portable.py              checks the folders of FOLDERS
    scripts/check-portable.py --self-test  checks this program
"""

import re
import sys
from pathlib import Path

# What runs on people's machines. (The node is as portable as the SDK.)
FOLDERS = ["off-chain-worker", "evaluation", "training", "panics", "data", "primitives"]

# The values of `cfg` on the systems that we build for.
SYSTEMS = {
    "Linux": {"unix", ("target_os", "linux"), ("target_family", "unix")},
    "macOS": {"unix", ("target_os", "macos"), ("target_family", "unix"), ("target_vendor", "apple")},
    "Windows": {"windows", ("target_os", "windows"), ("target_family", "windows")},
}
# What `cfg` can say about a system. For anything else, such as `test` or a feature, we do not know whether it holds.
OF_SYSTEMS = {"unix", "windows", "target_os", "target_family", "target_vendor"}

# Names in paths, and the systems that do not have what they name.
NAMES = {
    "unix": ["Windows"],
    "libc": ["Windows"],
    "nix": ["Windows"],
    "rustix": ["Windows"],
    "linux": ["macOS", "Windows"],
    "procfs": ["macOS", "Windows"],
    "macos": ["Linux", "Windows"],
    "windows": ["Linux", "macOS"],
    "windows_sys": ["Linux", "macOS"],
}
# Text that begins like this is the path of a file that other systems do not have.
FILES = [(re.compile(r"/(proc|sys|run)(/|$)"), ["macOS", "Windows"]), (re.compile(r"/(bin|dev|tmp)(/|$)"), ["Windows"])]

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*)
    |(?P<raw>b?c?r(?P<hashes>\#*)"(?P<rawtext>.*?)"(?P=hashes))
    |(?P<string>[bc]?"(?P<text>(?:\\.|[^"\\])*)")
    |(?P<char>b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\])')
    |(?P<word>(?:r\#)?[A-Za-z_]\w*|'[A-Za-z_]\w*)
    |(?P<number>\d[\w.]*?(?=\.\.|[^\w.]|$))
    |(?P<mark>::|[^\s])""",
    re.VERBOSE | re.DOTALL,
)
# An item that begins with one of these ends with `;` or its block; anything else may end with a comma, too.
ITEMS = set("pub fn mod impl struct enum union trait type use static const async unsafe extern let macro_rules".split())
# These end only with `;`, because their braces are in the middle.
UNTIL_SEMICOLON = {"use", "let", "static", "const", "type"}
OPEN, CLOSE = set("([{"), set(")]}")


class Token:
    def __init__(self, kind, text, line):
        self.kind, self.text, self.line = kind, text, line


def tokens_of(source):
    """The tokens of a source, without comments."""
    tokens, at, line = [], 0, 1
    while match := TOKEN.search(source, at):
        line += source.count("\n", at, match.start())
        end = match.end()
        if match.group() == "/*":
            depth = 1
            while depth and (mark := re.compile(r"/\*|\*/").search(source, end)):
                depth += 1 if mark.group() == "/*" else -1
                end = mark.end()
        elif match["raw"] is not None:
            tokens.append(Token("text", match["rawtext"], line))
        elif match["string"] is not None:
            tokens.append(Token("text", match["text"], line))
        elif match["comment"] is None:
            tokens.append(Token(match.lastgroup, match.group(), line))
        line += source.count("\n", match.start(), end)
        at = end
    return tokens


def closing(tokens, at):
    """Where the bracket at `at` is closed."""
    depth = 0
    for index in range(at, len(tokens)):
        if tokens[index].kind == "mark":
            depth += (tokens[index].text in OPEN) - (tokens[index].text in CLOSE)
            if depth == 0:
                return index
    return len(tokens) - 1


def item_end(tokens, at):
    """Where the item, statement, field or arm ends that begins at `at`: the index after it."""
    while tokens[at].text == "#":
        at = closing(tokens, at + 1) + 1
    first = tokens[at].text
    if first == "pub" and tokens[at + 1].text == "(":
        first = tokens[closing(tokens, at + 1) + 1].text
    elif first == "pub":
        first = tokens[at + 1].text
    index = at
    while index < len(tokens):
        text = tokens[index].text if tokens[index].kind == "mark" else ""
        if text in CLOSE:
            return index
        if text == ";" or text == "," and first not in ITEMS:
            return index + 1
        if text in OPEN:
            index = closing(tokens, index)
            # `const fn` has a block; a `const` ends with a semicolon.
            is_function = any(token.text == "fn" for token in tokens[at : at + 4])
            if text == "{" and (first not in UNTIL_SEMICOLON or is_function):
                return index + 1
        index += 1
    return index


def holds(tokens, system):
    """Whether a predicate holds on a system: True, False, or None if that depends on something else. And what follows it."""
    name, rest = tokens[0].text, tokens[1:]
    if rest and rest[0].text == "(":
        end = closing(rest, 0)
        inside, rest = rest[1:end], rest[end + 1 :]
        values = []
        while inside:
            value, inside = holds(inside, system)
            values.append(value)
            inside = inside[1:]
        if name == "not":
            value = None if values[0] is None else not values[0]
        elif name == "any":
            value = True if True in values else None if None in values else False
        else:
            value = False if False in values else None if None in values else True
        return value, rest
    if rest and rest[0].text == "=":
        value = (name, rest[1].text) in SYSTEMS[system] if name in OF_SYSTEMS else None
        return value, rest[2:]
    return name in SYSTEMS[system] if name in OF_SYSTEMS else None, rest


def excluded_by(predicate):
    """The systems on which a `cfg` certainly does not hold."""
    return {system for system in SYSTEMS if holds(predicate, system)[0] is False}


class File:
    """A source: on which systems each of its tokens is not compiled, and which modules it brings in."""

    def __init__(self, source):
        self.tokens = tokens_of(source)
        self.absent = [set() for _ in self.tokens]
        self.is_attribute = [False] * len(self.tokens)
        self.modules = {}
        self.read_cfgs()

    def read_cfgs(self):
        tokens = self.tokens
        for at, token in enumerate(tokens):
            if token.kind != "mark" or token.text != "#":
                continue
            is_inner = tokens[at + 1 : at + 2] and tokens[at + 1].text == "!"
            start = at + 2 if is_inner else at + 1
            if start >= len(tokens) or tokens[start].text != "[":
                continue
            end = closing(tokens, start)
            for index in range(at, end + 1):
                self.is_attribute[index] = True
            if tokens[start + 1].text != "cfg":
                continue
            systems = excluded_by(tokens[start + 3 : end - 1])
            # An inner one counts for everything that follows. That is more than its block, but right for a file's.
            last = len(tokens) if is_inner else item_end(tokens, end + 1)
            for index in range(at, last):
                self.absent[index] |= systems
        for at in range(len(tokens) - 2):
            if tokens[at].text == "mod" and tokens[at + 2].text == ";":
                self.modules[tokens[at + 1].text] = self.absent[at]
        for at in range(len(tokens) - 2):
            # `cfg!(unix)` does not use the module `unix`.
            if tokens[at].text == "cfg" and tokens[at + 1].text == "!":
                for index in range(at, closing(tokens, at + 2) + 1):
                    self.is_attribute[index] = True

    def misplaced(self, absent=frozenset()):
        """What some system lacks but would still compile: line, what, systems. `absent`: systems that do not compile the file."""
        found, in_use = [], False
        own = set(self.modules)
        for at, token in enumerate(self.tokens):
            if token.kind == "mark" and token.text == ";":
                in_use = False
            if token.kind == "word" and token.text == "use":
                in_use = True
            if self.is_attribute[at]:
                continue
            lacking = []
            if token.kind == "text":
                lacking = [system for begin, systems in FILES if begin.match(token.text) for system in systems]
            elif token.kind == "word" and token.text in NAMES:
                beside = [self.tokens[near].text for near in (at - 1, at + 1) if 0 <= near < len(self.tokens)]
                # One of our own modules is gated where it is declared.
                is_own = token.text in own or self.declares(token.text)
                if (in_use or "::" in beside) and not is_own:
                    lacking = NAMES[token.text]
            systems = sorted(set(lacking) - self.absent[at] - absent)
            if systems:
                found.append((token.line, token.text, systems))
        return found

    def declares(self, name):
        """Whether the file itself contains a module with this name."""
        pairs = zip(self.tokens, self.tokens[1:])
        return any(one.text == "mod" and other.text == name for one, other in pairs)


def check_folder(folder):
    """What is misplaced in a crate's sources: path, line, what, systems."""
    paths = sorted(path for path in Path(folder).rglob("*.rs") if "target" not in path.parts)
    files = {path: File(path.read_text()) for path in paths}

    # The systems on which a file is not compiled: those on which its `mod`, or the file of that `mod`, is not.
    parents = {}
    for path, file in files.items():
        inside = path.parent if path.stem in ("mod", "lib", "main") else path.with_suffix("")
        for name, absent in file.modules.items():
            for child in (inside / f"{name}.rs", inside / name / "mod.rs"):
                if child in files:
                    parents[child] = (path, absent)

    def absent_in(path):
        if path not in parents:
            return set()
        parent, absent = parents[path]
        return absent | absent_in(parent)

    for path, file in files.items():
        for line, what, systems in file.misplaced(absent_in(path)):
            yield path, line, what, systems


CASES = [
    # What is misplaced, on which systems, and in which source.
    ("unix", "Windows", "use std::os::unix::fs::PermissionsExt;"),
    ("unix", "Windows", "use std::{fs, os::{unix::fs::MetadataExt}};"),
    ("", "", "#[cfg(unix)] use std::os::unix::fs::PermissionsExt;"),
    ("unix", "Windows", "#[cfg(unix)] use a; use std::os::unix::fs::PermissionsExt;"),
    ("unix", "Windows", "#[cfg(not(windows))] fn a() { b() } fn c() { std::os::unix::d() }"),
    ("", "", "#[cfg(not(windows))] fn a<B, C>(b: B, c: C) { std::os::unix::d() }"),
    ("unix", "Windows", "#[cfg(not(unix))] fn a() { std::os::unix::d() }"),
    ("unix", "Windows", "#[cfg(any(unix, windows))] fn a() { std::os::unix::d() }"),
    ("", "", "#[cfg(all(test, unix))] mod tests { fn a() { std::os::unix::d() } }"),
    ("unix", "Windows", "#[cfg(test)] mod tests { fn a() { std::os::unix::d() } }"),
    ("unix", "Windows", "#[cfg(any(unix, feature = \"x\"))] fn a() { std::os::unix::d() }"),
    ("", "", "fn a() { #[cfg(unix)] std::os::unix::d(&mut b, 0o700); c }"),
    ("unix", "Windows", "fn a() { #[cfg(unix)] b(); std::os::unix::d(); }"),
    ("", "", "fn a() { #[cfg(unix)] let b = if c { 1 } else { libc::d() }; }"),
    ("libc", "Windows", "fn a() { unsafe { libc::kill(1, 9) } }"),
    ("", "", "fn a() { let libc = 1; b(libc) }"),
    ("unix", "Windows", "use tokio::signal::unix::{signal, SignalKind};"),
    ("windows", "Linux macOS", "use tokio::signal::windows::ctrl_c;"),
    ("", "", "#[cfg(windows)] use tokio::signal::windows::ctrl_c;"),
    ("", "", "fn a(rows: &[u8]) { rows.windows(2); let windows = cfg!(windows); }"),
    ("/proc/meminfo", "Windows macOS", 'fn a() { read("/proc/meminfo") }'),
    ("/proc/meminfo", "macOS", '#[cfg(unix)] fn a() { read("/proc/meminfo") }'),
    ("", "", '#[cfg(target_os = "linux")] fn a() { read("/proc/meminfo") }'),
    ("/proc/{id}", "Windows macOS", 'fn a() { read(r#"/proc/{id}"#) }'),
    ("", "", '// "/proc/meminfo"\n/* std::os::unix /* libc::a */ */ fn a() { b("see /proc") }'),
    ("/tmp/a", "Windows", 'fn a<\'b>(c: char) { c == \'"\' || d("/tmp/a") }'),
    ("", "", '#![cfg(target_os = "linux")] fn a() { read("/sys/fs") }'),
    ("", "", "#[cfg(unix)] #[test] #[ignore = \"slow; x\"] fn a() { std::os::unix::d() }"),
    ("unix", "Windows", "struct A { #[cfg(unix)] b: C, d: std::os::unix::E }"),
    ("", "", "match a { #[cfg(unix)] B => std::os::unix::d(), _ => c }"),
    ("", "", "#[cfg(target_os = \"linux\")] mod linux; #[cfg(target_os = \"linux\")] use linux::available;"),
    ("", "", "#[cfg(unix)] pub(crate) const A: fn() = { std::os::unix::d };"),
    ("unix", "Windows", "#[cfg(unix)] const fn a() { b } const C: D = std::os::unix::d;"),
]


def self_test():
    for what, systems, source in CASES:
        found = [(what, " ".join(systems)) for _, what, systems in File(source).misplaced()]
        expected = [(what, systems)] if what else []
        assert found == expected, f"{source}\n  expected {expected}, found {found}"

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "lib.rs").write_text("mod a;\nmod c;")
        (folder / "a.rs").write_text("#[cfg(unix)]\nmod b;")
        (folder / "a" / "b" / "mod.rs").write_text("mod d;")
        (folder / "a" / "b" / "d.rs").write_text("use std::os::unix::fs;")
        (folder / "c.rs").write_text("\n\nuse std::os::unix::fs;")
        found = list(check_folder(folder))
        assert found == [(folder / "c.rs", 3, "unix", ["Windows"])], found
    print("check-portable: self-test ok")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1:]:
        sys.exit(__doc__)
    root = Path(__file__).resolve().parent.parent
    found = [misplaced for folder in FOLDERS for misplaced in check_folder(root / folder)]
    for path, line, what, systems in found:
        where = path.relative_to(root)
        print(f"check-portable: {where}:{line}: {what} is not on {' and '.join(systems)}: put it behind a `cfg`", file=sys.stderr)
    if found:
        sys.exit(1)
    print("check-portable: ok")


if __name__ == "__main__":
    main()
