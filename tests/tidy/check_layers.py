#!/usr/bin/env python3
"""Includes go one way down. A file sees its own folder and the folders of lower layers (ARCHITECTURE.md)."""
import re

from sources import c_files, finish, name_of

LAYERS = {
    "broker/base": 0, "broker/config": 0,
    "broker/runtime": 1, "broker/net": 1, "broker/wire": 1, "coordinator-client": 1,
    "broker/storage": 2,
    "broker/cluster": 3, "broker/security": 3,
    "broker/replica": 4,
    "broker/coordinator": 5, "broker/controller": 5,
    "broker/service": 6,
    "broker/kafka": 7, "broker/native": 7, "broker/admin": 7,
}
# Same-layer looks that are allowed, each with its reason.
EXCEPTIONS = {
    ("broker/net", "broker/runtime"),          # a connection is pinned to an event loop
    ("broker/config", "broker/base"),          # values below values
    ("broker/storage", "broker/config"),
}
# What the control codec encodes are values that cluster/ defines.
VALUE_HEADERS = {"cluster/control_messages.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def folder_of(include):
    """The repository folder an include names, or None for generated and system headers."""
    head = include.rsplit("/", 1)[0] if "/" in include else ""
    if head == "coordinator-client":
        return head
    return "broker/" + head if "broker/" + head in LAYERS else None


def main():
    problems = []
    for path in c_files(folders=("broker", "coordinator-client")):
        own = name_of(path).rsplit("/", 1)[0]
        if own not in LAYERS or path.name == "cluster_manager.c":
            continue  # composition roots see everything
        for include in INCLUDE.findall(path.read_text()):
            target = folder_of(include)
            if target is None or target == own or include in VALUE_HEADERS:
                continue
            if LAYERS[target] < LAYERS[own] or (own, target) in EXCEPTIONS:
                continue
            problems.append(f"{name_of(path)}: includes {include}: {own} (L{LAYERS[own]}) may not see "
                            f"{target} (L{LAYERS[target]})")
    finish("layers", problems)


main()
