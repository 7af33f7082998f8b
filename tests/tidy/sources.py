"""What the tidy checks share: the tree's C files and how to report."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("broker", "coordinator-client", "tools", "tests")


def c_files(suffixes=(".c", ".h"), folders=FOLDERS):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path


def name_of(path):
    return str(path.relative_to(ROOT))


def finish(check, problems):
    for problem in problems:
        print(problem)
    print(f"{check}: {len(problems)} problems")
    sys.exit(1 if problems else 0)
