"""A TUF repository made by python-tuf, with one target in one of sixteen bins.

    small_repository.py FOLDER TARGET_PATH
"""

import datetime
import hashlib
import os
import sys

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Delegations, Metadata, MetaFile, Root, Snapshot, SuccinctRoles, TargetFile, Targets, Timestamp,
)

folder, target_path = sys.argv[1:]
content = b"hello"
expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
signer = CryptoSigner.generate_ed25519()


def write(name, signed):
    metadata = Metadata(signed)
    metadata.sign(signer)
    metadata.to_file(os.path.join(folder, name))


root = Root(expires=expires, consistent_snapshot=True)
for role in ("root", "targets", "snapshot", "timestamp"):
    root.add_key(signer.public_key, role)
write("1.root.json", root)

keyid = signer.public_key.keyid
succinct = SuccinctRoles([keyid], 1, 4, "bins")
write("1.targets.json", Targets(
    expires=expires, delegations=Delegations({keyid: signer.public_key}, succinct_roles=succinct)
))
snapshot = Snapshot(expires=expires)
for name in succinct.get_roles():
    role = Targets(expires=expires)
    if name == succinct.get_role_for_target(target_path):
        role.targets[target_path] = TargetFile.from_data(target_path, content, ["sha256"])
    write(f"1.{name}.json", role)
    snapshot.meta[f"{name}.json"] = MetaFile(1)
write("1.snapshot.json", snapshot)
write("timestamp.json", Timestamp(expires=expires))

directory, name = os.path.split(target_path)
with open(os.path.join(folder, f"{hashlib.sha256(content).hexdigest()}.{name}"), "wb") as file:
    file.write(content)
