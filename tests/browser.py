"""A headless Chromium (Debian's), as a fixture that opens pages and takes pictures of them."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Browser:
    path: str
    profile: Path

    def dom(self, url: str, size: str = "1200,900") -> str:
        """The page as it stands once its scripts have run; no window is narrower than 500."""
        size = f"--window-size={size}"
        return self._run(url, "--dump-dom", size, "--virtual-time-budget=15000").stdout

    def picture(self, url: str, to: Path, size: str = "1200,900") -> None:
        """A PNG of what a person would see."""
        self._run(url, f"--screenshot={to}", f"--window-size={size}", "--virtual-time-budget=15000")

    def _run(self, url: str, *flags: str) -> subprocess.CompletedProcess[str]:
        command = [
            self.path,
            "--headless",
            "--no-sandbox",  # the tests may run as root
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            f"--user-data-dir={self.profile}",
            *flags,
            url,
        ]
        home = {"HOME": str(self.profile)}
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=120, env=os.environ | home
        )


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium (apt-get install chromium)")
    return Browser(path, tmp_path / "profile")
