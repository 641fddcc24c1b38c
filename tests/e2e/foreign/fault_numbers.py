"""Faults of expiry, versions, lengths and hashes."""

from fault import faults, replace_last

PAST = "2020-01-01T00:00:00Z"
WRONG = {"sha256": "0" * 64}


def expires(role, value):
    return lambda repo: repo.set(role, expires=value)


faults(
    root_expired=expires("root", PAST),
    timestamp_expired=expires("timestamp", PAST),
    snapshot_expired=expires("snapshot", PAST),
    targets_expired=expires("targets", PAST),
    nested_expired=expires("nested", PAST),
    bin_expired=lambda repo: repo.set(repo.bin_of("simple/six/page"), expires=PAST),
    expires_a_day=expires("timestamp", "2040-01-01"),
    expires_without_zone=expires("snapshot", "2040-01-01T00:00:00"),
    expires_in_another_zone=expires("targets", "2040-01-01T00:00:00+01:00"),
    expires_with_a_fraction=expires("timestamp", "2040-01-01T00:00:00.5Z"),
    expires_on_no_day=expires("timestamp", "2040-02-30T00:00:00Z"),
    expires_a_number=expires("root", 2208988800),
    expires_missing=lambda repo: repo.drop("timestamp", "expires"),
)


# Versions. 20 is announced; 10 was trusted before.

def announces(lister, role, version):
    """`role` and who lists it agree on a version."""
    def make(repo):
        repo.set(role, version=version)
        repo.edit(lister, lambda signed: signed["meta"][f"{role}.json"].update(version=version))
        repo.late.append(lambda files: files.update({f"{version}.{role}.json": files.pop(f"20.{role}.json")}))
    return make


def version(role, value):
    return lambda repo: repo.set(role, version=value)


faults(
    timestamp_rollback=version("timestamp", 9),
    snapshot_rollback=announces("timestamp", "snapshot", 9),
    targets_rollback=announces("snapshot", "targets", 9),
    nested_rollback=announces("snapshot", "nested", 9),
    bin_rollback=lambda repo: announces("snapshot", repo.bin_of("simple/six/page"), 9)(repo),
    root_version_skipped=version("root", 3),
    root_version_again=version("root", 1),
    snapshot_version_mismatch=version("snapshot", 19),
    targets_version_mismatch=version("targets", 21),
    nested_version_mismatch=version("nested", 19),
    version_zero=version("timestamp", 0),
    version_negative=version("timestamp", -20),
    version_a_fraction=version("timestamp", 20.5),
    version_a_float=lambda repo: repo.spoil("timestamp", replace_last(b'"version":20}}', b'"version":20.0}}')),
    version_huge=version("timestamp", 2**64),
    version_a_text=version("snapshot", "20"),
    version_null=version("targets", None),
    version_missing=lambda repo: repo.drop("snapshot", "version"),
    listed_version_negative=lambda repo: repo.edit("snapshot", lambda signed: signed["meta"]["nested.json"].update(version=-1)),
    listed_version_zero=lambda repo: repo.edit("timestamp", lambda signed: signed["meta"]["snapshot.json"].update(version=0)),
)


# Snapshot and timestamp entries

def entry(lister, role, **fields):
    return lambda repo: repo.edit(lister, lambda signed: signed["meta"][f"{role}.json"].update(fields))


faults(
    snapshot_wrong_hash=entry("timestamp", "snapshot", hashes=WRONG),
    snapshot_wrong_length=entry("timestamp", "snapshot", length=5000),
    targets_wrong_hash=entry("snapshot", "targets", hashes=WRONG),
    targets_wrong_length=entry("snapshot", "targets", length=10),
    bin_wrong_hash=lambda repo: entry("snapshot", repo.bin_of("simple/six/page"), hashes=WRONG)(repo),
    hashes_empty=entry("timestamp", "snapshot", hashes={}),
    hashes_unknown=entry("snapshot", "targets", hashes={"md5": "0" * 32}),
    hashes_no_object=entry("timestamp", "snapshot", hashes=["sha256"]),
    length_negative=entry("timestamp", "snapshot", length=-1),
    timestamp_without_snapshot=lambda repo: repo.drop("timestamp", "meta", "snapshot.json"),
    timestamp_without_meta=lambda repo: repo.drop("timestamp", "meta"),
    snapshot_without_targets=lambda repo: repo.drop("snapshot", "meta", "targets.json"),
    snapshot_without_a_role=lambda repo: repo.drop("snapshot", "meta", "deeper.json"),
    snapshot_without_a_bin=lambda repo: repo.drop("snapshot", "meta", f"{repo.bin_of('simple/six/page')}.json"),
    # Nobody asks for this one: only who remembers it can know.
    snapshot_drops_an_entry=lambda repo: repo.drop("snapshot", "meta", "claims.json"),
)
