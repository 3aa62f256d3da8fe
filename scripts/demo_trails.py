#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""demo_trails.py CALLS.jsonl TRAIL_A.json TRAIL_B.json: two organisations' trails side by side, and whether they agree.

For each call (its correlation id, and who must have seen it) both sides must tell the same principal, resource,
capability, outcome and code, and each must hold the hash of the other's leaf: the origin that of the target's
outcome, the target of a write that of the origin's intent. Exits 1 where they do not."""
import json
import sys
from collections import defaultdict

MUST_AGREE = ("principal", "resource", "capability", "outcome", "code")


def trail(path):
    text = json.load(open(path, encoding="utf-8"))
    events = text["events"] if isinstance(text, dict) else text
    calls = defaultdict(list)
    for event in sorted(events, key=lambda e: e["index"]):
        if event.get("correlation_id"):
            calls[event["correlation_id"]].append(event)
    return calls


def one(events, phase):
    found = [e for e in events if e["phase"] == phase]
    return found[0] if len(found) == 1 else None


def holds(event, leaf):
    counterparty = event.get("counterparty") or {}
    return (counterparty.get("leaf_hash") or counterparty.get("hash")) == leaf["leaf_hash"]


def problems(saw, ours, theirs):
    origin = one(ours, "outcome")
    if origin is None:
        return ["A has not exactly one outcome"]
    if saw == "a":
        return ["B has a record of a call that never reached it"] if theirs else []
    target = one(theirs, "outcome")
    if target is None:
        return ["B has not exactly one outcome"]
    found = [f"{key}: A says {origin[key] or '-'}, B says {target[key] or '-'}" for key in MUST_AGREE if origin[key] != target[key]]
    if not holds(origin, target):
        found.append("A does not hold the hash of B's outcome")
    intent, target_intent = one(ours, "intent"), one(theirs, "intent")
    if target_intent is not None and intent is None:
        found.append("B recorded an intent, A did not")
    if target_intent is not None and intent is not None and not holds(target_intent, intent):
        found.append("B does not hold the hash of A's intent")
    return found


def cells(events):
    lines = []
    for e in events:
        words = [f"#{e['index']}", e["outcome"] or e["phase"]]
        if e["code"]:
            words.append(e["code"])
        if e["rule"]:
            words.append(f"({e['decision']}: {e['rule']})")
        words.append(e["leaf_hash"][:8])
        if e.get("counterparty"):
            words.append("← " + (e["counterparty"].get("leaf_hash") or e["counterparty"].get("hash"))[:8])
        lines.append(" ".join(words))
    return lines or ["-"]


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    calls = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    ours, theirs = trail(sys.argv[2]), trail(sys.argv[3])
    bad = 0 if calls else 1
    rows = []
    for call in calls:
        key = call["correlation_id"]
        found = problems(call["saw"], ours.get(key, []), theirs.get(key, [])) if key else ["the answer had no correlation id"]
        bad += bool(found)
        rows.append((call["step"], key, cells(ours.get(key, [])), cells(theirs.get(key, [])), found))
    width = max([len("orga.example")] + [len(line) for row in rows for line in row[2]])
    print("  (# index, what was recorded, by which rule, its leaf's hash ← the hash of the other side's leaf that it holds)")
    print(f"     {'orga.example':{width}} | orgb.example")
    for step, key, left, right, found in rows:
        print(f"  {step}. {key}  {'✗ ' + '; '.join(found) if found else '✓'}")
        for i in range(max(len(left), len(right))):
            print(f"     {left[i] if i < len(left) else '':{width}} | {right[i] if i < len(right) else ''}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
