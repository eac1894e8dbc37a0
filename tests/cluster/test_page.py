"""docs/how-to/cluster.md does what it says: its certificate, its scheduler, its workers, its settings and its commands, on the
loopback."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.apart import raise_loopback
from tests.built.results import load_built
from tests.cluster.dask_cluster import certificate
from tests.shared import REACHABLE
from tests.shell import run_here

from alsbench.cli.app import program

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "cluster.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.S | re.M)
LINES = [line for language, block in BLOCKS if not language for line in block.splitlines() if line]


def line(*words: str) -> str:
    """The line of the page that has all these words."""
    (found,) = [each for each in LINES if all(word in each for word in words)]
    return found


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_certificate(tmp_path: Path) -> None:
    subprocess.run(shlex.split(line("openssl req")), cwd=tmp_path, check=True, capture_output=True)
    assert "BEGIN CERTIFICATE" in (tmp_path / "cert.pem").read_text() and "PRIVATE KEY" in (tmp_path / "key.pem").read_text()


def test_scheduler_workers_settings_and_command(tmp_path: Path) -> None:
    if not raise_loopback():
        pytest.skip("the loopback is down, and not ours to raise: `make test` does it")
    for made, name in zip(certificate(tmp_path), ("cert.pem", "key.pem"), strict=True):
        made.rename(tmp_path / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def here(text: str) -> str:
        return text.replace("HOST", "127.0.0.1").replace("8786", str(port)).replace("/home/me", str(tmp_path))

    load_built(tmp_path)
    (settings,) = [block for language, block in BLOCKS if language == "toml"]
    (tmp_path / "alsbench").mkdir()
    (tmp_path / "alsbench" / "config.toml").write_text(here(settings))
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    running = []
    try:
        for words, more in (
            (("dask scheduler",), ["--dashboard-address", "127.0.0.1:0"]),
            (("dask worker",), ["--no-dashboard"]),
        ):
            text = here(line(*words)).replace("--nworkers 8", "--nworkers 2")
            variables = dict(re.findall(r"^(\w+)=(\S+) ", text))
            command = shlex.split(text[text.index("dask") :])
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", *command, "--host", "127.0.0.1", *more],
                    cwd=tmp_path,
                    env={**os.environ, **variables},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        REACHABLE.add(("127.0.0.1", port))
        check = "scrutinise --subgroup slow --check selection --format json"
        asked = here(line("scrutinise", "--cluster tls://")).replace("scrutinise --check selection", check)
        end = time.monotonic() + 60
        while (ran := run_here(shlex.split(asked)[1:], cwd=tmp_path / "ws", env=env)).code == 4:
            assert "cannot be reached" in ran.err and time.monotonic() < end, ran.err  # the scheduler is still starting
        assert ran.code == 0 and json.loads(ran.out)
        assert re.search(rf"cluster tls://127\.0\.0\.1:{port}, [12] workers?, ", ran.err)  # whoever had joined
    finally:
        REACHABLE.discard(("127.0.0.1", port))
        for process in running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_every_command_of_the_page_has_its_options() -> None:
    """Those that need a cluster elsewhere, or minutes, are read as the shell reads them."""
    found = [shlex.split(each) for each in LINES if each.startswith("alsbench ")]
    assert len(found) >= 4
    for _, name, *words in found:
        command = program().get_command(None, name)  # type: ignore[arg-type]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, name
