"""What the terminal app costs over a real pty: ``bench_tui.py`` by its short name."""

from __future__ import annotations

from bench_tui import main

if __name__ == "__main__":
    main()
