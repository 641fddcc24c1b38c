"""Faults of delegations and of targets."""

from base import BINS, LEVELS, envelope
from fault import fault, faults


def delegations(role, change):
    return lambda repo: repo.edit(role, lambda signed: change(signed["delegations"]))


def first(**fields):
    """Changes the delegation to `bins`."""
    return delegations("targets", lambda found: found["roles"][0].update(fields))


def succinct(**fields):
    return delegations("bins", lambda found: found["succinct_roles"].update(fields))


SUCCINCT = {"keyids": [], "threshold": 1, "bit_length": 4, "name_prefix": "x"}
faults(
    roles_and_succinct_roles=delegations("targets", lambda found: found.update(succinct_roles=SUCCINCT)),
    neither_roles_nor_succinct_roles=delegations("targets", lambda found: found.pop("roles")),
    no_bits=succinct(bit_length=0),
    too_many_bits=succinct(bit_length=33),
    negative_bits=succinct(bit_length=-1),
    bits_a_text=succinct(bit_length="2"),
    other_prefix=succinct(name_prefix="../bin"),
    prefix_for_the_terminal=succinct(name_prefix="bin\x1b[2J\nroot: all is well"),
    prefix_long=succinct(name_prefix="x" * 100_000),
    prefix_a_number=succinct(name_prefix=1),
    prefix_missing=lambda repo: repo.drop("bins", "delegations", "succinct_roles", "name_prefix"),
    bins_threshold_zero=succinct(threshold=0),
    bins_key_twice=succinct(threshold=2),
    role_twice=delegations("targets", lambda found: found["roles"].append(found["roles"][0])),
    role_called_targets=first(name="targets"),
    role_without_a_name=first(name=""),
    paths_and_prefixes=first(path_hash_prefixes=["0"]),
    neither_paths_nor_prefixes=delegations("targets", lambda found: found["roles"][0].pop("paths")),
    terminating_a_text=first(terminating="yes"),
    terminating_missing=delegations("targets", lambda found: found["roles"][0].pop("terminating")),
    role_threshold_zero=delegations("targets", lambda found: found["roles"][2].update(threshold=0)),
    delegation_keys_missing=delegations("nested", lambda found: found.pop("keys")),
)


@fault
def cycle(repo):
    repo.drop("deeper", "targets", "nested/deep.txt")
    back = dict(name="nested", keyids=[repo.keys["online"].public_key.keyid], threshold=1, terminating=False, paths=["*/*"])
    keys = {repo.keys["online"].public_key.keyid: repo.keys["online"].public_key.to_dict()}
    repo.set("deeper", delegations={"keys": keys, "roles": [back, {**back, "name": "deeper"}]})


@fault
def too_many_roles(repo):
    online = repo.keys["online"]
    keys = {online.public_key.keyid: online.public_key.to_dict()}
    plain = {"_type": "targets", "spec_version": "1.0.31", "version": 20, "expires": "2040-01-01T00:00:00Z", "targets": {}}

    def below(name):
        role = dict(name=name, keyids=[*keys], threshold=1, terminating=False, paths=["nested/*"])
        return {"keys": keys, "roles": [role]}
    repo.set("nested", delegations=below(LEVELS[0]), targets={})
    chain = {
        f"20.{name}.json": envelope(plain | {"delegations": below(next_name)}, [online])
        for name, next_name in zip(LEVELS, LEVELS[1:] + ["end"])
    }
    repo.late.append(lambda files: files.update(chain))


@fault
def target_outside_its_paths(repo):
    repo.edit("claims", lambda signed: signed["targets"].update({"nested/b.txt": signed["targets"]["claimed/x"]}))


@fault
def target_below_its_role(repo):
    repo.edit("deeper", lambda signed: signed["targets"].update({"nested/x.txt": signed["targets"]["nested/deep.txt"]}))


@fault
def bins_swapped(repo):
    """Signed by the right key, each under the other's name."""
    here = repo.bin_of("simple/six/page")
    there = next(name for name in BINS if name != here)

    def swap(files):
        here_file, there_file = f"20.{here}.json", f"20.{there}.json"
        files[here_file], files[there_file] = files[there_file], files[here_file]
    repo.late.append(swap)


@fault
def bins_swapped_and_described(repo):
    here = repo.bin_of("simple/six/page")
    there = next(name for name in BINS if name != here)
    signed = repo.signed
    signed[here], signed[there] = signed[there], signed[here]


# Targets

def target(path, **fields):
    return lambda repo: repo.edit("targets", lambda signed: signed["targets"][path].update(fields))


def content(change):
    def make(repo):
        name = repo.served_as("plain.txt")
        change(repo.targets, name)
    return make


faults(
    target_other_content=content(lambda targets, name: targets.update({name: b"plain.TXT"})),
    target_cut_short=content(lambda targets, name: targets.update({name: b"plain"})),
    target_with_more=content(lambda targets, name: targets.update({name: b"plain.txt and more"})),
    target_endless=content(lambda targets, name: targets.update({f"{name}.endless": targets.pop(name)})),
    target_gone=content(lambda targets, name: targets.pop(name)),
    target_without_hashes=target("plain.txt", hashes={}),
    target_hash_unknown=target("plain.txt", hashes={"blake3": "00"}),
    target_without_length=lambda repo: repo.drop("targets", "targets", "plain.txt", "length"),
    target_hash_a_path=target("plain.txt", hashes={"sha256": "../../../metadata/timestamp.json"}),
    target_hash_cut_short=target("plain.txt", hashes={"sha256": "a8404455"}),
    target_length_negative=target("plain.txt", length=-1),
)
