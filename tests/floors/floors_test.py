#!/usr/bin/env python3
"""A folder includes only folders below it, and only trainer/torch knows torch (ARCHITECTURE.md).

Reads the #include lines of every source file. The floors are listed once, here.
"""
import pathlib
import re
import sys

# What each room may include besides itself.
ALLOWED = {
    "base": set(),
    "record": {"base"},
    "log": {"base"},
    "format": {"base"},
    "fold": {"base", "record", "log", "format"},
    "exact": {"base", "format"},
    "port": {"base", "record", "log"},
    "role": {"base", "record", "log", "format", "fold", "port"},
    "hub": {"base", "record", "log", "format", "fold", "port"},
    "store": {"base", "record", "log", "format", "port", "hub"},
    "net": {"base", "log", "fold", "port", "hub", "store"},
    "node": {"base", "record", "log", "format", "exact", "fold", "role", "port", "store"},
}
ALLOWED["cli"] = set(ALLOWED)
# Pure floors: no clock, thread, file or socket.
PURE = {"base", "record", "log", "format", "fold", "exact", "port", "role"}
IMPURE_HEADERS = re.compile(
    r"<(thread|mutex|condition_variable|future|fstream|filesystem|chrono|iostream|unistd\.h|"
    r"sys/socket\.h|fcntl\.h|sys/stat\.h|sys/mman\.h|curl/|boost/|sqlite3\.h)")
INCLUDE = re.compile(r'^\s*#\s*include\s*("([^"]+)"|<[^>]+>)')


def problems(root):
    for path in sorted((root / "src").rglob("*")) + sorted((root / "trainer").rglob("*")):
        if path.suffix not in {".h", ".cpp"}:
            continue
        parts = path.relative_to(root).parts
        room = parts[1] if parts[0] == "src" else "trainer/" + parts[1]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            place = f"{path.relative_to(root)}:{number}"
            if re.search(r"<(torch|ATen|c10)/", line) and room != "trainer/torch":
                yield f"{place}: only trainer/torch may know torch"
            if room in PURE and IMPURE_HEADERS.search(line):
                yield f"{place}: a pure room includes {match.group(1)}"
            if not match.group(2) or "/" not in match.group(2):
                continue
            target = match.group(2).split("/")[0]
            if target == "trainer":
                if not room.startswith("trainer/"):
                    yield f"{place}: {room} includes the trainer"
            elif room.startswith("trainer/"):
                if target not in {"base", "format", "exact"}:
                    yield f"{place}: {room} includes {target}"
            elif target != room and target in ALLOWED and target not in ALLOWED[room]:
                yield f"{place}: {room} may not include {target}"


def main():
    root = pathlib.Path(sys.argv[1])
    rooms = {path.name for path in (root / "src").iterdir() if path.is_dir()}
    found = list(problems(root)) + [f"src/{room}: no floor is given for this room"
                                    for room in sorted(rooms - set(ALLOWED))]
    print("\n".join(found) or f"{len(rooms)} rooms keep to their floors")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
