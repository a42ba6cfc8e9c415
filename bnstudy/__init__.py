"""bnstudy."""
