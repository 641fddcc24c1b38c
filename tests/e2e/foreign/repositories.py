"""Sound repositories of every shape that a client must be able to read.

    repositories.py FOLDER

Prints, as JSON, what each holds: {NAME: {"present": {TARGET: SHA256}, "absent": [TARGET]}}.
"""

import hashlib
import json
import os
import sys

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, SuccinctRoles, Targets

from writer import EXPIRES, Writer, delegate, new_root

TOP_LEVEL = ("root", "timestamp", "snapshot", "targets")
MAKE = {
    "ed25519": CryptoSigner.generate_ed25519,
    "ecdsa": CryptoSigner.generate_ecdsa,
    "rsa": lambda: CryptoSigner.generate_rsa(size=2048),
}


def one_key():
    signer = MAKE["ed25519"]()
    return signer, {role: [signer] for role in TOP_LEVEL}


def new_targets(version=1):
    return Targets(version, expires=EXPIRES)


def trusted_with(name, signer, terminating=False, paths=None, prefixes=None, threshold=1):
    keyids = [each.public_key.keyid for each in signer]
    return DelegatedRole(name, keyids, threshold, terminating, paths, prefixes)


def succinct_bins(writer):
    """Sixteen bins below a role of their own, as PEP 458 has them."""
    signer, signers = one_key()
    online = MAKE["ed25519"]()
    targets, bins = new_targets(), new_targets(2)
    delegate(targets, [signer], [trusted_with("bins", [signer], paths=["simple/*/*", "files/*/*"])])
    succinct = SuccinctRoles([online.public_key.keyid], 1, 4, "bins")
    delegate(bins, [online], succinct=succinct)
    leaves = {name: new_targets(5) for name in succinct.get_roles()}
    for n in range(12):
        path = f"files/six/six-{n}.tar.gz"
        writer.target(leaves[succinct.get_role_for_target(path)], path, f"six {n}")
    writer.target(targets, "index.html", "top level")
    for name, role in leaves.items():
        writer.metadata(name, role, [online], described=False)
    writer.metadata("bins", bins, [signer])
    writer.metadata("targets", targets, [signer])
    writer.finish(new_root(writer.consistent, signers), signers)
    return ["files/six/six-12.tar.gz", "elsewhere/six.tar.gz", "files/a/b/six.tar.gz"]


def hash_prefixes(writer):
    """Explicit bins by the first digit of the hash of the path, each named in the list of the top-level role."""
    signer, signers = one_key()
    targets = new_targets()
    digits = "0123456789abcdef"
    roles = {f"bin-{n}": (digits[n:n + 3], new_targets()) for n in range(0, 16, 3)}
    delegate(targets, [signer], [
        trusted_with(name, [signer], True, prefixes=[f"{digit}{more}" for digit in part for more in digits])
        for name, (part, _) in roles.items()
    ])
    for n in range(12):
        path = f"packages/{n}/ünïcode-{n}"
        first = hashlib.sha256(path.encode()).hexdigest()[0]
        role = next(role for part, role in roles.values() if first in part)
        writer.target(role, path, f"prefix {n}")
    for name, (_, role) in roles.items():
        writer.metadata(name, role, [signer])
    writer.metadata("targets", targets, [signer])
    writer.finish(new_root(writer.consistent, signers), signers)
    return ["packages/12/ünïcode-12", "packages/0/unicode-0"]


def nested(writer):
    """Three levels, overlapping patterns, a role that ends the search, and roles that list what they are not trusted with."""
    signer, signers = one_key()
    other = MAKE["ed25519"]()
    roles = {name: new_targets() for name in ("a", "b", "a1", "a2", "shared", "end", "behind")}
    targets = new_targets()
    delegate(targets, [signer, other], [
        trusted_with("a", [signer], paths=["a/*", "a/*/*", "both/?.txt"]),
        trusted_with("b", [signer, other], paths=["b/*", "both/*"], threshold=2),
        trusted_with("end", [signer], True, paths=["end/*"]),
        trusted_with("behind", [signer], paths=["end/*", "behind/*"]),
    ])
    delegate(roles["a"], [other], [
        trusted_with("a1", [other], paths=["a/1/*"]),
        trusted_with("a2", [other], paths=["a/*/*"]),
        trusted_with("shared", [other], paths=["both/*"]),
    ])
    delegate(roles["b"], [other], [trusted_with("shared", [other], paths=["both/*"])])
    writer.target(targets, "top.txt", "top")
    writer.target(targets, "a/mine.txt", "the delegating role comes first")
    writer.target(roles["a"], "a/mine.txt", "not this", found=False)
    writer.target(roles["a"], "a/x.txt", "a")
    writer.target(roles["a1"], "a/1/x.txt", "a1")
    writer.target(roles["a2"], "a/1/x.txt", "not this", found=False)
    writer.target(roles["a2"], "a/1/y.txt", "a2, after a1 had nothing")
    writer.target(roles["a2"], "a/2/x.txt", "a2")
    writer.target(roles["b"], "b/x.txt", "b, by two keys")
    writer.target(roles["b"], "both/1.txt", "not this", found=False)
    writer.target(roles["shared"], "both/1.txt", "through a, in pre-order")
    writer.target(roles["b"], "both/10.txt", "b: a is not trusted with it")
    writer.target(roles["end"], "end/x.txt", "end")
    writer.target(roles["behind"], "end/y.txt", "end ended the search", found=False)
    writer.target(roles["behind"], "behind/x.txt", "behind")
    writer.target(roles["behind"], "a/outside.txt", "not behind's", found=False)
    writer.target(roles["a1"], "a/2/outside.txt", "not a1's", found=False)
    for name, role in roles.items():
        own = name in ("a1", "a2", "shared")
        writer.metadata(name, role, [signer, other] if name == "b" else [other if own else signer])
    writer.metadata("targets", targets, [signer])
    writer.finish(new_root(writer.consistent, signers), signers)
    return ["end/y.txt", "a/outside.txt", "a/2/outside.txt", "b/none.txt", "none.txt"]


def every_kind_of_key(writer):
    """Each role by two of three kinds of key; one ECDSA key under its old type."""
    by_kind = {name: make() for name, make in MAKE.items()}
    old = MAKE["ecdsa"]()
    old.public_key.keytype = old.public_key.scheme
    three = list(by_kind.values())
    signers = {
        "root": three, "timestamp": [by_kind["rsa"]], "snapshot": [by_kind["ecdsa"]],
        "targets": [old, by_kind["ed25519"]],
    }
    targets = new_targets()
    delegate(targets, three, [
        trusted_with(f"by-{kind}", [signer], paths=[f"{kind}/*"]) for kind, signer in by_kind.items()
    ] + [trusted_with("by-all", three, paths=["all/*"], threshold=3)])
    for kind, signer in by_kind.items():
        role = new_targets()
        writer.target(role, f"{kind}/x", kind)
        writer.metadata(f"by-{kind}", role, [signer])
    role = new_targets()
    writer.target(role, "all/x", "by all")
    writer.metadata("by-all", role, three)
    writer.metadata("targets", targets, signers["targets"])
    root = new_root(writer.consistent, signers, {"root": 3, "targets": 2})
    writer.finish(root, signers)
    return ["rsa/y", "all/y"]


def unusual_names(writer):
    """Names of roles and targets that are no plain file names."""
    signer, signers = one_key()
    names = ["a role", "a/b", "../up", "ünïcode", "100%", "50%25", "#?&=+", "semi;colon", ".hidden", "UPPER", "upper"]
    targets = new_targets()
    delegate(targets, [signer], [trusted_with(name, [signer], paths=[f"{n}/*"]) for n, name in enumerate(names)])
    for n, name in enumerate(names):
        role = new_targets()
        writer.target(role, f"{n}/x", name)
        writer.metadata(name, role, [signer])
    for path in ("with space.txt", "plus+plus.txt", "ünïcode.txt", "a~b_c-d.e", "(1)/[2]/{3}.txt", "comma,semi;colon"):
        writer.target(targets, path, path)
    writer.metadata("targets", targets, [signer])
    writer.finish(new_root(writer.consistent, signers), signers)
    return ["0/y", "with%20space.txt"]


def only_sha512(writer):
    """No SHA-256 anywhere."""
    return plain(writer)


def both_hashes(writer):
    """SHA-256 and SHA-512."""
    return plain(writer)


def plain(writer):
    signer, signers = one_key()
    targets, role = new_targets(), new_targets()
    delegate(targets, [signer], [trusted_with("role", [signer], paths=["role/*"])])
    writer.target(targets, "x", "x")
    writer.target(targets, "empty", "")
    writer.target(role, "role/x", "role's x")
    writer.metadata("role", role, [signer])
    writer.metadata("targets", targets, [signer])
    writer.finish(new_root(writer.consistent, signers), signers)
    return ["y", "role/y"]


def versions_alone(writer):
    """Neither lengths nor hashes of metadata, as many repositories have it."""
    signer, signers = one_key()
    targets = new_targets(12)
    writer.target(targets, "x", "x")
    writer.metadata("targets", targets, [signer], described=False)
    writer.finish(new_root(writer.consistent, signers), signers, described=False)
    return ["y"]


def unknown_fields(writer):
    """Fields and signatures that no client knows, an old specification, indented JSON, and a signature that is no good."""
    signer, signers = one_key()
    stranger = MAKE["ed25519"]()
    more = {"x-ours": {"b": [1, None, True], "a": "ünïcode \" \\ / \u2028"}, "0": -1}
    targets = Targets(1, "1.0", EXPIRES, unrecognized_fields=more)
    role = Targets(1, "1.0.0", EXPIRES, unrecognized_fields=more)
    delegate(targets, [signer], [trusted_with("role", [signer], paths=["role/*"])])
    targets.delegations.unrecognized_fields = more
    writer.target(targets, "x", "x")
    writer.target(role, "role/x", "role's x")
    targets.targets["x"].unrecognized_fields = {"custom": more, **more}
    root = new_root(writer.consistent, signers)
    root.unrecognized_fields = more
    root.spec_version = "1.9"
    root.keys[signer.public_key.keyid].unrecognized_fields = more
    if not writer.consistent:
        # Optional, and this is what its absence means.
        root.consistent_snapshot = None
    writer.indented = True
    for name, each in (("role", role), ("targets", targets)):
        writer.metadata(name, each, [stranger, signer])
    writer.finish(root, {role: [stranger, signer] for role in TOP_LEVEL})
    return ["y", "role/y"]


def rotated_roots(writer):
    """Four roots, each with other keys and another threshold than the one before; only the last is trusted with the rest."""
    generations = [[MAKE["ed25519"]() for _ in range(n)] for n in (1, 2, 3, 2)]
    last = MAKE["ecdsa"]()
    before = []
    for n, keys in enumerate(generations, 1):
        others = [last] if n == len(generations) else keys
        trusted = {"root": keys, "timestamp": others, "snapshot": others, "targets": others}
        root = new_root(writer.consistent, trusted, {"root": len(keys)}, n)
        writer.metadata("root", root, before + keys)
        before = keys
    targets = new_targets()
    writer.target(targets, "x", "x")
    writer.metadata("targets", targets, [last])
    writer.finish(None, {"snapshot": [last], "timestamp": [last]})
    return ["y"]


SHAPES = (
    succinct_bins, hash_prefixes, nested, every_kind_of_key, unusual_names, only_sha512, both_hashes,
    versions_alone, unknown_fields, rotated_roots,
)
HASHES = {only_sha512: ("sha512",), both_hashes: ("sha512", "sha256")}


def main():
    (folder,) = sys.argv[1:]
    held = {}
    for shape in SHAPES:
        for consistent in (True, False):
            name = shape.__name__ + ("" if consistent else "_plain")
            writer = Writer(os.path.join(folder, name), consistent, HASHES.get(shape, ("sha256",)))
            absent = shape(writer)
            held[name] = {"present": writer.present, "absent": absent}
    print(json.dumps(held))


if __name__ == "__main__":
    main()
