#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""audit_recipe.py [--write] FEDGATE: docs/audit.md shows examples/check_export.py as it is, and what it says of logs,
whole and tampered with, is what `fedgate audit verify` says."""
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import generated_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "check_export.py"
PAGE = ROOT / "docs" / "audit.md"
BEGIN, END = "<!-- check_export.py:", "<!-- end of check_export.py -->"
LOG = "orga.example/fedgate/log/a/1"


def shown():
    return "```python\n" + SCRIPT.read_text(encoding="utf-8").rstrip("\n") + "\n```"


class Signer:
    """An Ed25519 key of openssl's making, as a log or a witness uses it."""

    def __init__(self, folder, name, kind):
        self.name, self.kind, self.file = name, kind, folder / name.replace("/", "-")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.file], check=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.file, "-pubout", "-outform", "DER"], check=True,
                             stdout=subprocess.PIPE).stdout
        self.key = bytes([kind]) + der[-32:]
        self.short = hashlib.sha256(name.encode() + b"\n" + self.key).digest()[:4]
        self.vkey = f"{name}+{self.short.hex()}+{base64.b64encode(self.key).decode()}"

    def line(self, text, seconds=0):
        stated, message = b"", text.encode()
        if self.kind == 4:
            stated, message = seconds.to_bytes(8, "big"), f"cosignature/v1\ntime {seconds}\n{text}".encode()
        with tempfile.NamedTemporaryFile() as file:
            file.write(message)
            file.flush()
            signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.file, "-rawin", "-in", file.name],
                                       check=True, stdout=subprocess.PIPE).stdout
        return f"\u2014 {self.name} {base64.b64encode(self.short + stated + signature).decode()}\n"


def root_of(leaves):
    """RFC 6962 section 2.1, as it is defined."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def leaf(index, **more):
    members = {"event": "configuration_changed", "index": index, "log": LOG, "phase": "event",
               "principal": "root", "time": f"2026-11-20T09:00:{index:02}.000000Z", "v": 1, **more}
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


def checkpoint(leaves, log, witness):
    text = f"{LOG}\n{len(leaves)}\n{base64.b64encode(root_of(leaves)).decode()}\n"
    return text + "\n" + log.line(text) + witness.line(text, 1795165200)


def write(folder, leaves, note, pruned=0):
    folder.mkdir(parents=True)
    lines = ["- " + hashlib.sha256(b"\0" + each).hexdigest() if i < pruned
             else base64.b64encode(each).decode() for i, each in enumerate(leaves)]
    (folder / "leaves").write_text("".join(line + "\n" for line in lines))
    (folder / "checkpoint").write_text(note)
    return folder


def main(arguments):
    write_page = "--write" in arguments
    status = generated_table.keep(PAGE, BEGIN, END, shown(),
                                  "docs/audit.md does not show examples/check_export.py; run tests/docs/audit_recipe.py --write FEDGATE")
    programs = [os.path.abspath(word) for word in arguments if not word.startswith("-")]
    if status or write_page or not programs:
        return status
    if not shutil.which("openssl"):
        print("skipped: openssl is not installed")
        return 77
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        log, witness = Signer(place, LOG, 1), Signer(place, "orgb.example/fedgate/witness", 4)
        whole = [leaf(i) for i in range(21)]
        note = checkpoint(whole, log, witness)
        kept = place / "kept"
        kept.write_text(checkpoint(whole[:8], log, witness) + "\n" + checkpoint(whole[:13], log, witness))
        other = [leaf(i, principal="mallory") for i in range(21)]
        edited = [*whole[:10], leaf(10, principal="mallory"), *whole[11:]]
        swapped = [*whole[:4], whole[5], whole[4], *whole[6:]]
        cases = {
            "whole": (0, write(place / "whole", whole, note)),
            "pruned": (0, write(place / "pruned", whole, note, 6)),
            "empty": (1, write(place / "empty", [], checkpoint([], log, witness))),
            "edited": (1, write(place / "edited", edited, note)),
            "deleted": (1, write(place / "deleted", whole[:5] + whole[6:], note)),
            "swapped": (1, write(place / "swapped", swapped, note)),
            "added": (1, write(place / "added", whole[:5] + [whole[4]] + whole[5:], note)),
            "truncated": (1, write(place / "truncated", whole[:19], note)),
            "old copy": (1, write(place / "old", whole[:10], checkpoint(whole[:10], log, witness))),
            "replaced": (1, write(place / "replaced", other, checkpoint(other, log, witness))),
        }
        (place / "forged").mkdir()
        forged = write(place / "forged" / "x", whole, note.replace("\n21\n", "\n20\n"))
        cases["forged"] = (1, forged)
        for name, (wanted, export) in cases.items():
            python = subprocess.run([sys.executable, "-B", SCRIPT, export, log.vkey, witness.vkey, kept],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            ours = subprocess.run([programs[0], "audit", "verify", "--export", export, "--witness", kept,
                                   "--vkey", log.vkey, "--vkey", witness.vkey],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if python.returncode != wanted or ours.returncode != wanted:
                wrong += 1
                print(f"{name}: {wanted} was wanted; check_export.py ended with {python.returncode}:\n{python.stdout}"
                      f"fedgate ended with {ours.returncode}:\n{ours.stdout}")
    print(f"{len(cases)} logs, {wrong} judged wrongly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
