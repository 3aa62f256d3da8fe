#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""codes.py [--write]: the table of error codes in docs/http-api.md is the one in src/vocabulary/error.cpp."""
import pathlib
import re
import sys

import generated_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "http-api.md"
BEGIN, END = "<!-- codes:", "<!-- end of codes -->"


def table():
    source = (ROOT / "src/vocabulary/error.cpp").read_text(encoding="utf-8")
    rows = re.findall(r'\{\s*Code::(\w+),\s*"(\w+)",\s*(\d+),\s*"([^"]+)",\s*(again|final),\s*"([^"]+)"\s*\}', source)
    header = (ROOT / "include/fedgate/error.h").read_text(encoding="utf-8")
    names = re.findall(r"^\s+(\w+),", re.search(r"enum class Code[^{]*\{(.*?)\};", header, re.S).group(1), re.M)
    if [row[0] for row in rows] != names:
        raise SystemExit(f"codes.py no longer understands src/vocabulary/error.cpp: {len(rows)} of {len(names)} codes read")
    on_the_wire = rows[:names.index("invalid_configuration")]
    lines = ["| code | status | title | retry | what to do |", "|---|---|---|---|---|"]
    lines += [f"| `{wire}` | {status} | {title} | {'yes' if retry == 'again' else 'no'} | {advice} |"
              for _, wire, status, title, retry, advice in on_the_wire]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(generated_table.keep(
        PAGE, BEGIN, END, table(),
        "docs/http-api.md does not list the codes of src/vocabulary/error.cpp; run tests/docs/codes.py --write"))
