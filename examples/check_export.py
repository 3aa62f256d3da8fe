#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_export.py EXPORT VKEY... [NOTE...]: check an exported audit log with Python's standard library and openssl.

EXPORT: a directory with `leaves` and `checkpoint`. VKEY: a verifier key that you trust (NAME+HASH+KEY), of the log or of
a witness. NOTE: a file with signed checkpoints of this log that somebody else has kept. Exit status 0: it all fits."""
import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

DASH = "\u2014 "  # begins a signature line


def read_key(text):
    """NAME+HASH+KEY: the hash is that of name and key, the key's first byte its type."""
    name, short, material = text.split("+", 2)
    key = base64.b64decode(material, validate=True)
    if hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] != short or len(key) != 33 or key[0] not in (1, 4):
        raise SystemExit(f"{name}: not an Ed25519 verifier key")
    return name, bytes.fromhex(short), key[0], key[1:]


def ed25519_holds(key, message, signature):
    """What openssl says; the twelve bytes make an X.509 public key of the raw one."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + key)
        (place / "message").write_bytes(message)
        (place / "signature").write_bytes(signature)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", place / "key",
                               "-rawin", "-in", place / "message", "-sigfile", place / "signature"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def signers(text, lines, keys):
    """Who of the keys has signed. A wrong signature of one of them makes the note worthless."""
    found = []
    for line in lines:
        name, encoded = line.removeprefix(DASH).rsplit(" ", 1)
        signature = base64.b64decode(encoded)
        for key_name, short, kind, key in keys:
            if (name, signature[:4]) != (key_name, short):
                continue
            message, rest, when = text.encode(), signature[4:], ""
            if kind == 4:  # a witness states the time, which it signs too
                seconds = int.from_bytes(rest[:8], "big")
                message, rest = f"cosignature/v1\ntime {seconds}\n{text}".encode(), rest[8:]
                when = f" (a witness, at {seconds} s)"
            if not ed25519_holds(key, message, rest):
                raise SystemExit(f"the signature of {name} is not valid")
            found.append(name + when)
    return found


def read_notes(path, keys):
    """Each checkpoint of the file: (size, root, origin, who signed)."""
    text, lines = "", []
    for line in [*pathlib.Path(path).read_text().split("\n"), None]:
        if line is None or (lines and not line.startswith(DASH)):
            if lines:
                origin, size, root = text.split("\n")[:3]
                yield int(size), base64.b64decode(root), origin, signers(text, lines, keys)
            text, lines = "", []
        if line and line.startswith(DASH):
            lines.append(line)
        elif line:
            text += line + "\n"


def pair(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """RFC 6962: keeps the roots of the full subtrees, the largest first."""

    def __init__(self):
        self.size, self.full = 0, []

    def add(self, leaf_hash):
        bits = self.size
        while bits & 1:
            leaf_hash, bits = pair(self.full.pop(), leaf_hash), bits >> 1
        self.full.append(leaf_hash)
        self.size += 1

    def root(self):
        if not self.full:
            return hashlib.sha256(b"").digest()
        root = self.full[-1]
        for left in reversed(self.full[:-1]):
            root = pair(left, root)
        return root


def main(export, *rest):
    keys = [read_key(word) for word in rest if word.count("+") >= 2 and not pathlib.Path(word).exists()]
    files = [pathlib.Path(export, "checkpoint"), *(word for word in rest if pathlib.Path(word).exists())]
    heads = {}
    for path in files:
        for size, root, origin, who in read_notes(path, keys):
            heads.setdefault(size, []).append((root, origin, who, path))
    wrong, proven, tree = 0, 0, Tree()

    def compare():
        nonlocal wrong, proven
        for root, origin, who, path in heads.pop(tree.size, []):
            fits = root == tree.root()
            print(f"{'fits ' if fits else 'WRONG'} size {tree.size} of {origin}, {path}: signed by {', '.join(who) or 'no key you trust'}")
            wrong += not fits
            proven = tree.size if fits and who else proven

    compare()
    with open(pathlib.Path(export, "leaves"), encoding="ascii") as lines:
        for index, line in enumerate(lines):
            line = line.strip()
            if line.startswith("-"):  # pruned: only its hash is left
                tree.add(bytes.fromhex(line[1:]))
            else:
                leaf = base64.b64decode(line)
                if json.loads(leaf)["index"] != index:
                    print(f"WRONG leaf {index} says that it is {json.loads(leaf)['index']}")
                    wrong += 1
                tree.add(hashlib.sha256(b"\0" + leaf).digest())
            compare()
    for size in sorted(heads):
        print(f"WRONG size {size} was signed, {tree.size} leaves are here: the end is missing")
        wrong += 1
    print(f"{tree.size} leaves; {proven} of them proven by keys you trust; {wrong} contradictions")
    return 1 if wrong or (keys and not proven) else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    sys.exit(main(*sys.argv[1:]))
