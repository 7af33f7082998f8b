#!/usr/bin/env python3
"""Functions fit a screen, files have one job."""
import re

from sources import c_files, finish, name_of

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 1200


def functions(lines):
    """(first line, length between braces) of each function: kernel style, brace alone in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start - 1
            start = None


def main():
    problems = []
    for path in c_files():
        lines = path.read_text().splitlines()
        if len(lines) > FILE_LINES_MAX:
            problems.append(f"{name_of(path)}: {len(lines)} lines, at most {FILE_LINES_MAX}")
        for start, length in functions(lines):
            if length > FUNCTION_LINES_MAX:
                head = re.sub(r"\s+", " ", lines[max(0, start - 2)])
                problems.append(f"{name_of(path)}:{start}: {length} lines in '{head}', at most {FUNCTION_LINES_MAX}")
    finish("functions", problems)


main()
