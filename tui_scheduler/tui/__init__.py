"""The terminal UI: Textual over `Control`. It knows no SQL and no engine."""
