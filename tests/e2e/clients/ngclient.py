"""python-tuf's ngclient, with nothing but a root file and the URLs, and its default limits.

    ngclient.py FOLDER ROOT METADATA_URL TARGETS_URL [TARGET_PATH...]

Refreshes, downloads the target paths, and prints one JSON object. The folder keeps the client's state.
"""

import hashlib
import json
import os
import sys

from tuf.ngclient import Updater


def versions(updater):
    trusted = updater._trusted_set
    return {name: trusted[name].version for name in ("root", "timestamp", "snapshot", "targets")}


def download(updater, target_path):
    info = updater.get_targetinfo(target_path)
    if info is None:
        return {"found": False}
    with open(updater.download_target(info), "rb") as file:
        content = file.read()
    return {"found": True, "sha256": hashlib.sha256(content).hexdigest(), "length": len(content)}


def main():
    folder, root, metadata_url, targets_url, *target_paths = sys.argv[1:]
    metadata, targets = os.path.join(folder, "metadata"), os.path.join(folder, "targets")
    first = not os.path.exists(metadata)
    os.makedirs(metadata, exist_ok=True)
    os.makedirs(targets, exist_ok=True)
    with open(root, "rb") as file:
        bootstrap = file.read() if first else None
    result = {"targets": {}}
    try:
        updater = Updater(metadata, metadata_url, targets, targets_url, bootstrap=bootstrap)
        updater.refresh()
        result["versions"] = versions(updater)
        for target_path in target_paths:
            result["targets"][target_path] = download(updater, target_path)
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(result))


main()
