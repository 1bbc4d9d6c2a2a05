"""A real nginx with the file that is shipped, and a small model for the service behind it."""

import getpass
import grp
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from serving.store import versions
from serving.store.versions import Version
from tests.conftest import ROOT, free_port
from tests.running import eventually
from tests.serving.small_model import CONTRACT, NAME, write

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
# All that is ours here is where it puts what it would put into folders of the system.
MAIN = """\
daemon off;
user {user} {group};
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    proxy_temp_path {folder}/temporary/proxy;
    fastcgi_temp_path {folder}/temporary/fastcgi;
    uwsgi_temp_path {folder}/temporary/uwsgi;
    scgi_temp_path {folder}/temporary/scgi;
    include {folder}/serving.conf;
}}
"""


@pytest.fixture
def model_store(tmp_path: Path) -> Path:
    """A service's store with a version in force."""
    version = Version(NAME, "1", "production", write(tmp_path / "made", CONTRACT))
    versions.adopt(tmp_path / "store", tmp_path / "made", version)
    versions.switch(tmp_path / "store", version)
    return tmp_path / "store"


@dataclass
class Nginx:
    """A running nginx: its ports, its folder and its master process."""

    http: int
    https: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.https}"

    @property
    def certificate(self) -> Path:
        return self.folder / "serving.crt"

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Ask over TLS, on a connection of its own, with the certificate checked."""
        return requests.request(
            method, self.url + path, verify=str(self.certificate), timeout=20, **arguments
        )

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        return self.request("POST", path, **arguments)

    @property
    def log(self) -> Path:
        return self.folder / "serving.log"


def rendered(upstream: int, http: int, https: int, folder: Path) -> str:
    """Give deploy/nginx.conf with other ports and folders, and nothing else changed."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    for old, new in {
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{upstream};",
        "listen 80;": f"listen 127.0.0.1:{http};",
        "listen [::]:80;": f"listen [::1]:{http};" if _has_ipv6() else "",
        "listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
        "listen [::]:443 ssl;": f"listen [::1]:{https} ssl;" if _has_ipv6() else "",
        "/etc/nginx/tls/": f"{folder}/",
        "/var/log/nginx/": f"{folder}/",
        "/dev/shm/serving-nginx": f"{folder}/memory",
    }.items():
        assert old in text
        text = text.replace(old, new)
    return text


@contextmanager
def nginx(upstream: int, folder: Path) -> Iterator[Nginx]:
    """Run nginx before a service's port until the block ends."""
    if NGINX is None:
        pytest.skip("there is no nginx here: apt-get install nginx-light")
    folder.mkdir()
    (folder / "temporary").mkdir()
    _make_certificate(folder)
    http, https = free_port(), free_port()
    (folder / "serving.conf").write_text(rendered(upstream, http, https, folder))
    group = grp.getgrgid(os.getgid()).gr_name
    main = MAIN.format(user=getpass.getuser(), group=group, folder=folder)
    (folder / "nginx.conf").write_text(main)
    command = [NGINX, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr.replace('the "user" directive makes sense only', "")
    process = subprocess.Popen(command)
    try:
        eventually(lambda: _listens(https))
        yield Nginx(http, https, folder, process)
    finally:
        process.terminate()
        process.wait(10)


def _make_certificate(folder: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-noenc", "-days", "1", "-subj", "/CN=predict.example.org"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:predict.example.org"),
            *("-keyout", str(folder / "serving.key"), "-out", str(folder / "serving.crt")),
        ],
        capture_output=True,
        check=True,
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
