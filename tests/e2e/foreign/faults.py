"""A sound repository before and after, and in between the same with one fault; all else is properly signed.

    faults.py FOLDER

Writes FOLDER/before, FOLDER/after and FOLDER/<fault>, and prints the names of the faults as JSON.
"""

import json
import os
import sys

import fault_form
import fault_keys
import fault_numbers
import fault_roles
from base import Keys, Repository
from fault import FAULTS


def main():
    (folder,) = sys.argv[1:]
    keys = Keys()
    for name, version_, roots in (("before", 10, 1), ("after", 30, 3)):
        repo = Repository(keys, version_, roots)
        repo.publish()
        repo.write(os.path.join(folder, name))
    for name, make in FAULTS.items():
        repo = Repository(keys, 20, 2)
        make(repo)
        repo.publish()
        repo.write(os.path.join(folder, name))
    print(json.dumps([*FAULTS]))


if __name__ == "__main__":
    main()
