"""Tables: rows of text, and what is said beside them."""
