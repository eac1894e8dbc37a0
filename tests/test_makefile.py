"""The set-up of a checkout mends what an earlier one left: interrupted, offline, half made, moved, of another Python.

``PYTHON`` is a stand-in that makes an environment of one script, which notes what pip is asked for; the Makefile is the real
one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
case "$1 $2" in
"-c "*) [ "$2" = "import pip" ] || { echo "${FAKE_VERSION:-3 11}"; exit 0; } ;;
"-m venv") rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; echo venv >> "$LOG"; exit 0 ;;
"-m pip") shift 2; echo "pip $*" >> "$LOG"
  case "$*" in *editable*) [ "$FAKE" = hang ] && sleep 60; [ "$FAKE" = fail ] && exit 1 ;;
  *upgrade*) [ "$FAKE" = old ] && exit 1 ;; esac
  exit 0 ;;
esac
[ ! -e "$(dirname "$0")/nopip" ]
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "with blanks" / "alsbench"
        self.folder.mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, self.folder)
        self.python = folder / "python"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)
        self.log = folder / "log"

    def start(self, **said: str) -> subprocess.Popen[str]:
        self.log.write_text("")
        return subprocess.Popen(
            ["make", ".venv/.installed", f"PYTHON={self.python}"],
            cwd=self.folder,
            env={**os.environ, "LOG": str(self.log), **said},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=heed_interrupts,  # noqa: PLW1509  a test run in the background ignores them
        )

    def make(self, **said: str) -> tuple[int, str, list[str]]:
        """Exit code, what was printed, and what was done: environments made and calls of pip."""
        process = self.start(**said)
        out = process.communicate(timeout=60)[0]
        return process.returncode, out, self.log.read_text().splitlines()


ALL = ["venv", "pip --quiet install --upgrade pip>=25.1", "pip --quiet install --editable ."]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_first_one_says_what_it_installs_and_a_second_does_nothing(checkout: Checkout) -> None:
    code, out, done = checkout.make()
    assert (code, done) == (0, ALL)
    assert "Installing alsbench and the" in out and "MB" in out and "minute" in out
    code, _, done = checkout.make()
    assert (code, done) == (0, [])


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_one_is_begun_anew(checkout: Checkout, way: signal.Signals) -> None:
    process = checkout.start(FAKE="hang")
    deadline = time.monotonic() + 30
    while "editable" not in checkout.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, way)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert checkout.make()[::2] == (0, ALL)
    assert checkout.make()[::2] == (0, [])


@pytest.mark.parametrize("way", ["fail", "old"])
def test_without_a_network_it_says_so_and_the_next_one_goes_on(checkout: Checkout, way: str) -> None:
    code, out, _ = checkout.make(FAKE=way)
    assert code != 0 and "Nothing could be fetched" in out
    code, _, done = checkout.make()
    assert code == 0
    assert done == (ALL if way == "old" else ALL[-1:]), "pip that was not upgraded is upgraded; what is sound stays"


@pytest.mark.parametrize("damage", ["no pip", "no python", "an empty folder"])
def test_a_half_made_environment_is_made_again(checkout: Checkout, damage: str) -> None:
    venv = checkout.folder / ".venv"
    if damage == "an empty folder":
        venv.mkdir()
    else:
        assert checkout.make()[0] == 0
        if damage == "no pip":
            (venv / "bin" / "nopip").touch()
        else:
            (venv / "bin" / "python").unlink()
    assert checkout.make()[::2] == (0, ALL)


def test_a_moved_checkout_and_another_python_get_their_own(checkout: Checkout) -> None:
    assert checkout.make()[0] == 0
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("elsewhere"))
    assert checkout.make()[::2] == (0, ALL)
    assert checkout.make(FAKE_VERSION="3 12")[::2] == (0, ALL)


def test_an_environment_of_an_earlier_version_is_kept(checkout: Checkout) -> None:
    assert checkout.make()[0] == 0
    (checkout.folder / ".venv" / ".made").unlink()
    stamp = checkout.folder / ".venv" / ".installed"
    stamp.touch()
    code, _, done = checkout.make()
    assert (code, "venv" in done) == (0, False)


def test_a_changed_list_of_dependencies_is_installed(checkout: Checkout) -> None:
    assert checkout.make()[0] == 0
    later = time.time() + 10
    os.utime(checkout.folder / "pyproject.toml", (later, later))
    assert checkout.make()[::2] == (0, ALL[-1:])
