"""A holder who uses python-tuf and securesystemslib instead of countersign."""

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata


def keys(folder):
    """One key of each kind: the private one, and the public one as JSON and as PEM."""
    folder = Path(folder)
    for name, make in [
        ("ed25519", CryptoSigner.generate_ed25519),
        ("ecdsa", CryptoSigner.generate_ecdsa),
        ("rsa", CryptoSigner.generate_rsa),
    ]:
        signer = make()
        private = load_pem_private_key(signer.private_bytes, None)
        secret = folder / f"{name}.pem"
        secret.touch(mode=0o600)
        secret.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub.pem").write_bytes(public)
        (folder / f"{name}.pub.json").write_text(json.dumps(signer.public_key.to_dict()))
        print(name, signer.public_key.keyid)


def sign(file, *secrets):
    """Adds a signature with each of the keys."""
    metadata = Metadata.from_file(file)
    for secret in secrets:
        private = load_pem_private_key(Path(secret).read_bytes(), None)
        metadata.sign(CryptoSigner(private), append=True)
    metadata.to_file(file)


def verify(role, file, parent):
    """Fails where those whom the parent names for the role have not signed the file."""
    metadata = Metadata.from_file(file)
    Metadata.from_file(parent).verify_delegate(role, metadata)


def copy(file, other):
    """Reads and writes."""
    Metadata.from_file(file).to_file(other)


if __name__ == "__main__":
    {"keys": keys, "sign": sign, "verify": verify, "copy": copy}[sys.argv[1]](*sys.argv[2:])
