"""One repository in three states, so that a single fault can be put into the second.

`before` is what a client trusted earlier, `after` is what comes once the fault is gone. Versions leave gaps, so that
there is always one in between.
"""

import copy
import hashlib
import json
import os

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, SuccinctRoles, TargetFile, Targets, Timestamp,
)

from writer import EXPIRES

BINS = ["bin-0", "bin-1", "bin-2", "bin-3"]
# Listed in every snapshot, for a chain that one fault makes.
LEVELS = [f"level-{n}" for n in range(40)]
# Those that are listed come after those that list them.
ORDER = ["root", "timestamp", "snapshot", "targets", "bins", *BINS, "nested", "deeper", "claims"]
DESCRIBED = {"targets", "bins", *BINS, "claims"}
CONTENT = {f"simple/p{n}/page": "bin-?" for n in range(16)} | {
    "plain.txt": "targets", "simple/six/page": "bin-?", "nested/a.txt": "nested", "nested/deep.txt": "deeper",
    "claimed/x": "claims",
}


class Keys:
    """Made once: all states and faults share them."""

    def __init__(self):
        names = ("root1", "root2", "new1", "new2", "timestamp", "snapshot", "targets", "online", "stranger")
        self.by_name = {name: CryptoSigner.generate_ed25519() for name in names}

    def __getitem__(self, name):
        return self.by_name[name]


def signed_part(signed):
    return Metadata(signed).to_dict()["signed"]


def role_with(name, keys, paths=None, prefixes=None):
    return DelegatedRole(name, [keys["online"].public_key.keyid], 1, False, paths, prefixes)


class Repository:
    """The signed parts as JSON, and who signs them. Faults reach in; `publish` makes the files."""

    def __init__(self, keys, version, roots):
        self.keys, self.version, self.roots = keys, version, roots
        self.files, self.targets = {}, {}
        self.edits, self.envelopes, self.spoils, self.late = [], [], [], []
        self.signers = {role: [keys["online"]] for role in ORDER}
        self.signers |= {role: [keys[role]] for role in ("timestamp", "snapshot", "targets")}
        self.signers["root"] = [keys["root1"], keys["root2"]]
        self.signed = self.parts()

    def parts(self):
        keys, version = self.keys, self.version
        online = {keys["online"].public_key.keyid: keys["online"].public_key}
        roles = {name: Targets(version, expires=EXPIRES) for name in ("targets", "bins", *BINS, "nested", "deeper", "claims")}
        prefix = hashlib.sha256(b"claimed/x").hexdigest()[:3]
        delegated = [
            role_with("bins", keys, ["simple/*/*"]),
            role_with("claims", keys, prefixes=[prefix]),
            role_with("nested", keys, ["nested/*"]),
        ]
        succinct = SuccinctRoles([*online], 1, 2, "bin")
        roles["targets"].delegations = Delegations(online, {role.name: role for role in delegated})
        roles["bins"].delegations = Delegations(online, succinct_roles=succinct)
        roles["nested"].delegations = Delegations(online, {"deeper": role_with("deeper", keys, ["nested/d*"])})
        for path, role in CONTENT.items():
            role = succinct.get_role_for_target(path) if role == "bin-?" else role
            roles[role].targets[path] = TargetFile.from_data(path, path.encode(), ["sha256"])
            self.targets[self.served_as(path)] = path.encode()
        root = Root(self.roots, expires=EXPIRES, consistent_snapshot=True)
        for role in ("timestamp", "snapshot", "targets"):
            root.add_key(keys[role].public_key, role)
        for name in ("root1", "root2"):
            root.add_key(keys[name].public_key, "root")
        root.roles["root"].threshold = 2
        listed = [*roles, *LEVELS]
        snapshot = Snapshot(version, expires=EXPIRES, meta={f"{name}.json": MetaFile(version) for name in listed})
        timestamp = Timestamp(version, expires=EXPIRES, snapshot_meta=MetaFile(version))
        all_roles = {"root": root, "timestamp": timestamp, "snapshot": snapshot, **roles}
        return {name: signed_part(role) for name, role in all_roles.items()}

    @staticmethod
    def served_as(path):
        directory, name = os.path.split(path)
        return os.path.join(directory, f"{hashlib.sha256(path.encode()).hexdigest()}.{name}")

    def bin_of(self, path):
        return SuccinctRoles([], 1, 2, "bin").get_role_for_target(path)

    def edit(self, role, change):
        """Changes the signed part just before it is signed."""
        self.edits.append((role, change))

    def set(self, role, **fields):
        self.edit(role, lambda signed: signed.update(fields))

    def drop(self, role, *path):
        """Takes a field out, at the end of `path`."""
        def change(signed):
            for step in path[:-1]:
                signed = signed[step]
            del signed[path[-1]]
        self.edit(role, change)

    def envelope(self, role, change):
        """Changes the signatures, and what stands beside them."""
        self.envelopes.append((role, change))

    def spoil(self, role, change):
        """Changes the bytes; those who list the role describe it as it is then."""
        self.spoils.append((role, change))

    def file_name(self, role):
        return {"root": f"{self.roots}.root.json", "timestamp": "timestamp.json"}.get(role, f"{self.version}.{role}.json")

    def publish(self):
        for role in reversed(ORDER):
            signed = copy.deepcopy(self.signed[role])
            if role == "timestamp":
                self.describe(signed, "snapshot")
            elif role == "snapshot":
                for listed in DESCRIBED:
                    self.describe(signed, listed)
            self.files[self.file_name(role)] = self.sign(role, signed)
        for version in range(1, self.roots):
            older = copy.deepcopy(self.signed["root"]) | {"version": version}
            self.files[f"{version}.root.json"] = envelope(older, [self.keys["root1"], self.keys["root2"]])
        for change in self.late:
            change(self.files)

    def describe(self, signed, role):
        content = self.files[self.file_name(role)]
        meta = MetaFile.from_data(self.version, content, ["sha256"])
        signed["meta"][f"{role}.json"] = meta.to_dict()

    def sign(self, role, signed):
        for _, change in (each for each in self.edits if each[0] == role):
            change(signed)
        content = json.loads(envelope(signed, self.signers[role]))
        for _, change in (each for each in self.envelopes if each[0] == role):
            change(content)
        content = to_bytes(content)
        for _, change in (each for each in self.spoils if each[0] == role):
            content = change(content)
        return content

    def write(self, folder):
        for part, files in (("metadata", self.files), ("targets", self.targets)):
            for name, content in files.items():
                path = os.path.join(folder, part, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)


def to_bytes(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def canonical(signed):
    try:
        return encode_canonical(signed).encode()
    except Exception:
        # It has no canonical form: signed all the same.
        return to_bytes(signed)


def envelope(signed, signers):
    message = canonical(signed)
    signatures = [signer.sign(message).to_dict() for signer in signers]
    return to_bytes({"signatures": signatures, "signed": signed})
