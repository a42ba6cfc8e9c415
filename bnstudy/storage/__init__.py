"""What is kept: study folders, their files, and the one dataset of a study. No torch."""
