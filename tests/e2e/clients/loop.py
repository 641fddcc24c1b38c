"""python-tuf's ngclient as long-lived clients, each with a state of its own, until FOLDER/stop exists.

    loop.py FOLDER ROOT METADATA_URL TARGETS_URL CLIENTS GRACE

FOLDER/uploaded holds a line `<sha256> <target path>` for each file that was ever uploaded, and grows. Each client
refreshes, and downloads some of those that the metadata lists, again and again. What must not be: an error of
verification, a target that was listed and is no longer, one that is listed and cannot be had, or another hash.
At the end one JSON object is printed.
"""

import hashlib
import json
import os
import random
import sys
import threading
import time

from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.ngclient import Updater
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher


class Fetcher(Urllib3Fetcher):
    """Knows what it was asked for last."""

    url = ""

    def fetch(self, url):
        self.url = url
        return super().fetch(url)


class Client:
    def __init__(self, folder, root, metadata_url, targets_url, uploaded):
        self.metadata = os.path.join(folder, "metadata")
        self.targets = os.path.join(folder, "targets")
        os.makedirs(self.metadata)
        os.makedirs(self.targets)
        with open(root, "rb") as file:
            self.root = file.read()
        self.metadata_url, self.targets_url, self.uploaded = metadata_url, targets_url, uploaded
        self.listed, self.errors, self.hiccups = set(), [], []
        self.fetcher, self.start = Fetcher(), 0
        self.refreshes = self.downloads = self.snapshot = 0

    def turn(self):
        """One refresh and some downloads, as a new process over the state of the last would do them."""
        updater = Updater(
            self.metadata,
            self.metadata_url,
            self.targets,
            self.targets_url,
            fetcher=self.fetcher,
            bootstrap=self.root,
        )
        self.root = None
        updater.refresh()
        self.refreshes += 1
        self.snapshot = updater._trusted_set.snapshot.version
        files = self.files()
        for sha256, path in random.sample(files, min(4, len(files))):
            info = updater.get_targetinfo(path)
            if info is None:
                if path in self.listed:
                    self.errors.append(f"missing: {path} was listed before snapshot {self.snapshot}")
                continue
            self.listed.add(path)
            local = os.path.join(self.targets, "download")
            updater.download_target(info, local)
            with open(local, "rb") as file:
                found = hashlib.sha256(file.read()).hexdigest()
            os.remove(local)
            if found != sha256:
                self.errors.append(f"wrong: {path} is {found}, not {sha256}")
            self.downloads += 1

    def where(self):
        return f"on {self.fetcher.url}, {time.monotonic() - self.start:.1f} s into a turn"

    def files(self):
        with open(self.uploaded, encoding="utf-8") as file:
            lines = file.read().splitlines()
        return [line.split(" ", 1) for line in lines]

    def run(self, stop):
        while not os.path.exists(stop):
            self.start = time.monotonic()
            try:
                self.turn()
            except RepositoryError as error:
                self.errors.append(f"{type(error).__name__}: {error}, {self.where()}")
            except DownloadHTTPError as error:
                # A replica that is not there is no lie; that something is not there would be one.
                # Nor is one who takes longer than the grace period owed anything.
                if error.status_code < 500 and time.monotonic() - self.start < self.grace:
                    self.errors.append(f"{error}, {self.where()}")
                else:
                    self.hiccups.append(f"{error}, {self.where()}")
            except Exception as error:
                self.hiccups.append(f"{type(error).__name__}: {error}")
            time.sleep(random.uniform(0.05, 0.3))


def main():
    folder, root, metadata_url, targets_url, count, grace = sys.argv[1:]
    Client.grace = float(grace)
    uploaded, stop = os.path.join(folder, "uploaded"), os.path.join(folder, "stop")
    clients = [
        Client(os.path.join(folder, str(n)), root, metadata_url, targets_url, uploaded)
        for n in range(int(count))
    ]
    threads = [threading.Thread(target=client.run, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        json.dumps(
            {
                "errors": [error for client in clients for error in client.errors],
                "hiccups": [hiccup for client in clients for hiccup in client.hiccups],
                "refreshes": sum(client.refreshes for client in clients),
                "downloads": sum(client.downloads for client in clients),
                "snapshots": [client.snapshot for client in clients],
            }
        )
    )


main()
