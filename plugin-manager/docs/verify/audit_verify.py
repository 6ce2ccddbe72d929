#!/usr/bin/env python3
"""Verifies an audit log of the ForgeOne Plugin Manager from its files and one public key.

Written from ../audit-log-format.md alone. Needs Python 3.9 or later and the package "cryptography" for Ed25519.

    audit_verify.py --key NAME+ID+KEY AUDIT_DIRECTORY [--from-checkpoint FILE]... [--witness NAME+ID+KEY]...
    audit_verify.py --key NAME+ID+KEY --proof PROOF --line LINE_FILE
    audit_verify.py --key NAME+ID+KEY --consistency PROOF --earlier CHECKPOINT

Exit status: 0 all is well, 1 a finding (one line on standard error, "kind: place: what"), 2 wrong use.
"""

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NO_LINE = "0" * 64
DASH = "\u2014 "
SEGMENT = re.compile(r"[0-9]{10}\.jsonl")


class Found(Exception):
    """What is wrong: a kind of the format's section "Findings", and where."""

    def __init__(self, kind, place, what):
        super().__init__(f"{kind}: {place}: {what}")
        self.kind = kind


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def leaf_hash(line):
    return sha256(b"\x00", line)


def node_hash(left, right):
    return sha256(b"\x01", left, right)


class Tree:
    """The right edge of an RFC 6962 tree: the roots of its perfect subtrees, largest first."""

    def __init__(self, size=0, hashes=()):
        self.size, self.hashes = size, list(hashes)
        if len(self.hashes) != bin(size).count("1"):
            raise ValueError("these hashes do not belong to a tree of this size")

    def push(self, leaf):
        top, bits = leaf, self.size
        while bits & 1:
            top, bits = node_hash(self.hashes.pop(), top), bits >> 1
        self.hashes.append(top)
        self.size += 1

    def root(self):
        if not self.hashes:
            return sha256()
        top = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            top = node_hash(left, top)
        return top


def decoded(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


class Key:
    """A verifier key of the C2SP signed-note form, `name+id+key`, of one signature type."""

    def __init__(self, text, kind):
        name, _, rest = text.partition("+")
        ident, _, key = rest.partition("+")
        raw = decoded(key) or b""
        if len(raw) != 33 or raw[0] != kind:
            raise ValueError(f"not a verifier key of type {kind}: {text}")
        self.name, self.kind, self.key = name, kind, Ed25519PublicKey.from_public_bytes(raw[1:])
        self.id = sha256(name.encode(), b"\n", raw)[:4]
        if self.id.hex() != ident:
            raise ValueError(f"the key id is another key's: {text}")

    def signs(self, signature, message):
        try:
            self.key.verify(signature, message)
            return True
        except InvalidSignature:
            return False


class Checkpoint:
    def __init__(self, origin, size, root, note):
        self.origin, self.size, self.root, self.note = origin, size, root, note


def signatures(note):
    """(name, id, signature) of each signature line."""
    _, _, lines = note.partition("\n\n")
    for line in lines.split("\n")[:64]:
        if line.startswith(DASH):
            name, _, encoded = line[len(DASH):].partition(" ")
            raw = decoded(encoded) or b""
            if len(raw) > 4:
                yield name, raw[:4], raw[4:]


def open_note(note, key, place):
    """The checkpoint in a signed note that `key` signed."""
    body, separator, _ = note.partition("\n\n")
    lines = body.split("\n")
    root = decoded(lines[2]) if len(lines) == 3 else None
    if not separator or root is None or len(root) != 32 or not re.fullmatch(r"0|[1-9][0-9]*", lines[1]):
        raise Found("bad_checkpoint", place, "it is not a signed checkpoint")
    own = [(ident, signature) for name, ident, signature in signatures(note) if name == lines[0]]
    if lines[0] != key.name or not any(ident == key.id for ident, _ in own):
        raise Found("wrong_key", place, f"no signature of {key.name}")
    if not any(ident == key.id and key.signs(signature, (body + "\n").encode()) for ident, signature in own):
        raise Found("bad_checkpoint", place, "its signature does not match")
    return Checkpoint(lines[0], int(lines[1]), root, note)


def cosignatures(note, witnesses):
    """(witness name, seconds since 1970) of each cosignature of these witnesses."""
    body, _, _ = note.partition("\n\n")
    for witness in witnesses:
        for name, ident, rest in signatures(note):
            if (name, ident) != (witness.name, witness.id):
                continue
            time = int.from_bytes(rest[:8], "big")
            message = f"cosignature/v1\ntime {time}\n{body}\n".encode()
            if not witness.signs(rest[8:], message):
                raise Found("bad_cosignature", name, "it does not match")
            yield name, time


def notes_in(text):
    """The notes of a file: one note, or one JSON string a line."""
    if not text.startswith('"'):
        return [text]
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def history(directory, current):
    """The notes of `checkpoints`. Its last line may be the unfinished beginning of the current checkpoint's."""
    path = directory / "checkpoints"
    if not path.exists():
        return
    lines = path.read_bytes().split(b"\n")
    torn = lines.pop()
    for number, line in enumerate(lines, 1):
        try:
            yield number, json.loads(line)
        except ValueError:
            raise Found("bad_checkpoint", f"checkpoints, line {number}", "it is not a JSON string") from None
    ours = ('"' + current.replace("\n", "\\n").replace('"', '\\"')).encode()
    if torn and not ours.startswith(torn[: len(ours)]):
        raise Found("bad_checkpoint", "checkpoints", "its last line is no beginning of the checkpoint's")


class Base:
    """Where a log begins whose first segments were removed: the file `removed`."""

    def __init__(self, directory, key):
        self.segment, self.size, self.prev, self.tree = 0, 0, NO_LINE, Tree()
        path = directory / "removed"
        self.present = path.exists()
        if not self.present:
            return
        lines = path.read_text(encoding="utf-8").split("\n")
        checkpoint = open_note(json.loads(lines[0]), key, "removed")
        segment, _, last = lines[1].partition(" ")
        self.segment, self.size = int(segment), checkpoint.size
        self.tree = Tree(self.size - 1, [decoded(line) for line in lines[2:] if line])
        self.tree.push(decoded(last))
        self.prev = decoded(last).hex()
        if self.tree.root() != checkpoint.root:
            raise Found("bad_checkpoint", "removed", "it does not lead to its checkpoint's root")


def segments(directory, base):
    numbers = sorted(int(path.stem) for path in directory.iterdir() if SEGMENT.fullmatch(path.name))
    numbers = [number for number in numbers if number > base.segment]
    for want, number in enumerate(numbers, base.segment + 1):
        if want != number:
            raise Found("deleted", f"{want:010}.jsonl", "the segment is missing")
    return numbers


def records(directory, numbers):
    """(place, line, whether it is the torn end of the last segment) of every line."""
    for number in numbers:
        with open(directory / f"{number:010}.jsonl", "rb") as file:
            for at, line in enumerate(file, 1):
                place = f"{number:010}.jsonl, line {at}"
                if line.endswith(b"\n"):
                    yield place, line[:-1], False
                elif number == numbers[-1]:
                    yield place, line, True
                else:
                    raise Found("edited", place, "the line has no end")


class Walk:
    """Every line against the one before, every checkpoint against the tree."""

    def __init__(self, directory, key, kept):
        # The history before the checkpoint, both before the segments: what a writer adds meanwhile disagrees with nothing.
        past = directory / "checkpoints"
        before = past.stat().st_size if past.exists() else 0
        note = (directory / "checkpoint").read_text(encoding="utf-8")
        self.checkpoint = open_note(note, key, "checkpoint")
        self.base = Base(directory, key)
        self.tree, self.prev = self.base.tree, self.base.prev
        self.removal_told = not self.base.present
        self.due, size = {}, 0
        for number, text in history(directory, note):
            earlier = open_note(text, key, f"checkpoints, line {number}")
            if earlier.size < size:
                raise Found("reordered", f"checkpoints, line {number}", "it covers less than the one before")
            size = earlier.size
            self.due.setdefault(earlier.size, []).append(("checkpoints", earlier))
        if size > self.checkpoint.size and past.stat().st_size == before:
            raise Found("rolled_back", "checkpoint", f"an earlier one, in checkpoints, covers {size} records")
        for place, text in kept:
            outside = open_note(text, key, place)
            self.due.setdefault(outside.size, []).append((place, outside))
        self.kept = {place for place, _ in kept}
        self.due.setdefault(self.checkpoint.size, []).append(("checkpoint", self.checkpoint))
        self.rewritten, self.checked = None, 0

    def compare(self, place_of_line):
        for place, checkpoint in self.due.pop(self.tree.size, []):
            if checkpoint.root == self.tree.root():
                self.checked += 1
            elif place in self.kept:
                self.rewritten = self.rewritten or Found(
                    "rewritten", place, f"the log has another root after {checkpoint.size} records"
                )
            else:
                what = f"the first {checkpoint.size} records do not have the root that was signed"
                raise Found("root_mismatch", place_of_line, what)

    def step(self, place, line):
        try:
            record = json.loads(line)
            seq, prev = record["seq"], record["prev"]
        except (ValueError, KeyError, TypeError):
            raise Found("edited", place, "the line is not a record") from None
        fits = prev == self.prev
        if seq != self.tree.size:
            kind = "edited" if fits else "deleted" if seq > self.tree.size else "reordered"
            raise Found(kind, place, f"record {seq} is in the place of record {self.tree.size}")
        if not fits:
            raise Found("edited", place, "it and the line before it do not fit: one of them was changed")
        if self.tree.size == self.base.size and record.get("node") != self.checkpoint.origin:
            raise Found("wrong_log", place, f"the record is of {record.get('node')}")
        if not self.removal_told and self.tree.size < self.checkpoint.size:
            self.removal_told = self.tells_of_removal(record)
        leaf = leaf_hash(line)
        self.tree.push(leaf)
        self.prev = leaf.hex()

    def tells_of_removal(self, record):
        return (
            record.get("action") == "segments_removed"
            and record.get("actor", {}).get("host") == "audit"
            and int(record.get("details", {}).get("last_segment", "0")) >= self.base.segment
        )

    def end(self, place):
        if self.tree.size < self.checkpoint.size:
            what = f"the log ends after {self.tree.size} records, the checkpoint covers {self.checkpoint.size}"
            raise Found("truncated", place, what)
        if self.rewritten:
            raise self.rewritten
        for size, late in self.due.items():
            for where, _ in late:
                if size > self.tree.size and where in self.kept:
                    raise Found("rolled_back", where, f"it covers {size} records, the log ends after {self.tree.size}")
        if not self.removal_told:
            raise Found("deleted", "removed", f"{self.base.size} records are gone and no signed record says so")


def verify(directory, key, kept, witnesses):
    cosigned = directory / "cosigned"
    seen = []
    if cosigned.exists():
        note = cosigned.read_text(encoding="utf-8")
        kept = kept + [("cosigned", note)]
        seen = list(cosignatures(note, witnesses))
    walk = Walk(directory, key, kept)
    numbers = segments(directory, walk.base)
    place, torn = "the log", 0
    walk.compare("checkpoint")
    for place, line, is_torn in records(directory, numbers):
        if is_torn:
            torn = len(line)
            break
        walk.step(place, line)
        walk.compare(place)
    walk.end(place)
    print(
        f"{walk.checkpoint.origin}: {walk.tree.size - walk.base.size} records in {len(numbers)} segments, "
        f"{walk.base.size} removed, {walk.checkpoint.size} signed for, {walk.checked} checkpoints, {torn} torn bytes, "
        f"root {walk.checkpoint.root.hex()}"
    )
    for name, time in seen:
        print(f"cosigned by {name} at {time}")


def root_of_path(index, size, leaf, path):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return None
    at, last, top = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            top = node_hash(sibling, top)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            top = node_hash(top, sibling)
        at, last = at >> 1, last >> 1
    return top if last == 0 else None


def is_consistent(old, old_root, size, root, path):
    """RFC 9162, 2.1.4.2. A tree of nothing begins every tree."""
    if old == 0 or old == size:
        return not path and (old_root == sha256() if old == 0 else old_root == root)
    if old > size or not path:
        return False
    path = ([old_root] if old & (old - 1) == 0 else []) + path
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, now = node_hash(sibling, before), node_hash(sibling, now)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            now = node_hash(now, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and now == root


def head_of(proof, first, place):
    """The number in the first line, the hashes, and the note of a proof."""
    head, separator, note = proof.partition("\n\n")
    lines = head.split("\n")
    if first == "index " and lines[0] == "c2sp.org/tlog-proof@v1":
        lines = lines[1:]
    path = [decoded(line) for line in lines[1:]]
    if not separator or not lines or not re.fullmatch(re.escape(first) + "[0-9]+", lines[0]) or not all(path):
        raise Found("bad_proof", place, "it is not a proof")
    return int(lines[0][len(first):]), path, note


def check_proof(key, proof, line):
    index, path, note = head_of(proof, "index ", "proof")
    checkpoint = open_note(note, key, "proof")
    if root_of_path(index, checkpoint.size, leaf_hash(line), path) != checkpoint.root:
        raise Found("bad_proof", "proof", "the record does not lead to the signed root")
    print(f"{checkpoint.origin}: this is record {index} of {checkpoint.size}")


def check_consistency(key, proof, earlier):
    old, path, note = head_of(proof, "old ", "proof")
    before, now = open_note(earlier, key, "earlier"), open_note(note, key, "proof")
    if before.size != old or not is_consistent(old, before.root, now.size, now.root, path):
        raise Found("bad_proof", "proof", "the later log does not continue the earlier one")
    print(f"{now.origin}: {now.size} records continue the {old} of the earlier checkpoint")


def main():
    parser = argparse.ArgumentParser(description="Verifies an audit log of the ForgeOne Plugin Manager.")
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--key", required=True, help="verifier key of the log, as `forgeone audit verify` prints it")
    parser.add_argument("--witness", action="append", default=[], help="verifier key of a witness")
    parser.add_argument("--from-checkpoint", action="append", default=[], type=Path)
    parser.add_argument("--proof", type=Path)
    parser.add_argument("--line", type=Path)
    parser.add_argument("--consistency", type=Path)
    parser.add_argument("--earlier", type=Path)
    args = parser.parse_args()
    try:
        key, witnesses = Key(args.key, 1), [Key(text, 4) for text in args.witness]
    except ValueError as error:
        parser.error(str(error))
    try:
        if args.proof and args.line:
            check_proof(key, args.proof.read_text(encoding="utf-8"), args.line.read_bytes().rstrip(b"\n"))
        elif args.consistency and args.earlier:
            earlier = notes_in(args.earlier.read_text(encoding="utf-8"))[-1]
            check_consistency(key, args.consistency.read_text(encoding="utf-8"), earlier)
        elif args.directory:
            kept = [
                (str(path), note)
                for path in args.from_checkpoint
                for note in notes_in(path.read_text(encoding="utf-8"))
            ]
            verify(args.directory, key, kept, witnesses)
        else:
            parser.error("name a directory, a proof with --line, or a proof of consistency with --earlier")
    except Found as found:
        print(found, file=sys.stderr)
        return 1
    except (OSError, ValueError, IndexError, TypeError) as error:
        print(f"unreadable: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
