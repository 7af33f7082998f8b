#!/usr/bin/env python3
"""A file exports only what bears its name: partition_log.c exports partition_log_*. Asked of the objects by nm."""
import pathlib
import re
import subprocess
import sys

from sources import finish

# File -> further prefixes it may export: families that live in one file, and programs.
EXTRA = {
    "bytes": ("byte_", "slice_", "uuid_"),
    "clock": ("manual_clock_",),
    "cluster_image": ("image_",),
    "status": ("failure_",),
    "cluster_image": ("image_",),
    "connection": ("request_",),
    "log_directory": ("checkpoint_writer_",),
    "record_batch": ("record_",),
    "server": ("net_server_", "net_shared_"),
    "topic_partition": ("topic_",),
}


def exported(objfile):
    out = subprocess.run(["nm", "--defined-only", "--extern-only", str(objfile)], check=True, capture_output=True, text=True)
    for line in out.stdout.splitlines():
        symbol = line.split()[-1]
        if not symbol.startswith("__") and re.match(r"[A-Za-z]", symbol):
            yield symbol


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    problems = []
    objects = [p for folder in ("broker", "coordinator-client") for p in sorted((build / folder).rglob("*.o"))]
    if not objects:
        problems.append(f"{build}: no objects; build first")
    for objfile in objects:
        stem = objfile.stem.split("-", 1)[-1]
        # A module may be split over files that share its name as prefix; each of them keeps to the shared prefix.
        parts = stem.split("_")
        prefixes = ["_".join(parts[:n]) for n in range(len(parts), 0, -1)]
        prefixes += list(EXTRA.get(stem, ()))
        for symbol in exported(objfile):
            if not any(symbol.startswith(p) for p in prefixes) and symbol != "main":
                problems.append(f"{objfile.relative_to(build)}: exports {symbol}")
    finish("symbols", problems)


main()
