#!/usr/bin/env python3
"""Calls and words that have no place in the tree."""
import re

from sources import c_files, finish, name_of

# Files go through storage/disk.c; the rest has its reason beside it.
FILE_CALLS = re.compile(r"(?<![\w.>])(open|openat|creat|pwrite|pwritev|fsync|fdatasync|rename|ftruncate|unlink)\s*\(")
FILE_CALLS_ALLOWED = {
    "broker/storage/disk.c",   # the table's real side
    "broker/base/diag.c",      # its own log file, below storage
}
WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SLEEPS = re.compile(r"(?<![\w.>])(sleep|usleep|nanosleep)\s*\(")


def code_only(text):
    """The text with comments and string literals blanked, line structure kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def main():
    problems = []
    for path in c_files():
        name = name_of(path)
        text = path.read_text()
        code = code_only(text)
        product = not name.startswith("tests/") and not name.startswith("tools/")
        for number, line in enumerate(code.splitlines(), 1):
            if product and name not in FILE_CALLS_ALLOWED and FILE_CALLS.search(line):
                problems.append(f"{name}:{number}: file call outside storage/disk.c: {line.strip()}")
            if SLEEPS.search(line):
                problems.append(f"{name}:{number}: sleeping is no synchronisation: {line.strip()}")
        for number, line in enumerate(text.splitlines(), 1):
            if WORDS.search(line):
                problems.append(f"{name}:{number}: unfinished: {line.strip()}")
            if line != line.rstrip():
                problems.append(f"{name}:{number}: trailing blank")
    finish("words", problems)


main()
