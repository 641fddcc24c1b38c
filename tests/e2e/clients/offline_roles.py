"""A TUF repository made by python-tuf, and what its holders sign for its successor.

    offline_roles.py FOLDER

Writes
    metadata/   as it is served: two roots, targets that delegates claimed/* to a role of its own, snapshot 5, timestamp 8
    targets/    its one target
    next/       targets.json, bins.json: what is signed so that it can be taken over
    first/      root.json, targets.json, bins.json: a ceremony of its own, two of two holders
    online.pem  the key of snapshot, timestamp and the bins, in both
"""

import datetime
import hashlib
import os
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, SuccinctRoles, TargetFile, Targets, Timestamp,
)

folder = sys.argv[1]
expires = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=30)
online = CryptoSigner(Ed25519PrivateKey.generate())
red, green, offline, claimer = (CryptoSigner.generate_ed25519() for _ in range(4))


def write(name, signed, *signers):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    metadata = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    metadata.to_file(path)


def root(version, expires):
    root = Root(version, expires=expires, consistent_snapshot=True)
    for role, signers in {
        "root": [red, green], "targets": [offline], "snapshot": [online], "timestamp": [online],
    }.items():
        for signer in signers:
            root.add_key(signer.public_key, role)
    root.roles["root"].threshold = 2
    return root


def delegations(roles, *signers):
    keys = {signer.public_key.keyid: signer.public_key for signer in signers}
    return Delegations(keys, {role.name: role for role in roles})


to_claimed = DelegatedRole("claimed", [claimer.public_key.keyid], 1, False, paths=["claimed/*"])
to_bins = DelegatedRole("bins", [offline.public_key.keyid], 1, False, paths=["simple/*/*", "files/*/*"])
keyid = online.public_key.keyid
bins = Targets(expires=expires, delegations=Delegations(
    {keyid: online.public_key}, succinct_roles=SuccinctRoles([keyid], 1, 4, "bins"),
))

yesterday = expires - datetime.timedelta(days=31)
write("metadata/1.root.json", root(1, yesterday), red, green)
write("metadata/2.root.json", root(2, expires), red, green)
content = b"claimed"
claimed = Targets(2, expires=expires, targets={"claimed/x": TargetFile.from_data("claimed/x", content, ["sha256"])})
write("metadata/2.claimed.json", claimed, claimer)
write("metadata/3.targets.json", Targets(3, expires=expires, delegations=delegations([to_claimed], claimer)), offline)
snapshot = Snapshot(5, expires=expires, meta={"targets.json": MetaFile(3), "claimed.json": MetaFile(2)})
write("metadata/5.snapshot.json", snapshot, online)
write("metadata/timestamp.json", Timestamp(8, expires=expires, snapshot_meta=MetaFile(5)), online)
os.makedirs(os.path.join(folder, "targets/claimed"))
with open(os.path.join(folder, f"targets/claimed/{hashlib.sha256(content).hexdigest()}.x"), "wb") as file:
    file.write(content)

both = delegations([to_claimed, to_bins], claimer, offline)
write("next/targets.json", Targets(4, expires=expires, delegations=both), offline)
write("next/bins.json", bins, offline)

write("first/root.json", root(1, expires), red, green)
write("first/targets.json", Targets(expires=expires, delegations=delegations([to_bins], offline)), offline)
write("first/bins.json", bins, offline)

with open(os.open(os.path.join(folder, "online.pem"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
    file.write(online.private_bytes)
