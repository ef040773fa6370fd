"""Runs a program in a terminal of its own, as a user would, and tells as JSON how that ended.

    terminal.py STEPS PROGRAM [ARGUMENT...]

STEPS is a list in JSON. {"expect": TEXT} waits until a line of the screen has TEXT; {"press": KEYS} types; {"signal": NUMBER} sends a
signal. After the last one the program has to end.
"""

import codecs
import fcntl
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

# Longest wait, in seconds, for a text and for the end.
LIMIT = 60
ROWS, COLUMNS = 30, 130
# What a program sends to a terminal: a command with numbers and a letter, or a letter alone.
COMMAND = re.compile(r"\x1b(?:\[([<>=?0-9;]*)([A-Za-z])|[=>78c])")
COLOUR = re.compile(r"(?:^|;)(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;|$)")


class Screen:
    """The contents of a terminal that knows no more commands than the program needs."""

    def __init__(self):
        self.rest = ""
        self.modes = {}
        self.has_colours = False
        self.clear()

    def clear(self):
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0

    def lines(self):
        return ["".join(line).rstrip() for line in self.cells]

    def take(self, text):
        text = self.rest + text
        self.rest = ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                command = COMMAND.match(text, at)
                if command is None:
                    # It is cut off, and the next bytes complete it.
                    self.rest = text[at:]
                    return
                self.obey(command[1] or "", command[2] or "")
                at = command.end()
                continue
            self.write(text[at])
            at += 1

    def write(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row = min(self.row + 1, ROWS - 1)
        elif character >= " ":
            if self.column < COLUMNS:
                self.cells[self.row][self.column] = character
            self.column += 1

    def obey(self, numbers, letter):
        if letter == "H":
            row, column = (numbers.split(";") + ["1"])[:2] if numbers else ("1", "1")
            self.row, self.column = int(row) - 1, int(column) - 1
        elif letter == "J":
            self.clear()
        elif letter == "m":
            self.has_colours |= COLOUR.search(numbers) is not None
        elif letter in ("h", "l") and numbers.startswith("?"):
            for mode in numbers[1:].split(";"):
                self.modes[mode] = letter == "h"
            # The other screen is empty.
            if numbers == "?1049" and letter == "h":
                self.clear()


def controlling_terminal():
    """Makes standard input the terminal of the new session, so that it can be opened as /dev/tty."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def modes(terminal):
    """The settings of the terminal, without the bits that spell out its input speed, which make no difference."""
    attributes = termios.tcgetattr(terminal)
    attributes[2] &= ~0o2003600000  # CIBAUD
    return attributes


def main():
    steps, command = json.loads(sys.argv[1]), sys.argv[2:]
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (ROWS, COLUMNS))
    before = modes(slave)
    child = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=controlling_terminal
    )
    screen = Screen()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    was_raw = False

    def read_until(is_done, what):
        nonlocal was_raw
        end = time.monotonic() + LIMIT
        while not is_done():
            if time.monotonic() > end:
                child.kill()
                sys.exit(f"{what} did not happen within {LIMIT} seconds; the screen:\n" + "\n".join(screen.lines()))
            if select.select([master], [], [], 0.05)[0]:
                screen.take(decoder.decode(os.read(master, 65536)))
            was_raw |= not termios.tcgetattr(slave)[3] & termios.ICANON

    try:
        for step in steps:
            ((kind, what),) = step.items()
            if kind == "expect":
                read_until(
                    lambda: any(what in line for line in screen.lines()) or child.poll() is not None, f"the text {what!r}"
                )
                if child.poll() is not None and not any(what in line for line in screen.lines()):
                    sys.exit(f"it ended before {what!r} was there; the screen:\n" + "\n".join(screen.lines()))
            elif kind == "press":
                os.write(master, what.encode())
            elif kind == "signal":
                child.send_signal(what)
            else:
                sys.exit(f"there is no step {kind!r}")
        read_until(lambda: child.poll() is not None, "the end")
        # Whatever it wrote last.
        while select.select([master], [], [], 0.2)[0]:
            screen.take(decoder.decode(os.read(master, 65536)))
    finally:
        if child.poll() is None:
            child.kill()
    told = {
        "status": child.returncode,
        # Input comes line by line, with echo, as the shell had it.
        "is_restored": modes(slave) == before,
        "was_raw": was_raw,
        "used_other_screen": "1049" in screen.modes,
        "left_other_screen": screen.modes.get("1049") is False,
        "shows_cursor": screen.modes.get("25", True),
        "has_colours": screen.has_colours,
        "screen": screen.lines(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
