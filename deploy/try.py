#!/usr/bin/env python3
"""Tries countersign: a small real mirror (pypiserver) with one package, and the sidecar before it.

    python3 deploy/try.py [--mirror-port 8081] [flags of `countersign serve`]

Everything lies under target/try; delete that folder to begin anew. Ctrl-C ends both.
"""

import argparse
import base64
import hashlib
import pathlib
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "target" / "try"


def make_wheel(folder: pathlib.Path) -> None:
    """Writes the wheel of `hello-countersign`, a package that exists on no index."""
    name, version = "hello_countersign", "1.0"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": 'print("installed through countersign")\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: try\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    if not wheel.exists():
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)


def make_mirror() -> pathlib.Path:
    """Installs pypiserver into a virtual environment of its own; its program."""
    program = FOLDER / "mirror" / "bin" / "pypi-server"
    if not program.exists():
        print("try: installing pypiserver, a small real mirror …", flush=True)
        venv.create(FOLDER / "mirror", with_pip=True)
        pip = FOLDER / "mirror" / "bin" / "pip"
        subprocess.run([pip, "install", "--quiet", "pypiserver==2.4.2"], check=True)
    return program


def wait_for(url: str, mirror: subprocess.Popen) -> None:
    """Returns when `url` answers."""
    for _ in range(100):
        if mirror.poll() is not None:
            sys.exit("try: the mirror ended at once; is its port taken? Choose another with --mirror-port")
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"try: the mirror does not answer at {url}")


def main() -> int:
    parser = argparse.ArgumentParser(description="A small mirror with countersign before it.")
    parser.add_argument("--mirror-port", type=int, default=8081)
    arguments, flags = parser.parse_known_args()
    packages = FOLDER / "packages"
    make_wheel(packages)
    program = make_mirror()
    upstream = f"http://127.0.0.1:{arguments.mirror_port}/simple/"
    listen = ["run", "-i", "127.0.0.1", "-p", str(arguments.mirror_port)]
    # Open to uploads: this is a toy mirror on loopback. It knows its own packages alone.
    open_to_all = ["-P", ".", "-a", ".", "--disable-fallback"]
    mirror = subprocess.Popen([program, *listen, *open_to_all, packages])
    try:
        wait_for(upstream, mirror)
        print(f"try: the mirror is at {upstream}; building and starting countersign before it", flush=True)
        print("try: then, in another terminal:", flush=True)
        print("try:   pip install --index-url http://127.0.0.1:8080/simple/ --target /tmp/hello hello-countersign", flush=True)
        data = FOLDER / "countersign-data"
        serve = ["cargo", "run", "--release", "--", "serve", "--upstream", upstream, "--data", data]
        sidecar = subprocess.Popen([*serve, *flags], cwd=ROOT)
        try:
            return sidecar.wait()
        except KeyboardInterrupt:
            # The sidecar got the signal too, and finishes what is in flight.
            return sidecar.wait()
    finally:
        mirror.terminate()
        mirror.wait()


if __name__ == "__main__":
    sys.exit(main())
