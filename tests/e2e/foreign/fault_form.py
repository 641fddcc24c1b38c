"""Faults of form, of size, and files that are not there."""

import json

from base import to_bytes
from fault import faults, replace, replace_last


def spec(role, value):
    return lambda repo: repo.set(role, spec_version=value)


def whole(role, content):
    return lambda repo: repo.spoil(role, lambda _: content)


def as_list(content):
    """The same, without the names."""
    read = json.loads(content)
    return to_bytes([read["signatures"], read["signed"]])


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


faults(
    root_spec_version_2=spec("root", "2.0.0"),
    timestamp_spec_version_2=spec("timestamp", "2.0"),
    snapshot_spec_version_2=spec("snapshot", "2.0.0"),
    targets_spec_version_2=spec("targets", "2.0.0"),
    nested_spec_version_2=spec("nested", "2.0.0"),
    spec_version_a_word=spec("timestamp", "latest"),
    spec_version_a_number=spec("timestamp", 1),
    spec_version_missing=lambda repo: repo.drop("snapshot", "spec_version"),
    timestamp_of_another_type=lambda repo: repo.set("timestamp", _type="snapshot"),
    targets_of_another_type=lambda repo: repo.set("targets", _type="Targets"),
    nested_of_another_type=lambda repo: repo.set("nested", _type="nested"),
    root_of_no_type=lambda repo: repo.drop("root", "_type"),
    root_without_keys=lambda repo: repo.drop("root", "keys"),
    root_without_a_role=lambda repo: repo.drop("root", "roles", "timestamp"),
    targets_without_targets=lambda repo: repo.drop("targets", "targets"),
    signed_missing=lambda repo: repo.envelope("timestamp", lambda content: content.pop("signed")),
    envelope_a_list=lambda repo: repo.spoil("timestamp", as_list),
    signed_a_list=lambda repo: repo.envelope("timestamp", lambda content: content.update(signed=[])),
    cut_short=lambda repo: repo.spoil("timestamp", lambda content: content[:-20]),
    snapshot_cut_short=lambda repo: repo.spoil("snapshot", lambda content: content[:100]),
    empty_file=whole("timestamp", b""),
    garbage=whole("snapshot", bytes(range(256))),
    not_json=whole("timestamp", b"<html><body>Log in</body></html>"),
    something_behind=lambda repo: repo.spoil("timestamp", lambda content: content + b"{}"),
    not_utf8=lambda repo: repo.spoil("targets", replace(b"plain.txt", b"pl\xe4in.txt")),
    field_twice=lambda repo: repo.spoil("timestamp", replace_last(b"}}", b'},"signed":{"version":20}}')),
    signed_field_twice=lambda repo: repo.spoil("timestamp", replace_last(b'"version":20}}', b'"version":20,"version":20}}')),
    target_twice=lambda repo: repo.spoil("targets", replace(b'"targets":{', b'"targets":{"plain.txt":{"hashes":{},"length":1},')),
    entry_twice=lambda repo: repo.spoil("snapshot", replace(b'"meta":{', b'"meta":{"targets.json":{"version":1},')),
    hash_twice=lambda repo: repo.spoil("targets", replace(b'"hashes":{', b'"hashes":{"sha256":"00",')),
    unknown_field_twice=lambda repo: (
        repo.set("timestamp", zz=1), repo.spoil("timestamp", replace(b'"zz":1', b'"zz":{"a":1},"zz":1'))),
    unknown_inner_field_twice=lambda repo: (
        repo.set("timestamp", zz={"a": 1}), repo.spoil("timestamp", replace(b'{"a":1}', b'{"a":2,"a":1}'))),
    nested_too_deep=lambda repo: repo.set("snapshot", deep=deep(400)),
    nested_far_too_deep=whole("timestamp", b'{"signatures":' + b"[" * 16_000),
    a_fraction_somewhere=lambda repo: repo.set("snapshot", share=0.5),
)


# Size: the server goes on sending what ends in .endless.

def endless(role):
    return lambda repo: repo.late.append(
        lambda files: files.update({f"{repo.file_name(role)}.endless": files.pop(repo.file_name(role))}))


def padded(role, length):
    return lambda repo: repo.set(role, padding="x" * length)


faults(
    root_endless=endless("root"),
    timestamp_endless=endless("timestamp"),
    snapshot_endless=endless("snapshot"),
    targets_endless=endless("targets"),
    nested_endless=endless("nested"),
    root_too_long=padded("root", 512_000),
    timestamp_too_long=padded("timestamp", 16_384),
    nested_too_long=padded("nested", 5_000_000),
)


# What is not there

def gone(role):
    return lambda repo: repo.late.append(lambda files: files.pop(repo.file_name(role)))


faults(
    timestamp_gone=gone("timestamp"), snapshot_gone=gone("snapshot"), targets_gone=gone("targets"),
    nested_gone=gone("nested"),
)
