"""Writes repositories that python-tuf's Metadata API makes, as the files that a web server would have."""

import hashlib
import os
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from tuf.api.metadata import (
    Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

EXPIRES = (datetime.now(timezone.utc) + timedelta(days=30)).replace(microsecond=0)


def delegate(role, key_signer, roles=None, succinct=None):
    """Makes `role` trust `key_signer` with `roles`, or with bins."""
    keys = {signer.public_key.keyid: signer.public_key for signer in key_signer}
    roles = {each.name: each for each in roles} if roles is not None else None
    role.delegations = Delegations(keys, roles, succinct)


class Writer:
    """One repository in `folder`/metadata and `folder`/targets."""

    def __init__(self, folder, consistent, hashes=("sha256",)):
        self.folder, self.consistent, self.hashes = folder, consistent, hashes
        self.snapshot = Snapshot(expires=EXPIRES)
        self.present, self.indented = {}, False

    def write(self, part, name, content):
        path = os.path.join(self.folder, part, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def metadata(self, name, signed, signers, described=True):
        """Signs and writes a role, and lists a targets role in the snapshot, with length and hashes if `described`."""
        metadata = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        content = metadata.to_bytes(JSONSerializer(compact=not self.indented))
        versioned = name == "root" or self.consistent and name != "timestamp"
        prefix = f"{signed.version}." if versioned else ""
        self.write("metadata", f"{prefix}{quote(name, '')}.json", content)
        meta = MetaFile(signed.version)
        if described:
            meta = MetaFile.from_data(signed.version, content, list(self.hashes))
        if isinstance(signed, Targets):
            self.snapshot.meta[f"{name}.json"] = meta
        return meta

    def target(self, role, path, content, found=True):
        """A target of `role`; `found` where a client must find this very content."""
        content = content.encode()
        role.targets[path] = TargetFile.from_data(path, content, list(self.hashes))
        if not found:
            return
        self.present[path] = hashlib.sha256(content).hexdigest()
        directory, name = os.path.split(path)
        names = [name]
        if self.consistent:
            names = [f"{digest}.{name}" for digest in role.targets[path].hashes.values()]
        for name in names:
            self.write("targets", os.path.join(directory, name), content)

    def finish(self, root, signers, described=True):
        """Writes root, snapshot and timestamp. `signers` by role."""
        self.snapshot.version = 3
        meta = self.metadata("snapshot", self.snapshot, signers["snapshot"], described)
        self.metadata("timestamp", Timestamp(7, expires=EXPIRES, snapshot_meta=meta), signers["timestamp"])
        if root is not None:
            self.metadata("root", root, signers["root"])


def new_root(consistent, signers, thresholds=None, version=1):
    """A root that trusts `signers` by role."""
    root = Root(version, expires=EXPIRES, consistent_snapshot=consistent)
    for role, keys in signers.items():
        for signer in keys:
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = (thresholds or {}).get(role, 1)
    return root
