"""A signer program, as docs/signing.md describes it, around a key file.

    signer.py KEY AWAY public|sign

While the file AWAY exists, what it signs with is away: it asks to be tried again.
"""

import json
import os
import sys

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def main():
    path, away, what = sys.argv[1:]
    if os.path.exists(away):
        print("unplugged", file=sys.stderr)
        sys.exit(os.EX_TEMPFAIL)
    with open(path, "rb") as file:
        key = load_pem_private_key(file.read(), None)
    if what == "public":
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        print(json.dumps({"keytype": "ed25519", "keyval": {"public": public}, "scheme": "ed25519"}))
    else:
        print(key.sign(sys.stdin.buffer.read()).hex())


main()
