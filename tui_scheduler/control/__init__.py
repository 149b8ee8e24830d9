"""What a user can ask for, whoever asks: the TUI, the API, the command line."""
