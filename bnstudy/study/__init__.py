"""What is asked: studies, factors, levels, plans, and what can be plugged in. No torch."""
