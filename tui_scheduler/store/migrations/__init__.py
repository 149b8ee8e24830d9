"""The history of the tables. `python -m tui_scheduler.store.migrations "what changes"` drafts the next step."""
