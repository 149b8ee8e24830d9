"""`python -m tui_scheduler`."""

from __future__ import annotations

from tui_scheduler.cli import main

if __name__ == "__main__":
    main()
