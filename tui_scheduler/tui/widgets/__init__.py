"""Widgets: one a file, messages up, attributes down."""
