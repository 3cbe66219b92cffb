#!/usr/bin/env python3
"""Tables of docs/attacks.md from files of `attack_bench --json`, which may each hold a part.

usage: tables.py FILE…

One seed: percent above the plain mean without attackers, of the same data and seed. A rule that was run
with several seeds gets a table of its own: the median and the worst of them. Columns that are not there
for every attack are left out.
"""

import json
import statistics
import sys

ORDER = ["mean", "median", "clip", "krum", "neighbours", "centered", "gate", "full"]
TITLE = {"iid": "IID data", "skewed": "Strongly skewed data"}


def read(files):
    """{(data, percent, rule, attack): {seed: percent above clean}} and the clean losses."""
    cells, clean = {}, {}
    for name in files:
        with open(name, encoding="utf-8") as file:
            part = json.load(file)
        for cell in part["cells"]:
            percent = 0 if cell["attack"] == "none" else cell["percent"]
            key = (cell["data"], percent, cell["rule"], cell["attack"])
            cells.setdefault(key, {})[part["seed"]] = cell["above_clean_percent"]
            if key[2:] == ("mean", "none"):
                clean[(cell["data"], part["seed"])] = (cell["first"], cell["last"])
    return cells, clean


def text(value):
    if value is None:
        return ""
    return "lost" if value > 900 else f"{value:+.1f} %".replace("-0.0", "0.0").replace("+0.0", "0.0")


def table(head, columns, rows, worst=True):
    print(f"| {head} | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for name, values in rows:
        print(f"| {name} | " + " | ".join(map(text, values)) + " |")
    if worst:
        print("| **worst** | " + " | ".join(f"**{text(max(v))}**" for v in zip(*(r[1] for r in rows))) + " |")
    print()


def main(files):
    cells, clean = read(files)
    seeds = sorted({seed for values in cells.values() for seed in values})
    attacks = sorted({key[3] for key in cells} - {"none"})
    percents = sorted({key[1] for key in cells} - {0})

    def value(seed, *key):
        return cells.get(key, {}).get(seed)

    def whole(data, percent, rule, seed):
        return all(value(seed, data, percent, rule, one) is not None for one in attacks)

    for data, title in TITLE.items():
        if (data, seeds[0]) not in clean:
            continue
        first, last = clean[(data, seeds[0])]
        print(f"**{title}.** Without attackers the plain mean goes from {first:.4f} to {last:.4f} nats "
              f"(seed {seeds[0]}).\n")
        present = [rule for rule in ORDER if value(seeds[0], data, 0, rule, "none") is not None]
        table("0 % colluding", present,
              [("none", [value(seeds[0], data, 0, rule, "none") for rule in present])], worst=False)
        for percent in percents:
            present = [rule for rule in ORDER if whole(data, percent, rule, seeds[0])]
            if present:
                table(f"{percent} % colluding", present,
                      [(one, [value(seeds[0], data, percent, rule, one) for rule in present])
                       for one in attacks])
    if len(seeds) == 1:
        return
    print(f"**Seeds {', '.join(map(str, seeds))}.** Median and worst of them.\n")
    for rule in ORDER:
        columns, rows = [], {one: [] for one in ["none", *attacks]}
        for data in TITLE:
            for percent in percents:
                if not all(whole(data, percent, rule, seed) for seed in seeds):
                    continue
                columns += [f"{data} {percent} %: median", "worst"]
                for one, values in rows.items():
                    of = [value(seed, data, percent if one != "none" else 0, rule, one)
                          for seed in seeds]
                    values += [statistics.median(of), max(of)]
        if columns:
            table(rule, columns, list(rows.items()))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
