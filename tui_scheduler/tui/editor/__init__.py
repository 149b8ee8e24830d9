"""What the editor pane is made of: the fields of a job as text, what they will mean, and the widgets that hold them."""
