"""Faults of signatures and keys."""

from securesystemslib.signer import CryptoSigner

from fault import fault, faults, replace


def key_of(repo, role, **fields):
    """Changes the key that the root has for `role`."""
    def change(root):
        (keyid,) = root["roles"][role]["keyids"]
        root["keys"][keyid].update(fields)
    repo.edit("root", change)


def trust(repo, role, signer, **fields):
    """Makes the root trust `signer` with `role`, and with nothing else."""
    key = signer.public_key
    def change(root):
        root["keys"][key.keyid] = key.to_dict()
        root["roles"][role] = {"keyids": [key.keyid], "threshold": 1, **fields}
    repo.edit("root", change)
    repo.signers[role] = [signer]


def bad_signature(role):
    return lambda repo: repo.envelope(role, lambda content: content["signatures"][0].update(
        sig="00" + content["signatures"][0]["sig"][2:]))


def signed_by(role, *names):
    return lambda repo: repo.signers.update({role: [repo.keys[name] for name in names]})


faults(
    root_unsigned=signed_by("root"),
    root_by_one_of_two=signed_by("root", "root1"),
    root_by_strangers=signed_by("root", "stranger", "new1"),
    timestamp_bad_signature=bad_signature("timestamp"),
    snapshot_bad_signature=bad_signature("snapshot"),
    targets_bad_signature=bad_signature("targets"),
    nested_bad_signature=bad_signature("nested"),
    bin_bad_signature=lambda repo: bad_signature(repo.bin_of("simple/six/page"))(repo),
    timestamp_by_the_snapshots_key=signed_by("timestamp", "snapshot"),
    snapshot_unsigned=signed_by("snapshot"),
    deeper_by_a_stranger=signed_by("deeper", "stranger"),
    signature_without_sig=lambda repo: repo.envelope("timestamp", lambda content: content["signatures"][0].pop("sig")),
    signatures_no_list=lambda repo: repo.envelope("timestamp", lambda content: content.update(signatures={})),
    signatures_missing=lambda repo: repo.envelope("snapshot", lambda content: content.pop("signatures")),
)


def with_new_root_keys(repo):
    def change(root):
        new = [repo.keys[name].public_key for name in ("new1", "new2")]
        root["keys"].update({key.keyid: key.to_dict() for key in new})
        root["roles"]["root"]["keyids"] = [key.keyid for key in new]
    repo.edit("root", change)


@fault
def root_only_by_old_keys(repo):
    with_new_root_keys(repo)


@fault
def root_only_by_new_keys(repo):
    with_new_root_keys(repo)
    repo.signers["root"] = [repo.keys["new1"], repo.keys["new2"]]


@fault
def one_key_signs_twice(repo):
    repo.edit("root", lambda root: root["roles"]["snapshot"].update(threshold=2))
    repo.envelope("snapshot", lambda content: content["signatures"].append(content["signatures"][0]))


@fault
def one_key_under_two_ids(repo):
    key = repo.keys["snapshot"].public_key

    def change(root):
        root["keys"]["another id"] = key.to_dict()
        root["roles"]["snapshot"] = {"keyids": [key.keyid, "another id"], "threshold": 2}
    repo.edit("root", change)
    repo.envelope("snapshot", lambda content: content["signatures"].append(
        {**content["signatures"][0], "keyid": "another id"}))


@fault
def keyid_listed_twice(repo):
    repo.edit("root", lambda root: root["roles"]["snapshot"].update(
        keyids=root["roles"]["snapshot"]["keyids"] * 2, threshold=2))


@fault
def keyid_defined_twice(repo):
    keyid = repo.keys["snapshot"].public_key.keyid.encode()
    other = b'{"keytype":"ed25519","keyval":{"public":"00"},"scheme":"ed25519"}'
    repo.spoil("root", replace(b'"keys":{', b'"keys":{"' + keyid + b'":' + other + b","))


def of_snapshots_role(**fields):
    return lambda repo: repo.edit("root", lambda root: root["roles"]["snapshot"].update(fields))


faults(
    threshold_zero=of_snapshots_role(threshold=0),
    threshold_negative=of_snapshots_role(threshold=-1),
    threshold_beyond_the_keys=of_snapshots_role(threshold=3),
    key_not_defined=of_snapshots_role(keyids=["nobody"]),
    key_scheme_unknown=lambda repo: key_of(repo, "snapshot", scheme="rot13"),
    key_type_unknown=lambda repo: key_of(repo, "snapshot", keytype="enigma"),
    key_value_garbage=lambda repo: key_of(repo, "snapshot", keyval={"public": "zz"}),
    key_value_missing=lambda repo: key_of(repo, "snapshot", keyval={}),
    key_weak=lambda repo: trust(repo, "snapshot", CryptoSigner.generate_rsa(size=1024)),
)
