"""What networks look like inside, before they train and while they do."""
