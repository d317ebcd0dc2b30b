"""Measure steps at every shape, forecast schedules, and read runs."""
