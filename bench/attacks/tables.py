#!/usr/bin/env python3
"""Tables of docs/attacks.md from files of `attack_bench --json`, which may each hold a part.

usage: tables.py FILE…

Percent above the plain mean without attackers, of the same data and seed: for the first seed of all, attack
by attack; of several seeds the worst of each rule, and for `full` each attack's median and worst. Columns that
are not there for every attack are left out.
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
    print(f"**Seeds {', '.join(map(str, seeds))}.** The worst of them, of all attacks.\n")
    several = [(data, percent) for data in TITLE for percent in [0, *percents]]

    def worst(data, percent, rule):
        """None unless all was run with all seeds."""
        of = ["none"] if percent == 0 else attacks
        values = [value(seed, data, percent, rule, one) for seed in seeds for one in of]
        return None if None in values else max(values)

    several = [one for one in several if worst(*one, "full") is not None]
    present = [rule for rule in ORDER if all(worst(*one, rule) is not None for one in several)]
    table("worst", present,
          [(f"{'IID' if data == 'iid' else data}, {f'{percent} % colluding' if percent else 'no attacker'}",
            [worst(data, percent, rule) for rule in present]) for data, percent in several], worst=False)
    print("The default judge (`full`), attack by attack: median and worst of the seeds.\n")
    columns, rows = [], {one: [] for one in ["none", *attacks]}
    for data, percent in [one for one in several if one[1] != 0]:
        columns += [f"{data} {percent} %: median", "worst"]
        for one, values in rows.items():
            of = [value(seed, data, percent if one != "none" else 0, "full", one) for seed in seeds]
            values += [statistics.median(of), max(of)]
    table("full", columns, list(rows.items()))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
