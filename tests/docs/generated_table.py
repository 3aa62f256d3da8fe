# SPDX-License-Identifier: Apache-2.0
"""A table in a document that is made from the source: compared, or with --write written anew, between its two marks."""
import sys


def keep(page, begin, end, table, complaint):
    """The exit status. `begin` opens a comment on a line of its own, `end` is a whole comment."""
    text = page.read_text(encoding="utf-8")
    head, rest = text.split(begin, 1)
    comment, rest = rest.split("\n", 1)
    tail = rest.split(end, 1)[1]
    wanted = f"{head}{begin}{comment}\n\n{table}\n\n{end}{tail}"
    if sys.argv[1:] == ["--write"]:
        page.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        print(complaint)
        return 1
    return 0
