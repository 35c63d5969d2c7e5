"""Packages made on the spot, and indexes that have them: what tests install without any network."""

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


def make_wheel(
    folder: Path, name: str, version: str, files: dict[str, str], needs: tuple[str, ...] = ()
) -> None:
    """A wheel of pure Python in a folder."""
    info = f"{name}-{version}.dist-info"
    lines = [f"Requires-Dist: {one}" for one in needs]
    content = {
        **files,
        f"{info}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""]
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in content.items())
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(path, text)


def make_sdist(folder: Path, name: str, version: str) -> None:
    """A package whose installation would run its code."""
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        _add(archive, f"{name}-{version}/setup.py", "raise SystemExit('its code was run')")
        _add(
            archive,
            f"{name}-{version}/PKG-INFO",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        )


def _digest(text: str) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()}"


def _add(archive: tarfile.TarFile, path: str, text: str) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = len(text.encode())
    archive.addfile(entry, io.BytesIO(text.encode()))


class NpmRegistry:
    """An npm registry on the loopback."""

    def __init__(self) -> None:
        self.packages: dict[str, dict[str, tuple[dict[str, object], bytes]]] = {}
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"registry": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, name: str, version: str, files: dict[str, str], **described: object) -> None:
        """A package of these files."""
        manifest = {"name": name, "version": version, **described}
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path, text in {**files, "package.json": json.dumps(manifest)}.items():
                _add(archive, f"package/{path}", text)
        self.packages.setdefault(name, {})[version] = (manifest, packed.getvalue())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    registry: NpmRegistry

    def do_GET(self) -> None:
        self.registry.asked.append(self.path)
        name, _, file = self.path.lstrip("/").partition("/-/")
        versions = self.registry.packages.get(name)
        if versions is None:
            self._answer(404, b'{"error":"not found"}')
        elif file:
            self._answer(200, versions[file.removesuffix(".tgz")][1])
        else:
            self._answer(200, json.dumps(self._document(name, versions)).encode())

    def _document(self, name: str, versions: dict[str, tuple[dict[str, object], bytes]]) -> dict[str, object]:
        told = {
            version: {
                **manifest,
                "dist": {
                    "tarball": f"{self.registry.url}/{name}/-/{version}.tgz",
                    "shasum": hashlib.sha1(packed).hexdigest(),
                },
            }
            for version, (manifest, packed) in versions.items()
        }
        return {"name": name, "dist-tags": {"latest": list(versions)[-1]}, "versions": told}

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
