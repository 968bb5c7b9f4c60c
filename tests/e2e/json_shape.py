#!/usr/bin/env python3
"""json_shape MAN-PAGE SECTION FILE... - is the shape of these JSON documents the one that the section documents?

A documented member is a line ".It Va PATH Pq TYPE", where TYPE is a type of JSON, perhaps with " or null" and with
", optional" behind it. Whatever is in a document must be documented with its type, what is not optional must be in
each object that should have it, and all that is documented must be in one of the documents at least.
"""

import json
import re
import sys


def documented(page, section):
    members = {}
    here = False
    with open(page, encoding="ascii") as lines:
        for line in lines:
            if line.startswith((".Ss ", ".Sh ")):
                here = line[4:].strip() == section
            found = here and re.fullmatch(r"\.It Va (\S+) Pq ([a-z]+)( or null)?(, optional)?\n", line)
            if found:
                path, kind, null, optional = found.groups()
                members[path] = ({kind, "null"} if null else {kind}, not optional)
    return members


def kind_of(value):
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds[type(value)]


def walk(value, path, visit):
    visit(path, value)
    if isinstance(value, dict):
        for name, member in value.items():
            walk(member, f"{path}.{name}" if path else name, visit)
    elif isinstance(value, list):
        for member in value:
            walk(member, path + "[]", visit)


def parent_of(path):
    return path.rpartition(".")[0]


def main():
    page, section, *files = sys.argv[1:]
    members = documented(page, section)
    faults = [] if members else [f"nothing is documented in {section}"]
    seen = set()

    def visit(path, value):
        kind = kind_of(value)
        # What an array's objects are is said by their members.
        known = members.get(path, ({"object"} if path == "" or path.endswith("[]") else set(), False))[0]
        seen.add(path)
        if kind not in known:
            faults.append(f"{path} is of type {kind}, documented is {' or '.join(known) or 'nothing'}")
        if kind != "object":
            return
        for member, (_, needed) in members.items():
            name = member.rpartition(".")[2]
            if needed and parent_of(member) == path and not name.endswith("[]") and name not in value:
                faults.append(f"{member} is missing")

    for name in files:
        with open(name, encoding="ascii") as document:
            walk(json.load(document), "", visit)
    faults += [f"{member} is in none of the documents" for member in members if member not in seen]
    print("\n".join(sorted(set(faults))))
    return 1 if faults else 0


sys.exit(main())
