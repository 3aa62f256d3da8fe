#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""reasons.py [--write]: the table of reasons in docs/trust.md is the one in src/trust/refusal.cpp."""
import pathlib
import re
import sys

import generated_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "trust.md"
BEGIN, END = "<!-- reasons:", "<!-- end of reasons -->"


def table():
    source = (ROOT / "src/trust/refusal.cpp").read_text(encoding="utf-8")
    rows = re.findall(r'ReasonInfo\{Reason::(\w+),\s*"(\w+)",\s*"([^"]+)"\s*\}', source)
    header = (ROOT / "src/trust/refusal.h").read_text(encoding="utf-8")
    names = re.findall(r"^\s+(\w+),", re.search(r"enum class Reason[^{]*\{(.*?)\};", header, re.S).group(1), re.M)
    if [row[0] for row in rows] != names:
        raise SystemExit(f"reasons.py no longer understands src/trust/refusal.cpp: {len(rows)} of {len(names)} reasons read")
    return "\n".join(["| reason | what it means |", "|---|---|"] + [f"| `{id}` | {meaning} |" for _, id, meaning in rows])


if __name__ == "__main__":
    sys.exit(generated_table.keep(
        PAGE, BEGIN, END, table(),
        "docs/trust.md does not list the reasons of src/trust/refusal.cpp; run tests/docs/reasons.py --write"))
